"""Text for people that cannot steer their terminal. Loads nothing."""

import unicodedata
from typing import TextIO

# Control and format characters, halves of characters, and what ends a line or a paragraph: they
# steer a terminal, or make text look like another.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def escape_controls(text: str) -> str:
    r"""Return text in which nothing steers the terminal but the ends of its lines.

    Whatever is printed for people goes through here: names and messages may come from files, from
    stores and from programs of somebody else's.

    Example:
        >>> escape_controls("a\x1b[2Jb\u202ec")
        'a\\x1b[2Jb\\u202ec'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        ascii(c)[1:-1] if c not in "\n\t" and unicodedata.category(c) in _STEERING else c
        for c in text
    )


def print_line(text: str, *, file: TextIO | None = None) -> None:
    """Print text for people, on stdout by default."""
    print(escape_controls(text), file=file, flush=file is not None)
