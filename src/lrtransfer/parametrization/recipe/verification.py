"""The check that optimizers train every tensor once, as the recipe's families and ratios say."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ...errors import ParametrizationError
from ..optimizers import KINDS, Optimizer, find_l2, is_known, list_ancestors, require_class
from ..rules import FAMILIES, Role
from ..trial.behaviour import Case, Untried, measure_behaviour
from ..trial.promises import find_deviations
from .groups import (
    Group,
    index_groups,
    require_all,
    require_decay_apart,
    require_kind,
    require_ratios,
    require_rule_settings,
)
from .ratios import follow_reference
from .tensor import TensorRecipe

_Pairs = Sequence[tuple[nn.Parameter, TensorRecipe]]
_Trained = list[tuple[TensorRecipe, Group]]  # tensors with the group that trains each

# What a trial sets itself, and what a recipe or a scheduler writes into groups besides: no options
# of the optimizer, unless it has some of that name.
_TRIED = frozenset({"params", "lr", "weight_decay"})
_WRITTEN = _TRIED | {
    "param_names", "lr_mult", "own_lr", "own_weight_decay", "own_eps", "initial_lr", "max_lr",
    "min_lr", "max_momentum", "base_momentum",
}  # fmt: skip
_ROLES = frozenset(role.value for role in Role)


def verify_optimizers(
    pairs: _Pairs,
    optimizers: Sequence[torch.optim.Optimizer],
    *,
    rules: Mapping[str, Optimizer],
    test: bool | None,
) -> None:
    """Check that optimizers train every tensor once, as their rules and the recipe's ratios say.

    Arguments:
        pairs: The parameters of a model with their recipes.
        optimizers: The optimizers, without wrappers.
        rules: The rule of each optimizer that the recipe names, by its kind.
        test: Whether copies are tried; None for classes that are not known.

    Raises:
        ParametrizationError: If something is otherwise.
    """
    if len(optimizers) != len(rules) and not any(_holds_all(o, rules) for o in optimizers):
        raise ParametrizationError(
            f"verify: got {len(optimizers)} optimizers, wanted {len(rules)}: {', '.join(rules)}."
        )
    require_all(pairs, index_groups(optimizers))
    for optimizer in optimizers:
        for kind, trained in _split_by_kind(optimizer, pairs, rules).items():
            _verify_settings(kind, optimizer, trained)
            if test or (test is None and not is_known(optimizer)):
                _try_copies(kind, optimizer, trained, required=test is True)


def _holds_all(optimizer: torch.optim.Optimizer, rules: Mapping[str, Optimizer]) -> bool:
    """Whether a class of the user's trains the tensors of a matrix optimizer and the rest."""
    return any(rule.class_name in list_ancestors(optimizer) for rule in rules.values())


def _split_by_kind(
    optimizer: torch.optim.Optimizer, pairs: _Pairs, rules: Mapping[str, Optimizer]
) -> dict[str, _Trained]:
    """Return the tensors of an optimizer by the rule that they follow, with their groups."""
    tensors = {id(parameter): tensor for parameter, tensor in pairs}
    parts: dict[str, _Trained] = {}
    for group in follow_reference(optimizer):
        for parameter in group["params"]:
            if tensor := tensors.get(id(parameter)):
                parts.setdefault(tensor.optimizer, []).append((tensor, group))
    parts = parts or {next(iter(rules)): []}
    if not _holds_all(optimizer, rules):
        kind = next(iter(parts))
        require_class(rules[kind], optimizer)
        require_kind(kind, [tensor for part in parts.values() for tensor, _ in part])
    return parts


def _verify_settings(kind: str, optimizer: torch.optim.Optimizer, trained: _Trained) -> None:
    own_kind = find_l2(optimizer) or kind
    for _, group in trained:
        require_rule_settings(kind, group)
        if not group.get("decoupled_weight_decay"):
            require_decay_apart(own_kind, group)
    has_eps = FAMILIES[KINDS[kind].family].has_eps
    for key in ("lr", "weight_decay") + (("eps",) if has_eps else ()):
        require_ratios(key, [(t, group) for t, group in trained if key in group])


def _try_copies(
    kind: str, optimizer: torch.optim.Optimizer, trained: _Trained, *, required: bool
) -> None:
    """Check what copies of an optimizer do beside the rule, for each set of options of its groups.

    Raises:
        ParametrizationError: If they do otherwise, or no copy can be tried though it is required.
    """
    name = type(optimizer).__name__
    for case, rates in _list_cases(optimizer, trained):
        measured = measure_behaviour(case)
        if isinstance(measured, Untried):
            if required or measured.wants_equal_rates or not measured.will_show:
                _tell_untried(name, measured, required=required)
            continue
        found = find_deviations(measured, kind, optimizer, rates=rates)
        head = f"verify: tried copies of {name} as {kind!r}: "
        if certain := [str(deviation) for deviation in found if deviation.is_certain]:
            raise ParametrizationError(
                head + " Also: ".join(certain) + " (test=False leaves the trial out.)"
            )
        for deviation in found:
            warnings.warn(f"{head}{deviation}", stacklevel=5)


def _tell_untried(name: str, untried: Untried, *, required: bool) -> None:
    if untried.wants_equal_rates:
        raise ParametrizationError(
            f"verify: got {name}, which raises an error where groups have unequal learning rates "
            f"({untried.reason}), wanted one that takes the rates of the recipe. Use another "
            "optimizer: the recipe is carried out by these rates alone."
        )
    message = (
        f"verify: got {name}, of which no copy could be tried ({untried.reason}), wanted to "
        "measure whether its steps follow the recipe. Compare them by hand, as "
        "docs/reference/optimizers.md says, and pass test=False."
    )
    if required:
        raise ParametrizationError(message)
    warnings.warn(message, stacklevel=6)


def _list_cases(
    optimizer: torch.optim.Optimizer, trained: _Trained
) -> list[tuple[Case, tuple[float, ...]]]:
    """Return one case for each set of options, with the rates that the one tuned may be."""
    by_options: dict[str, _Trained] = {}
    for tensor, group in trained:
        own = sorted(_select_options(optimizer, group).items())
        key = repr([(name, value) for name, value in own if name not in {"name", "eps"}])
        by_options.setdefault(key, []).append((tensor, group))
    return [_make_case(optimizer, part) for part in by_options.values()]


def _make_case(
    optimizer: torch.optim.Optimizer, trained: _Trained
) -> tuple[Case, tuple[float, ...]]:
    group = trained[0][1]
    rates = [
        float(group[key]) / multiple
        for tensor, group in trained
        for key in ("lr", "initial_lr", "max_lr")
        if (key == "lr" or (key in group and key not in optimizer.defaults))
        and (multiple := group.get("lr_mult", tensor.lr))
    ]
    sides = [min(tensor.shape) for tensor, _ in trained if len(tensor.shape) == 2]
    return Case(
        optimizer,
        _select_options(optimizer, group),
        lr=max(rates, default=0.0),
        decays=any(float(group.get("weight_decay", 0.0)) for _, group in trained),
        side=max(sides, default=0),
        device=next((p.device for p in group["params"]), torch.device("cpu")),
    ), tuple(rates)


def _select_options(optimizer: torch.optim.Optimizer, group: Group) -> Group:
    """Return the optimizer's own options of a group."""
    written = _WRITTEN - (set(optimizer.defaults) - _TRIED)
    if set(str(group.get("name")).split("+")) <= _ROLES:
        written |= {"name"}
    return {key: value for key, value in group.items() if key not in written}
