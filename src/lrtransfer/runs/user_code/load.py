"""Objects of the user's own code, named as `pkg.module:name`."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, UserError

_STUDY_ARGUMENTS = {"seed", "batch"}  # of a function that a study's `data.batches` names


def load_object(key: str, text: str) -> Any:
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
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        value: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{key}: got {text!r}, but there is no module {error.name!r} in {folder} nor among "
            "the installed packages. Run the command in the folder of the package."
        ) from None
    except Exception as error:
        raise ConfigError(
            f"{key}: got {text!r}, whose module fails to import: {type(error).__name__}: {error}. "
            f"Try `python -c 'import {module_name}'` in {folder}."
        ) from error
    for name in path.split("."):
        if not hasattr(value, name):
            raise ConfigError(
                f"{key}: got {text!r}, but {module_name} has no {path!r}, wanted the name of an "
                "object in it."
            )
        value = getattr(value, name)
    return value


def load_callable(key: str, text: str) -> Any:
    """Load an object that can be called.

    Arguments:
        key: Name of the option, for messages.
        text: As in `load_object`.

    Raises:
        ConfigError: As `load_object`, or if it cannot be called.
    """
    value = load_object(key, text)
    if not callable(value):
        raise ConfigError(f"{key}: got {text!r}, a {type(value).__name__}, wanted a function.")
    return value


def load_batch(key: str, text: str) -> Any:
    """Load a batch: a value, what a function of nothing returns, or a function of the width.

    Of what gives batches one after the other (a data loader, a generator, the function that a
    study's `data.batches` names) the first is taken, of those held out.

    Arguments:
        key: Name of the option, for messages.
        text: As in `load_object`.

    Raises:
        ConfigError: As `load_object`, or if the function raises, or gives no batch.
    """
    value = load_object(key, text)
    if not callable(value):
        return _take_first(key, text, value)
    names = _list_arguments(value)
    if not names:
        return _call(key, text, value)
    if names >= _STUDY_ARGUMENTS:
        from ...training.task import HELD_OUT_BATCH

        return _call(key, text, value, "held_out", seed=0, batch=HELD_OUT_BATCH)
    return lambda width: _call(key, text, value, width)


def _list_arguments(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # a class of C, which does not say
        return set()


def _call(key: str, text: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return _take_first(key, text, function(*args, **kwargs))
    except UserError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise ConfigError(
            f"{key}: got {text!r}, which raised {type(error).__name__}: {said}; wanted a function "
            "of nothing, or of the width, that returns one batch."
        ) from error


def _take_first(key: str, text: str, value: Any) -> Any:
    """Return a batch in the form that models are called with: the first, if there are several."""
    is_array = hasattr(value, "shape")
    if isinstance(value, Iterable) and not (is_array or isinstance(value, (Mapping, Sequence))):
        value = next(iter(value), None)
        if value is None:
            raise ConfigError(f"{key}: got {text!r}, which gives no batch, wanted at least one.")
    if isinstance(value, Mapping):
        return dict(value)
    is_pair = isinstance(value, list) and all(hasattr(part, "shape") for part in value)
    return tuple(value) if is_pair else value  # data loaders give lists
