"""Windows of consecutive tokens cut from a text. B windows of T + 1 tokens make a batch."""

import numpy as np
import numpy.typing as npt

from ..errors import UserError

Windows = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.uint8]


def random_windows(
    text: bytes, *, count: int, length: int, generator: np.random.Generator
) -> Windows:
    """Return windows from uniformly random places of a text, shape (count, length).

    Raises:
        UserError: If the text is shorter than one window.
    """
    tokens = _tokens(text, length)
    starts = generator.integers(len(tokens) - length + 1, size=count)
    return _cut(tokens, starts, length)


def even_windows(text: bytes, *, count: int, length: int) -> Windows:
    """Return windows spread evenly over a text, shape (count, length); always the same ones.

    Raises:
        UserError: If the text is too short for that many windows without overlap.
    """
    tokens = _tokens(text, count * length)
    starts = np.linspace(0, len(tokens) - length, count).astype(np.int64)
    return _cut(tokens, starts, length)


def _cut(tokens: Tokens, starts: Windows, length: int) -> Windows:
    windows: Tokens = tokens[starts[:, None] + np.arange(length)]
    return windows.astype(np.int64)


def _tokens(text: bytes, wanted: int) -> Tokens:
    if len(text) < wanted:
        raise UserError(
            f"text: got {len(text):,} tokens, wanted at least {wanted:,}. Use a longer text, or "
            "fewer or shorter windows."
        )
    return np.frombuffer(text, dtype=np.uint8)
