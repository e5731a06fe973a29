"""The type of numbers of which only the bytes are known: what ids of tokens look like.

Ids are small beside what their type can hold. Numbers of four or eight bytes therefore alternate
between words that vary and words that hardly do, numbers read in the wrong byte order seem to be
multiples of 256, and the bytes of a text are alike wherever they stand.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .corpus import Tokens

Bytes = npt.NDArray[np.uint8]

FEWEST_BYTES = 256  # of which anything can be said
SMALL = 16  # the upper word of an id: 16 times 65,536 is more than any vocabulary
LARGEST_ID = 2**27  # what is larger is no id
_PIECES, _PIECE = 64, 2**16  # of a larger file, in bytes


def require_type(path: Path, dtype: str) -> None:
    """Refuse to read a file as numbers of a type that its bytes cannot be.

    Arguments:
        path: The file, without a header.
        dtype: `uint8`, `uint16`, `uint32`, `int32` or `int64`.

    Raises:
        ConfigError: If they look like those of another type; the message says which.
    """
    sample = _take_sample(path)
    if len(sample) < FEWEST_BYTES:
        return
    given = np.dtype(dtype).newbyteorder("<").str.replace("i", "u")
    ids: Tokens = sample.view(given)
    found = recognise_type(sample)
    if found is None and (dtype == "uint8" and _are_halves(sample)):
        found = "uint16"
    if found is None and dtype not in {"uint8", "uint16"} and _are_pairs(ids, sample):
        found = "uint16"
    if found is None or found.removeprefix("u") == dtype.removeprefix("u"):
        return
    if found == "int32" and dtype == "int64" and ids.max() < LARGEST_ID:
        return  # one number over and over: zeros fill up four bytes as well as eight
    advice = f"Give data.dtype = {found!r}"
    if found.startswith("big-endian"):
        kind = found.removeprefix("big-endian ")
        code = np.dtype(kind).newbyteorder(">").str
        advice = f'Write it again: np.fromfile(path, "{code}").astype("{kind}").tofile(other)'
    first = ", ".join(f"{int(token):,}" for token in ids[:4])
    raise ConfigError(
        f"data.dtype: got {dtype!r}, as which {path} begins with {first}, but its bytes are those "
        f"of {found} numbers, wanted their type. {advice}; if they are right as they are, save "
        "them with np.save and give data.format = 'npy'."
    )


def recognise_type(sample: Bytes) -> str | None:
    """Return the type that the bytes of ids must have; None if plain `uint16` is as likely.

    Arguments:
        sample: Bytes from the start of a number of eight bytes on, shape (B,), B a multiple of 8.

    Example:
        >>> ids = np.random.default_rng(0).integers(50_257, size=1000)
        >>> recognise_type(ids.astype("<i4").view(np.uint8)), recognise_type(ids.view(np.uint8))
        ('int32', 'int64')
    """
    for order, name in (("<", ""), (">", "big-endian ")):
        if _are_wide(sample.view(f"{order}u4"), order, small=1, sign=2**32 - 1):
            return f"{name}int64"
    for order, name in (("<", ""), (">", "big-endian ")):
        if _are_wide(sample.view(f"{order}u2"), order, small=SMALL, sign=2**16 - 1):
            return f"{name}int32"
    low, high = sample[0::2], sample[1::2]
    if _are_alike(low, high) and _entropy(sample) < 7:
        return "uint8"
    return "big-endian uint16" if _are_swapped(low, high) else None


def _are_wide(words: Tokens, order: str, *, small: int, sign: int) -> bool:
    """Tell whether words are the halves of numbers: one of each two small, the other not always."""
    low, high = (words[0::2], words[1::2]) if order == "<" else (words[1::2], words[0::2])
    if not ((high < small) | (high == sign)).all():
        return False
    if high.min() == high.max():
        return bool(low.min() != low.max())
    return float((low >= small).mean()) > 0.1


def _are_alike(low: Bytes, high: Bytes) -> bool:
    """Tell whether bytes at even and odd places are distributed alike, and not all equal."""
    shares = [np.bincount(part, minlength=256) / len(part) for part in (low, high)]
    distance = float(np.abs(shares[0] - shares[1]).sum()) / 2
    noise = float(np.sqrt(np.count_nonzero(shares[0]) / len(low)))
    return distance < 0.1 + noise / 2 and low.min() != low.max()


def _entropy(values: Bytes) -> float:
    """Return the entropy of bytes in bits."""
    share = np.bincount(values) / len(values)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _are_swapped(low: Bytes, high: Bytes) -> bool:
    """Tell whether the upper bytes of 16-bit ids vary more than the lower ones: then they are not.

    An id below V has V / 256 upper bytes and 256 lower ones.
    """
    lower, upper = len(np.unique(low)), len(np.unique(high))
    if lower == 1:
        return bool(low[0] == 0 and upper > 1)
    return (upper >= 64 and upper > 1.25 * lower) or _entropy(high) > _entropy(low) + 1


def _are_halves(sample: Bytes) -> bool:
    """Tell whether bytes are the lower and upper halves of ids: the upper ones vary less."""
    low, high = sample[0::2], sample[1::2]
    if high.min() == high.max():
        return bool(low.min() != low.max())
    return not _are_alike(low, high) and bool(high.max() < 0.9 * low.max())


def _are_pairs(ids: Tokens, sample: Bytes) -> bool:
    """Tell whether numbers are pairs of ids: too large, or with both words distributed alike."""
    if ids.max() < 2**16:
        return False
    words = np.minimum(sample.view("<u2"), 1023)
    counts = [np.bincount(part, minlength=1024) for part in (words[0::2], words[1::2])]
    distance = np.abs(counts[0] - counts[1]).sum() / len(words)
    return bool(ids.max() >= LARGEST_ID or distance < 0.2)


def _take_sample(path: Path) -> Bytes:
    """Return the bytes of a file, of a large one pieces spread evenly over it."""
    data: Bytes = np.memmap(path, dtype=np.uint8, mode="r")
    data = data[: len(data) // 8 * 8]
    if len(data) <= _PIECES * _PIECE:
        return np.asarray(data)
    starts = np.linspace(0, len(data) - _PIECE, _PIECES).astype(np.int64) // 8 * 8
    return np.concatenate([data[start : start + _PIECE] for start in starts])
