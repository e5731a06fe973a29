"""A corpus: tokens to train on, tokens held out, and the hash of both.

The built-in corpus is the source code of Python's standard library: about 11 MB of real text that
every machine has. It differs between Python builds, so its digest is part of a run's identity.
"""

import hashlib
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import UserError

Tokens = npt.NDArray[np.unsignedinteger]

HELD_OUT_SHARE = 0.1
SEPARATOR = b"\0"  # between files; text contains no NUL

# Of a larger corpus only evenly spread blocks of tokens are hashed: 1,024 blocks of 65,536.
_LARGEST_HASHED = 2**30  # bytes
_BLOCKS, _BLOCK = 1024, 65_536

# Tests are many and repetitive; the other folders hold packages that are not the library's.
_EXCLUDED = frozenset({
    "test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "ensurepip",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Corpus:
    """Tokens to train on and tokens held out.

    Attributes:
        name: Name for people.
        train: Tokens to train on.
        held_out: Tokens for the held-out loss.
    """

    name: str
    train: Tokens
    held_out: Tokens

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tokens and their split; above 1 GiB, of blocks spread evenly over them."""
        digest = hashlib.sha256(self.train.dtype.str.encode())
        for part in (self.train, self.held_out):
            digest.update(len(part).to_bytes(8, "big"))
            for block in _blocks(part):
                digest.update(block.tobytes())
        return digest.hexdigest()

    @cached_property
    def largest(self) -> int:
        """The largest id, as far as the digest reads the tokens."""
        parts = (self.train, self.held_out)
        return max((int(block.max()) for p in parts for block in _blocks(p) if len(p)), default=0)


def _blocks(tokens: Tokens) -> Iterable[Tokens]:
    if tokens.nbytes <= _LARGEST_HASHED:
        return (tokens,)
    starts = np.linspace(0, len(tokens) - _BLOCK, _BLOCKS).astype(np.int64)
    return (tokens[start : start + _BLOCK] for start in starts)


def tokens_of(text: bytes) -> Tokens:
    """Return the bytes of a text as tokens 0 … 255."""
    return np.frombuffer(text, dtype=np.uint8)


def read_standard_library(root: Path | None = None) -> Corpus:
    """Return the source code of Python's standard library as a corpus.

    Whether a file is held out depends only on the hash of its content: not on the other files, and
    copies of a file are never on both sides.

    Arguments:
        root: Folder of the library; by default that of the running interpreter.

    Returns:
        The corpus; its tokens are bytes.

    Raises:
        UserError: If the folder holds too few sources (a zipped or stripped installation).
    """
    root = root or Path(sysconfig.get_path("stdlib"))
    paths = sorted(_sources(root), key=lambda path: path.relative_to(root).as_posix())
    train, held_out = bytearray(), bytearray()
    for path in paths:
        text = path.read_bytes()
        part = held_out if _is_held_out(text) else train
        part += text + SEPARATOR
    if min(len(train), len(held_out)) < 100_000:
        raise UserError(
            f"standard library corpus: got {len(train) + len(held_out):,} bytes of Python sources "
            f"under {root}, wanted at least 1,000,000. Use an installation of Python that keeps "
            "its library as .py files."
        )
    return Corpus("python standard library", tokens_of(bytes(train)), tokens_of(bytes(held_out)))


def _sources(root: Path) -> Iterable[Path]:
    for path in root.rglob("*.py"):
        if not _EXCLUDED.intersection(path.relative_to(root).parts):
            yield path


def _is_held_out(text: bytes) -> bool:
    first_bytes = hashlib.sha256(text).digest()[:4]
    return int.from_bytes(first_bytes, "big") < HELD_OUT_SHARE * 2**32
