"""Objects that a user names on the command line, as `pkg.module:name`."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import UserError


def load(target: str, *, key: str) -> Callable[..., Any]:
    """Return the callable named `pkg.module:name`; the working directory is on the path.

    Naming it on one's own command line is consent to import it.

    Raises:
        UserError: If the name is malformed, the module cannot be imported, or it has no such
            callable.
    """
    module_name, colon, name = target.partition(":")
    if not (colon and module_name and name.isidentifier()) or module_name.endswith(".py"):
        raise UserError(
            f"{key}: got {target!r}, wanted pkg.module:name, such as model:build for the function "
            "build in model.py of this folder."
        )
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(
            f"{key}: got {target!r}, whose module fails to import: {type(error).__name__}: {error}. "
            f"Try `python -c 'import {module_name}'` in {here}."
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        what = "has none" if found is None else f"has a {type(found).__name__} of that name"
        names = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise UserError(
            f"{key}: got {target!r}, wanted a callable of module {module_name!r}, which {what}; it "
            f"has {', '.join(names[:8]) or 'no functions'}."
        )
    loaded: Callable[..., Any] = found
    return loaded


def load_batch(target: str, *, width: int) -> Any:
    """Return the batch that `pkg.module:batch` gives, called with the width if it takes one.

    Raises:
        UserError: If it cannot be loaded or raises.
    """
    batch = load(target, key="batch")
    wants_width = any(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in inspect.signature(batch).parameters.values()
    )
    try:
        return batch(width) if wants_width else batch()
    except Exception as error:
        raise UserError(
            f"batch: got {target!r}, which raised {type(error).__name__}: {error}; wanted a "
            "function of nothing, or of the width, that returns one batch."
        ) from error
