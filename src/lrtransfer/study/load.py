"""The one door into a study: read, fill in, check.

A study file is TOML and states only what differs from the built-in study. Every setting is
checked before anything is written, and an error names the key by its path.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import ConfigError
from .consistency import list_problems
from .messages import format_first_error
from .study import Study

# Keys that files and stores of earlier development versions hold, with their present names.
_FORMER_KEYS = {"until": "stopping_rule"}
# Ways to say one thing: an override in one way goes before what a file says in another.
_ALTERNATIVES = {
    "tolerance_regret": ("tolerance_regret_abs",),
    "tolerance_regret_abs": ("tolerance_regret",),
}


def load(path: Path | None, overrides: Mapping[str, Any]) -> Study:
    """Return the study of a TOML file, with some top-level keys or `[grid]` keys overridden.

    Arguments:
        path: Study file; None for the built-in study.
        overrides: Values that go before the file's; a nested mapping is merged key by key.

    Raises:
        ConfigError: If the file cannot be read or a setting is wrong; the message names the key.

    Example:
        >>> load(None, {"seeds": 5}).seeds
        5
        >>> load(None, {"sedes": 5})
        Traceback (most recent call last):
        lrtransfer.errors.ConfigError: sedes: unknown key, did you mean 'seeds'?
    """
    settings = _read(path) if path else {}
    try:
        return make_study(merge(_rename_former(settings), _rename_former(overrides)))
    except ValueError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(where + str(error)) from None


def parse_study(text: str) -> Study:
    """Return the study that `Study.to_json` wrote down.

    Raises:
        ValueError: If the text is not JSON, or a setting is wrong.
    """
    try:
        settings = json.loads(text)
    except RecursionError:
        raise ValueError(
            "got values nested beyond reading, wanted the settings of a study"
        ) from None
    if not isinstance(settings, dict):
        raise ValueError(f"got {text[:40]!r}, wanted the settings of a study")
    return make_study(settings)


def make_study(settings: Mapping[str, Any]) -> Study:
    """Return the study with these settings, filled in and checked.

    Raises:
        ValueError: If a setting is wrong; the message names the key.
    """
    try:
        study = Study.model_validate(_fill_in(settings))
    except ValidationError as error:
        raise ValueError(format_first_error(error, Study)) from None
    for problem in list_problems(study):
        text = problem.removesuffix(".")
        raise ValueError(text if text.endswith("?") else f"{text}.")
    return study


def merge(settings: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with some overridden; a nested mapping is merged key by key.

    Example:
        >>> merge({"grid": {"low": 1, "high": 2}}, {"grid": {"low": 0}})
        {'grid': {'low': 0, 'high': 2}}
        >>> merge({"tolerance_regret": 0.01}, {"tolerance_regret_abs": 0.5})
        {'tolerance_regret_abs': 0.5}
    """
    replaced = {other for key in overrides for other in _ALTERNATIVES.get(key, ())}
    result = {key: value for key, value in settings.items() if key not in replaced}
    for key, value in overrides.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            value = {**result[key], **value}
        result[key] = value
    return result


def _fill_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the defaults of their kind of study.

    Some defaults make sense only for the built-in study; they are replaced for other kinds.
    """
    settings = _rename_former(given)
    defaults: dict[str, Any] = {}
    has_program = settings.get("trainer") is not None
    widths = settings.get("widths")
    if has_program:
        defaults |= {"name": "command", "schemes": ("all",)}
        if isinstance(widths, (list, tuple)) and widths and all(type(w) is int for w in widths):
            defaults["base_width"] = min(widths)
    if settings.get("along", "width") != "width":
        if isinstance(settings.get("width"), int):
            defaults["base_width"] = settings["width"]
        if not has_program:
            # At one width the schemes are one; along depth they differ in the branches.
            both = settings["along"] == "depth"
            defaults["schemes"] = ("completep", "mup") if both else ("mup",)
    return {**defaults, **settings}


def _rename_former(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under their present names.

    Raises:
        ValueError: If a setting has a value under both names.
    """
    settings = dict(given)
    for former, present in _FORMER_KEYS.items():
        if former in settings:
            if settings.get(present) is not None:
                raise ValueError(
                    f"{present}: got a value for it and for {former}, its former name, wanted one. "
                    f"Remove {former}."
                )
            settings[present] = settings.pop(former)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: got {error.strerror}, wanted a readable study file. Check the path."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: got text that is not TOML ({error}). Mend that line.") from None
    except RecursionError:
        raise ConfigError(
            f"{path}: got lists or tables nested beyond reading, wanted a study file. Mend it."
        ) from None
