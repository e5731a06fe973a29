"""Corpora from the user's files. The last tenth of every file is held out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from .configs import TextConfig, TokensConfig
from .corpus import HELD_OUT_SHARE, SEPARATOR, Corpus, Tokens, tokens_of


def read_text_files(config: TextConfig) -> Corpus:
    """Return the bytes of a file, or of all files below a folder except hidden ones.

    Arguments:
        config: Path of the file or folder.

    Returns:
        The corpus; its tokens are bytes.

    Raises:
        ConfigError: If there is no such file, or it is empty.
    """
    path = Path(config.path)
    try:
        paths = sorted(_files(path)) if path.is_dir() else [path]
        texts = [file.read_bytes() for file in paths]
    except OSError as error:
        raise ConfigError(_unreadable(path, error)) from None
    train, held_out = bytearray(), bytearray()
    for text in texts:
        cut = len(text) - round(HELD_OUT_SHARE * len(text))
        train += text[:cut] + SEPARATOR
        held_out += text[cut:] + SEPARATOR
    if not any(texts):
        raise ConfigError(f"data.path: got {path} without any text in it, wanted text to train on.")
    return Corpus(path.name, tokens_of(bytes(train)), tokens_of(bytes(held_out)))


def read_token_file(config: TokensConfig) -> Corpus:
    """Return the tokens of a file, mapped into memory instead of read.

    Arguments:
        config: Path and type of the numbers.

    Returns:
        The corpus, backed by the file.

    Raises:
        ConfigError: If there is no such file, or its size is not a multiple of that of a number.
    """
    path, size = Path(config.path), np.dtype(config.dtype).itemsize
    try:
        length = path.stat().st_size
        if length == 0 or length % size:
            raise ConfigError(
                f"data.path: got {path} of {length:,} bytes, wanted {config.dtype} numbers of "
                f"{size} bytes each. Give the data.dtype it was written with."
            )
        tokens: Tokens = np.memmap(path, dtype=np.dtype(config.dtype).newbyteorder("<"), mode="r")
    except OSError as error:
        raise ConfigError(_unreadable(path, error)) from None
    cut = len(tokens) - round(HELD_OUT_SHARE * len(tokens))
    return Corpus(path.name, tokens[:cut], tokens[cut:])


def _files(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden:
            yield path


def _unreadable(path: Path, error: OSError) -> str:
    return (
        f"data.path: got {path.absolute()} ({error.strerror}), wanted a file or folder that can be "
        "read. A relative path starts where the command is given."
    )
