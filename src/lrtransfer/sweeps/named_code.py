"""Objects of the user's own code, named as `pkg.module:name`."""

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError


def load(key: str, text: str) -> Any:
    """Import a module, with the working directory on the path, and return the object named.

    Naming it on one's own command line is consent to run its code.

    Arguments:
        key: Name of the option, for messages.
        text: `pkg.module:name`, or `pkg.module:outer.name`.

    Raises:
        ConfigError: If the text has another form, or there is no such module or object.
    """
    module_name, _, path = text.partition(":")
    if not module_name or not path:
        raise ConfigError(f"{key}: got {text!r}, wanted the form pkg.module:name.")
    folder = _on_path()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(_missing(key, text, error.name, folder)) from None
    except Exception as error:
        raise ConfigError(
            f"{key}: got {text!r}, whose module fails to import: {type(error).__name__}: {error}. "
            f"Try `python -c 'import {module_name}'` in {folder}."
        ) from error
    for name in path.split("."):
        if not hasattr(found, name):
            raise ConfigError(
                f"{key}: got {text!r}, but {module_name} has no {path!r}, wanted the name of an "
                "object in it."
            )
        found = getattr(found, name)
    return found


def load_callable(key: str, text: str) -> Any:
    """Load an object that can be called.

    Arguments:
        key: Name of the option, for messages.
        text: As in `load`.

    Raises:
        ConfigError: As `load`, or if it cannot be called.
    """
    found = load(key, text)
    if not callable(found):
        raise ConfigError(f"{key}: got {text!r}, a {type(found).__name__}, wanted a function.")
    return found


def load_batch(key: str, text: str) -> Any:
    """Load a batch: a value, what a function of nothing returns, or a function of the width.

    Arguments:
        key: Name of the option, for messages.
        text: As in `load`.

    Raises:
        ConfigError: As `load`, or if the function raises.
    """
    found = load(key, text)
    if not callable(found) or inspect.signature(found).parameters:
        return found
    try:
        return found()
    except Exception as error:
        raise ConfigError(
            f"{key}: got {text!r}, which raised {type(error).__name__}: {error}; wanted a "
            "function of nothing, or of the width, that returns one batch."
        ) from error


def digest_of(named: Mapping[str, str]) -> str:
    """Return the hash of the source files that named objects are in; none of no objects.

    Arguments:
        named: `pkg.module:name` by the key that names it.

    Raises:
        ConfigError: If there is no such module, or the package it is in fails to import.
    """
    if not named:
        return ""
    folder, digest = _on_path(), hashlib.sha256()
    for key, text in sorted(named.items()):
        module_name = text.partition(":")[0]
        try:
            spec = importlib.util.find_spec(module_name)
        except ModuleNotFoundError as error:
            raise ConfigError(_missing(key, text, error.name, folder)) from None
        except Exception as error:
            raise ConfigError(
                f"{key}: got {text!r}, whose module cannot be found: {type(error).__name__}: "
                f"{error}. Give a module by its full name, pkg.module, that can be imported."
            ) from error
        if spec is None or spec.origin is None:
            raise ConfigError(_missing(key, text, module_name, folder))
        source = Path(spec.origin)
        digest.update(text.encode() + b"\0" + (source.read_bytes() if source.exists() else b""))
    return digest.hexdigest()


def _on_path() -> str:
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    return folder


def _missing(key: str, text: str, name: str | None, folder: str) -> str:
    return (
        f"{key}: got {text!r}, but there is no module {name!r} in {folder} nor among "
        "the installed packages. Run the command in the folder of the package."
    )
