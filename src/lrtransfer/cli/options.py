"""Numbers and lists of them, as written on the command line."""

import re
from collections.abc import Callable
from typing import Any

from ..errors import ConfigError


def whole(key: str, text: str) -> int:
    """Read a whole number.

    Raises:
        ConfigError: If it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"{key}: got {text!r}, wanted a whole number, such as 3.") from None


def at_least(least: int) -> Callable[[str, str], int]:
    """Return a reader of whole numbers that are not below a bound.

    Arguments:
        least: The bound.
    """

    def read(key: str, text: str) -> int:
        value = whole(key, text)
        if value < least:
            raise ConfigError(f"{key}: got {value}, wanted at least {least}.")
        return value

    return read


def number(key: str, text: str) -> float:
    """Read a number, also in the form 2^-8.

    Raises:
        ConfigError: If it is none.
    """
    power = re.fullmatch(r"2(?:\^|\*\*)(-?\d+(?:\.\d+)?)", text)
    try:
        return 2.0 ** float(power[1]) if power else float(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{key}: got {text!r}, wanted a number, such as 0.004 or 2^-8.") from None


def listed(read: Callable[[str, str], Any]) -> Callable[[str, str], tuple[Any, ...]]:
    """Return a reader of values between commas."""

    def read_all(key: str, text: str) -> tuple[Any, ...]:
        return tuple(read(key, part.strip()) for part in text.split(","))

    return read_all
