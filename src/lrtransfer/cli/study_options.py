"""The options of `lrtransfer tune` that set a field of the study, and how their text is read.

They are declared at the study's fields. Loading these takes longer than `--help` may take, so the
options are read from `study_options.json`, which `derive_options.py` writes.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..errors import ConfigError
from .options import option, read_list, read_number, read_whole

OPTIONS_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, kw_only=True)
class StudyOption:
    """Option of `lrtransfer tune` that sets a field of the study.

    Attributes:
        name: Its name, with underscores.
        path: The field, such as `grid.low`.
        kind: What its text is: a key of READERS.
        metavar: What stands for the value in the help; empty for a flag.
        help: What the field means.
        aliases: Other spellings.
    """

    name: str
    path: str
    kind: str
    metavar: str
    help: str
    aliases: tuple[str, ...] = ()


def read_settings(texts: Mapping[str, str | bool | None]) -> dict[str, Any]:
    """Return the settings that options give, under their keys in a study file.

    Arguments:
        texts: What was written, by the option's name; None or False where nothing was.

    Raises:
        ConfigError: If a text cannot be read; the message names the option.

    Example:
        >>> read_settings({"widths": "32,64", "lr_low": "2^-8", "seeds": None})
        {'widths': (32, 64), 'grid': {'low': 0.00390625}}
    """
    settings: dict[str, Any] = {}
    for entry in OPTIONS:
        text = texts.get(entry.name)
        if text is None or text is False:
            continue
        section, _, key = entry.path.rpartition(".")
        place = settings.setdefault(section, {}) if section else settings
        place[key] = READERS[entry.kind](entry.name, text)
    return settings


def _read_text(key: str, text: str) -> str:
    return text


def _read_varied(key: str, text: str) -> dict[str, tuple[float, ...]]:
    path, equals, values = text.partition("=")
    if not equals:
        raise ConfigError(
            f"{key}: got {text!r}, wanted KEY=X,X,…, such as optimizer.weight_decay=0,0.1."
        )
    return {path.strip(): read_list(key, values, _read_whole_or_number)}


def _read_whole_or_number(key: str, text: str) -> float:
    return int(text) if text.isdigit() else read_number(key, text)


READERS: dict[str, Callable[[str, Any], Any]] = {
    "text": _read_text,
    "whole": read_whole,
    "number": read_number,
    "list of text": lambda key, text: read_list(key, text, _read_text),
    "list of whole": lambda key, text: read_list(key, text, read_whole),
    "values by path": _read_varied,
    "flag": lambda key, given: given,
}


def _make_argument(entry: StudyOption) -> tuple[str, Any, Any]:
    """Return name, type and default of the field that tyro reads the option from."""
    if entry.kind == "flag":
        return entry.name, Annotated[bool, tyro.conf.arg(help=entry.help)], False
    spelling = option(entry.metavar, *entry.aliases, help=entry.help)
    return entry.name, Annotated[str | None, spelling], None


OPTIONS = tuple(
    StudyOption(**{**entry, "aliases": tuple(entry["aliases"])})
    for entry in json.loads(OPTIONS_FILE.read_text(encoding="utf-8"))
)
_StudyArguments = make_dataclass(
    "_StudyArguments",
    map(_make_argument, OPTIONS),
    frozen=True,
    namespace={"__doc__": "Settings of the study; they go before those of its file."},
)
STUDY_ARGUMENTS = tyro.conf.arg(constructor=_StudyArguments)
