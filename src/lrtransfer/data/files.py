"""Corpora from the user's files. The last tenth of every file is held out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from .configs import TextConfig, TokensConfig
from .corpus import HELD_OUT_SHARE, SEPARATOR, Corpus, Tokens, tokens_of
from .token_formats import (
    find_megatron_type,
    read_formatted,
    recognise_format,
    require_no_other_kind,
)
from .token_types import require_type


def read_text_files(config: TextConfig) -> Corpus:
    """Return the bytes of a file, or of all files below a folder except hidden ones.

    Arguments:
        config: Path of the file or folder.

    Returns:
        The corpus; its tokens are bytes.

    Raises:
        ConfigError: If there is no such file, or it is empty, or of another kind.
    """
    path = Path(config.path)
    try:
        paths = sorted(_files(path)) if path.is_dir() else [path]
        if paths == [path]:  # a folder may hold pictures, too
            require_no_other_kind(path)
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
        config: Path, format and type of the numbers.

    Returns:
        The corpus, backed by the file.

    Raises:
        ConfigError: If there is no such file, or it is of another format or type than is said.
    """
    path = Path(config.path)
    try:
        tokens = _read_plain(config) if config.format == "raw" else read_formatted(config)
    except OSError as error:
        where = path if error.filename is None else Path(error.filename)
        raise ConfigError(_unreadable(where, error)) from None
    cut = len(tokens) - round(HELD_OUT_SHARE * len(tokens))
    return Corpus(path.name, tokens[:cut], tokens[cut:])


def _read_plain(config: TokensConfig) -> Tokens:
    """Return numbers without a header, unless the file says, or looks like, something else."""
    path, dtype = Path(config.path), np.dtype(config.dtype).newbyteorder("<")
    known = recognise_format(path)
    beside = find_megatron_type(path)
    if known is None and beside and beside.removeprefix("u") != config.dtype.removeprefix("u"):
        known = "megatron"
    if known is not None:
        raise ConfigError(
            f"data.format: got 'raw' with {path}, which is of the format {known!r} and would be "
            f"read wrongly, wanted it named. Give data.format = {known!r}, without data.dtype."
        )
    length, size = path.stat().st_size, dtype.itemsize
    if length == 0 or length % size:
        raise ConfigError(
            f"data.path: got {path} of {length:,} bytes, wanted {config.dtype} numbers of "
            f"{size} bytes each. Give the data.dtype it was written with."
        )
    require_type(path, config.dtype)
    tokens: Tokens = np.memmap(path, dtype=dtype.str.replace("i", "u"), mode="r")
    return tokens


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
