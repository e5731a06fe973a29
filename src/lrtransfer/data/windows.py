"""Windows of consecutive tokens cut from a text. B windows of T + 1 tokens make a batch."""

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from .corpus import Tokens

Windows = npt.NDArray[np.int64]


def random_windows(
    tokens: Tokens, *, count: int, length: int, generator: np.random.Generator
) -> Windows:
    """Return windows from uniformly random places of a text, shape (count, length).

    Raises:
        UserError: If the text is shorter than one window.
    """
    _require(tokens, length)
    starts = generator.integers(len(tokens) - length + 1, size=count)
    return _cut(tokens, starts, length)


def even_windows(tokens: Tokens, *, count: int, length: int) -> Windows:
    """Return windows spread evenly over a text, shape (count, length); always the same ones.

    Raises:
        UserError: If the text is too short for that many windows without overlap.
    """
    _require(tokens, count * length)
    starts = np.linspace(0, len(tokens) - length, count).astype(np.int64)
    return _cut(tokens, starts, length)


def _cut(tokens: Tokens, starts: Windows, length: int) -> Windows:
    windows: Tokens = tokens[starts[:, None] + np.arange(length)]
    return windows.astype(np.int64)


def _require(tokens: Tokens, wanted: int) -> None:
    if len(tokens) < wanted:
        raise UserError(
            f"text: got {len(tokens):,} tokens, wanted at least {wanted:,}. Use a longer text, or "
            "fewer or shorter windows."
        )
