"""Tiny copies of an optimizer: the same class and options, other tensors, no state.

Two ways, because no optimizer of torch can be copied with other tensors as it is. `rebuild` calls
the class again with the options that it was given; `strip` copies the object itself, without state
and hooks, for classes that are made from something else than parameters (names, a module, another
optimizer). Neither touches the optimizer that is copied, nor its tensors.
"""

import copy
import inspect
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from enum import Enum
from typing import Any

import torch

Options = dict[str, Any]
TorchOptimizer = torch.optim.Optimizer
Copier = Callable[[TorchOptimizer, list[Options]], TorchOptimizer]

_SETTINGS = (bool, float, str, Enum)  # no whole numbers: those count steps


def rebuild(optimizer: TorchOptimizer, groups: list[Options]) -> TorchOptimizer:
    """Return a new optimizer of the same class with the options that this one was made with."""
    signature = inspect.signature(type(optimizer).__init__)
    _, first, *rest = signature.parameters.values()
    if first.kind in {first.KEYWORD_ONLY, first.VAR_KEYWORD}:
        raise TypeError(f"{type(optimizer).__name__} takes no parameters")
    known = _list_options(optimizer, groups[0])
    options = {p.name: copy_option(known[p.name]) for p in rest if p.name in known}
    rebuilt = type(optimizer)(groups, **options)
    _copy_settings(optimizer, rebuilt)
    return rebuilt


def strip(optimizer: TorchOptimizer, groups: list[Options]) -> TorchOptimizer:
    """Return the same object with other groups, without state, hooks and wrapped methods.

    An optimizer inside it (of SAM, of Lookahead) is stripped likewise and shares the groups.
    """
    stripped: TorchOptimizer = object.__new__(type(optimizer))
    # Whatever refers to the tensors trained is not to copy them, nor to step them.
    held = [p for group in optimizer.param_groups for p in group["params"]]
    memo: dict[int, Any] = {id(p): groups[0]["params"][0] for p in held}
    memo[id(optimizer)] = stripped
    for key, value in vars(optimizer).items():
        if callable(value) and hasattr(type(optimizer), key):
            continue  # a method that a scheduler wrapped: it would step the optimizer itself
        if isinstance(value, TorchOptimizer):
            vars(stripped)[key] = strip(value, groups)
        elif key not in {"state", "param_groups"}:
            vars(stripped)[key] = OrderedDict() if "_hooks" in key else copy_option(value, memo)
    vars(stripped)["param_groups"] = groups
    vars(stripped)["state"] = defaultdict(dict)
    return stripped


COPIERS: tuple[Copier, ...] = (rebuild, strip)


def copy_option(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return a deep copy, or the thing itself where there is one alone (a mesh of processes)."""
    try:
        return copy.deepcopy(value, memo)
    except (TypeError, RuntimeError, NotImplementedError):
        return value


def _list_options(optimizer: TorchOptimizer, group: Options) -> Options:
    """Return what may be options of the constructor, by name."""
    attributes = vars(optimizer)
    hidden = {key.removeprefix("_"): value for key, value in attributes.items()}
    known = group | hidden | attributes | dict(optimizer.defaults)
    return {
        key: value
        for key, value in known.items()
        # torch's sentinel of options without a default, in older packages
        if not isinstance(value, TorchOptimizer) and type(value).__name__ != "_RequiredParameter"
    }


def _copy_settings(optimizer: TorchOptimizer, rebuilt: TorchOptimizer) -> None:
    """Set what the class keeps under another name than its argument's."""
    for key, value in vars(optimizer).items():
        if isinstance(value, _SETTINGS) and type(vars(rebuilt).get(key)) is type(value):
            vars(rebuilt)[key] = value
