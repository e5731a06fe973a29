"""Parameter groups as a recipe makes them, and the check that an optimizer still has them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import nn

from ...errors import ParametrizationError
from ..optimizers import KINDS
from ..rules import Role

Group = dict[str, Any]


class Multiples(Protocol):
    """Settings of a tensor as multiples of those given: all that groups need to know of it."""

    @property
    def name(self) -> str:
        """Name of the parameter."""

    @property
    def role(self) -> Role:
        """What the tensor does."""

    @property
    def optimizer(self) -> str:
        """Which of the recipe's optimizers trains it."""

    @property
    def lr(self) -> float:
        """Learning rate."""

    @property
    def weight_decay(self) -> float:
        """Weight decay."""

    @property
    def eps(self) -> float:
        """Epsilon."""


T = TypeVar("T", bound=Multiples)
Pairs = Sequence[tuple[nn.Parameter, Multiples]]


def merge_groups(
    pairs: Pairs, *, lr: float | torch.Tensor, weight_decay: float, eps: float | None
) -> list[Group]:
    """Return groups of a torch optimizer; tensors with equal settings share one.

    Arguments:
        pairs: The parameters with their multiples.
        lr: The learning rate tuned.
        weight_decay: The weight decay that the multiples refer to.
        eps: The epsilon that they refer to; None for optimizers without one, or to leave them
            their default.
    """
    groups: dict[tuple[float, float, float], Group] = {}
    for parameter, tensor in pairs:
        group = groups.setdefault(
            (tensor.lr, tensor.weight_decay, tensor.eps),
            {
                "params": [],
                "name": tensor.role.value,
                "lr": lr * tensor.lr,
                "lr_mult": tensor.lr,
                "weight_decay": weight_decay * tensor.weight_decay,
            }
            | ({} if eps is None else {"eps": eps * tensor.eps}),
        )
        group["params"].append(parameter)
        if tensor.role.value not in group["name"].split("+"):
            group["name"] += f"+{tensor.role.value}"
    return list(groups.values())


def index_groups(optimizers: Iterable[torch.optim.Optimizer]) -> dict[int, Group]:
    """Return the group of every parameter, by the parameter's id.

    Raises:
        ParametrizationError: If a parameter occurs twice.
    """
    groups: dict[int, Group] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in groups:
                    raise ParametrizationError(
                        "verify: got a parameter that occurs twice in the optimizer's groups, "
                        "wanted each once. Build the groups with recipe.param_groups."
                    )
                groups[id(parameter)] = group
    return groups


def require_all(pairs: Pairs, groups: dict[int, Group]) -> None:
    """Check that every parameter that trains has a group.

    Raises:
        ParametrizationError: If one has none.
    """
    trained = [(p, tensor) for p, tensor in pairs if p.requires_grad]
    if missing := [tensor.name for p, tensor in trained if id(p) not in groups]:
        raise ParametrizationError(
            f"verify: got an optimizer without {missing[0]!r} ({len(missing)} of {len(trained)} "
            "tensors missing), wanted every tensor of the model that trains. Build the groups "
            "with recipe.param_groups."
        )


def require_rule_settings(kind: str, group: Group) -> None:
    """Check the settings of Muon and Adafactor that decide which rule they follow.

    Raises:
        ParametrizationError: If they are another variant's.
    """
    if group.get("relative_step") or not group.get("scale_parameter", True):
        raise ParametrizationError(
            f"verify: got Adafactor with relative_step={group['relative_step']} and "
            f"scale_parameter={group['scale_parameter']}, wanted relative_step=False and "
            "scale_parameter=True: else it ignores the learning rates, or its steps do not follow "
            "the size of the weights."
        )
    if "adjust_lr_fn" not in group:
        return
    names = {"muon_keller": ("original", None), "muon_kimi": ("match_rms_adamw",)}.get(kind)
    if names is not None and group["adjust_lr_fn"] not in names:
        raise ParametrizationError(
            f"verify: got Muon with adjust_lr_fn={group['adjust_lr_fn']!r}, wanted "
            f"{names[0]!r}, the shape factor for which {kind!r} was made. Set it, or make the "
            "recipe for the other: muon_keller (original) or muon_kimi (match_rms_adamw)."
        )


def require_kind(kind: str, tensors: Sequence[Multiples]) -> None:
    """Check that tensors are those of one optimizer.

    Raises:
        ParametrizationError: If one is another's.
    """
    if foreign := [tensor.name for tensor in tensors if tensor.optimizer != kind]:
        raise ParametrizationError(
            f"groups: got {foreign[0]!r} in the optimizer {kind!r}, wanted it in another: "
            f"use param_groups(optimizer={kind!r}) for this one."
        )


def require_decay_apart(kind: str, group: Group) -> None:
    """Check that the weight decay of a group does not enter Adam's moments.

    Raises:
        ParametrizationError: If it would.
    """
    weight_decay = float(group.get("weight_decay", 0.0))
    told = group.get("decoupled_weight_decay")  # what torch's Adam, NAdam and RAdam go by
    l2 = KINDS[kind].l2 if told is None else not told
    if l2 and kind != "sgd" and weight_decay:
        raise ParametrizationError(
            f"weight_decay: got {weight_decay:g} for {kind!r}, which adds it to the gradient, "
            "wanted 0: such decay is mixed into the moments and has no width rule (arXiv "
            "2203.03466, B.3). Use 'adamw', or a class whose decay is decoupled with "
            "follows='adamw'."
        )


def require_ratios(key: str, values: Sequence[tuple[Multiples, Group]]) -> None:
    """Check that one setting of all tensors is in the ratios of the recipe's multiples.

    Every value is compared with the first that the recipe does not set to 0.

    Raises:
        ParametrizationError: If a ratio is another.
    """
    multiples = [getattr(t, key) * float(group.get(f"own_{key}", 1.0)) for t, group in values]
    all_zero = not any(float(group[key]) for _, group in values)
    source = "initial_lr" if key == "lr" and all_zero else key
    settings = [float(group[source] if source in group else group[key]) for _, group in values]
    i = next((i for i, multiple in enumerate(multiples) if multiple != 0), 0)
    first, first_value, unit = values[i][0], settings[i], multiples[i] or 1.0
    for (tensor, _), value, multiple in zip(values, settings, multiples, strict=True):
        if not math.isclose(value * unit, first_value * multiple, rel_tol=1e-6):
            raise ParametrizationError(
                f"verify: got {key}={value:g} for {tensor.name!r} beside {first_value:g} for "
                f"{first.name!r}, wanted the ratio {multiple / unit:g}. Build the optimizer "
                "from recipe.param_groups, and use schedulers that multiply (LambdaLR) or call "
                "keep_ratios(optimizer) before making the scheduler."
            )


def scale_groups(
    groups: Iterable[Any],
    pairs: Sequence[tuple[nn.Parameter, T]],
    defaults: Group,
    *,
    decay: Callable[[float, Any], float],
) -> list[tuple[Group, T]]:
    """Return groups split into parts of equal multiples, scaled, each with one of its tensors.

    Epsilons are left to the caller.

    Arguments:
        groups: What a torch optimizer takes.
        pairs: The parameters of the model with their multiples.
        defaults: Settings of the groups that state none.
        decay: Turns a weight decay at a rate into the one that the multiples refer to.

    Raises:
        ParametrizationError: If a parameter is not among the pairs, or a group was scaled before.
    """
    tensors = {id(parameter): tensor for parameter, tensor in pairs}
    return [
        (_scale_group(part, tensor, float(defaults["lr"]), decay), tensor)
        for group in _as_groups(groups)
        for part, tensor in _split(defaults | group, tensors)
    ]


_RATES = ("lr", "initial_lr", "max_lr", "min_lr")  # the latter three: what schedulers leave


def _scale_group(
    part: Group, tensor: Multiples, lr: float, decay: Callable[[float, Any], float]
) -> Group:
    lr_given, decay_given = float(part["lr"]), decay(part["weight_decay"], part["lr"])
    rates = {key: part[key] * tensor.lr for key in _RATES if key in part}
    return part | rates | {
        "lr_mult": lr_given / lr * tensor.lr,
        "weight_decay": decay_given * tensor.weight_decay,
        "own_lr": lr_given,
        "own_weight_decay": decay_given,
    }  # fmt: skip


def _as_groups(groups: Iterable[Any]) -> list[Group]:
    """Return what a torch optimizer takes as groups, each with a list of parameters."""
    entries = list(groups)
    if not all(isinstance(entry, dict) for entry in entries):
        entries = [{"params": entries}]
    return [
        group | {"params": [p] if isinstance(p := group["params"], torch.Tensor) else [*p]}
        for group in entries
    ]


def _split(group: Group, tensors: Mapping[int, T]) -> list[tuple[Group, T]]:
    """Split a group into parts whose tensors have equal multiples, each with one of them."""
    if "lr_mult" in group:
        raise ParametrizationError(
            "scale: got a group that has lr_mult already, wanted groups that no recipe has "
            "scaled: the multiples would apply twice. Give it the groups as they were."
        )
    parts: dict[tuple[str, float, float, float], tuple[Group, T]] = {}
    names = group.get("param_names")
    for i, entry in enumerate(group["params"]):
        tensor = _find_tensor(entry, tensors)
        empty = group | {"params": []} | ({} if names is None else {"param_names": []})
        key = (tensor.optimizer, tensor.lr, tensor.weight_decay, tensor.eps)
        part, _ = parts.setdefault(key, (empty, tensor))
        part["params"].append(entry)
        if names is not None:
            part["param_names"].append(names[i])
    return list(parts.values())


def _find_tensor(entry: Any, tensors: Mapping[int, T]) -> T:
    """Return the multiples of a parameter, or of a (name, parameter) pair."""
    parameter = entry[1] if isinstance(entry, tuple) else entry
    if id(parameter) not in tensors:
        raise ParametrizationError(
            f"scale: got a parameter of shape {tuple(parameter.shape)} that is not in the model, "
            "wanted parameters of the model given. Make the groups from it, after wrapping "
            "(fully_shard) and moving it."
        )
    return tensors[id(parameter)]
