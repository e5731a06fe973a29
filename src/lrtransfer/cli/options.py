"""Options of the command line: how one is declared, and how its text is read.

Numbers arrive as text and are read when a command runs, so that an error names the option, what it
got and what it wanted.
"""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from ..errors import ConfigError, UserError

if TYPE_CHECKING:
    from ..parametrization.choices import Choices

Value = TypeVar("Value")


class OptionError(Exception):
    """An option that cannot be read at all; no ValueError, which tyro would explain at length."""


def path_of(name: str) -> Any:
    """Declare a path that must not be empty: that of an unset variable would be the present folder.

    Arguments:
        name: The option's.
    """

    def read(texts: list[str]) -> Path:
        (text,) = texts
        if not text.strip():
            raise OptionError(f"{name}: got {text!r}, wanted a path; `.` is the present folder.")
        return Path(text)

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda path: [str(path)],
    )


Json = Annotated[bool, tyro.conf.arg(help="Print one JSON document and nothing else on stdout.")]


def option(metavar: str, *aliases: str, help: str | None = None) -> Any:
    """Declare an option that may be left out: its help says what happens then.

    Arguments:
        metavar: What stands for the value in the help.
        *aliases: Other spellings, such as `--target`.
        help: What the option means; None where a docstring below the field says it.
    """
    return tyro.conf.arg(metavar=metavar, aliases=aliases or None, help=help, help_behavior_hint="")


def read_whole(key: str, text: str, *, least: int | None = None) -> int:
    """Read a whole number.

    Raises:
        ConfigError: If it is none, or below the least that is allowed.
    """
    try:
        value = int(text)
    except ValueError:
        raise ConfigError(f"{key}: got {text!r}, wanted a whole number, such as 3.") from None
    if least is not None and value < least:
        raise ConfigError(f"{key}: got {value}, wanted at least {least}.")
    return value


def read_number(key: str, text: str) -> float:
    """Read a number, also in the form 2^-8.

    Raises:
        ConfigError: If it is none.

    Example:
        >>> read_number("lr", "0.004"), read_number("lr", "2^-8")
        (0.004, 0.00390625)
    """
    power = re.fullmatch(r"2(?:\^|\*\*)(-?\d+(?:\.\d+)?)", text)
    try:
        return 2.0 ** float(power[1]) if power else float(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"{key}: got {text!r}, wanted a number, such as 0.004 or 2^-8.") from None


def read_list(key: str, text: str, read: Callable[[str, str], Value]) -> tuple[Value, ...]:
    """Read values between commas, each by the same reader.

    Example:
        >>> read_list("widths", "32, 64", read_whole)
        (32, 64)
    """
    return tuple(read(key, part.strip()) for part in text.split(","))


def read_scheme(scheme: str) -> Any:
    """Return the name of a scheme, or the rows of exponents of a TOML file.

    Raises:
        UserError: If the file cannot be read.
    """
    return read_rows("scheme", Path(scheme)) if scheme.endswith(".toml") else scheme


def read_rows(key: str, path: Path) -> dict[str, Any]:
    """Read the rows of exponents in a TOML file.

    Raises:
        UserError: If it cannot be read; the message begins with the key.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"{key}: got {path} ({error}), wanted a readable TOML file with a table per role."
        ) from None


def read_choices(text: str) -> "Choices":
    """Read the choices written as KEY=VALUE, separated by commas.

    Raises:
        UserError: If one is malformed or unknown.
    """
    from ..parametrization.choices import Choices

    keys = [field.name for field in fields(Choices) if field.name != "tuned"]
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in keys:
            raise UserError(
                f"choices: got {part!r}, wanted KEY=VALUE with one of {', '.join(keys)}."
            )
        values[key] = _read_plain(value)
    return Choices(**values)


def _read_plain(text: str) -> Any:
    """Read a truth value, None or a number; other text stays: `none` is a kind of weight decay."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words and text != "none":
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
