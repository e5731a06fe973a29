"""The hashes of what a study trains on and of the user's code in it. Loads no torch."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

from ..data.configs import DigitsConfig, TokensConfig, UserBatchesConfig
from ..data.corpus import Corpus
from ..data.digits import read_digits
from ..data.sources import read_corpus
from ..data.token_types import LARGEST_ID
from ..errors import ConfigError
from ..models.configs import HuggingFaceConfig, TransformerConfig
from ..study.model_work import ModelWork
from ..study.study import Study
from .user_code.digest import digest_code


@dataclass(frozen=True)
class Digests:
    """Hashes of what a study trains on and with; each is empty where it has none.

    Attributes:
        data: Hash of the data.
        code: Hash of the user code.
    """

    data: str = ""
    code: str = ""

    def to_json(self) -> str:
        """Return the digests as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the digests that `to_json` wrote down.

        Raises:
            ValueError: If the text is anything else.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or not all(isinstance(v, str) for v in document.values()):
            raise ValueError(f"digests: got {text[:40]!r}, wanted a hash for data and for code")
        return cls(**document)


def compute_digests(study: Study) -> Digests:
    """Return the hashes of a study's data and code.

    Raises:
        UserError: If there is too little text, or data or code cannot be found.
    """
    if not isinstance(study.work, ModelWork):
        return Digests()
    return Digests(_digest_data(study.work), digest_code(study.work.user_code))


def _digest_data(work: ModelWork) -> str:
    data = work.data
    if isinstance(data, UserBatchesConfig):
        return ""  # its code says what they are
    if isinstance(data, DigitsConfig):
        parts = (array for part in read_digits(data) for array in (part.inputs, part.targets))
        return hashlib.sha256(b"".join(array.tobytes() for array in parts)).hexdigest()
    corpus = read_corpus(data)
    _require_text(corpus, held_out=data.held_out_tokens, context=work.context)
    if isinstance(data, TokensConfig):
        _require_ids(corpus, work)
    return corpus.digest


def _require_ids(corpus: Corpus, work: ModelWork) -> None:
    """Refuse tokens that are no ids of the model's vocabulary, as far as that is known."""
    key, vocabulary = "any vocabulary", LARGEST_ID
    match work.model:
        case TransformerConfig(vocabulary=count):
            key, vocabulary = "model.vocabulary", count
        case HuggingFaceConfig(fields={"vocab_size": int(count)}):
            key, vocabulary = "model.fields.vocab_size", count
    if corpus.largest < vocabulary:
        return
    is_negative = (
        corpus.largest >= 2 ** (8 * corpus.train.itemsize - 1) and corpus.train.itemsize > 2
    )
    largest = corpus.largest - is_negative * 2 ** (8 * corpus.train.itemsize)
    raise ConfigError(
        f"data.path: got the token {largest:,} in {corpus.name}, wanted ids from 0 and below "
        f"{key}, {vocabulary:,}. Give the vocabulary of the tokenizer that wrote the file, or the "
        "data.dtype and data.format that it was written with."
    )


def _require_text(corpus: Corpus, *, held_out: int, context: int) -> None:
    """Refuse a study that wants more text than there is."""
    most = len(corpus.held_out) // (context + 1) * context
    if held_out > most:
        raise ConfigError(
            f"data.held_out_tokens: got {held_out:,}, wanted at most {most:,}, the windows of "
            f"{context} tokens in the held-out tenth. Hold out fewer, or take a longer text."
        )
    if len(corpus.train) <= context:
        raise ConfigError(
            f"data: got {len(corpus.train):,} tokens to train on, wanted more than "
            f"model.context, {context}."
        )
