"""Windows of consecutive tokens, cut from a text. A batch is B windows of T + 1 tokens."""

import numpy as np
import numpy.typing as npt

from ..errors import UserError
from .corpus import Tokens

Windows = npt.NDArray[np.int64]


def random_windows(
    tokens: Tokens, *, count: int, length: int, generator: np.random.Generator
) -> Windows:
    """Return windows from uniformly random positions in a text.

    Arguments:
        tokens: The text.
        count: Number of windows.
        length: Tokens of a window.
        generator: Source of the positions.

    Returns:
        Windows, shape (count, length).

    Raises:
        UserError: If the text is shorter than one window.
    """
    _require_tokens(tokens, length)
    starts = generator.integers(len(tokens) - length + 1, size=count)
    return _cut(tokens, starts, length)


def even_windows(tokens: Tokens, *, count: int, length: int) -> Windows:
    """Return windows spread evenly over a text, the same at every call.

    Arguments:
        tokens: The text.
        count: Number of windows.
        length: Tokens of a window.

    Returns:
        Windows, shape (count, length).

    Raises:
        UserError: If the text is too short for that many windows without overlap.
    """
    _require_tokens(tokens, count * length)
    starts = np.linspace(0, len(tokens) - length, count).astype(np.int64)
    return _cut(tokens, starts, length)


def _cut(tokens: Tokens, starts: Windows, length: int) -> Windows:
    windows: Tokens = tokens[starts[:, None] + np.arange(length)]
    return windows.astype(np.int64)


def _require_tokens(tokens: Tokens, count: int) -> None:
    if len(tokens) < count:
        raise UserError(
            f"text: got {len(tokens):,} tokens, wanted at least {count:,}. Use a longer text, or "
            "fewer or shorter windows."
        )
