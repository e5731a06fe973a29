"""Parameter groups as a recipe wants them, and the check that an optimizer still has them."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from ..errors import ParametrizationError
from .optimizers import KINDS
from .rules import Role

Group = dict[str, Any]


class Multiples(Protocol):
    """What groups need to know of a tensor: its settings as multiples of those given."""

    @property
    def name(self) -> str:
        """Name of the parameter."""

    @property
    def role(self) -> Role:
        """What the tensor does."""

    @property
    def lr(self) -> float:
        """Learning rate."""

    @property
    def weight_decay(self) -> float:
        """Weight decay."""

    @property
    def eps(self) -> float:
        """Epsilon."""


Pairs = Sequence[tuple[nn.Parameter, Multiples]]


def merged_groups(
    pairs: Pairs, *, lr: float | torch.Tensor, weight_decay: float, eps: float | None
) -> list[Group]:
    """Return groups of a torch optimizer; tensors with equal settings share one.

    `eps` is None for optimizers without one, or to leave the optimizer's own alone.
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


def groups_by_parameter(optimizers: Iterable[torch.optim.Optimizer]) -> dict[int, Group]:
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


def require_variant(kind: str, group: Group) -> None:
    """Check the setting of torch's Muon that decides which rule it follows.

    Raises:
        ParametrizationError: If it is another variant's.
    """
    if "adjust_lr_fn" not in group:
        return
    wanted = {"muon_keller": ("original", None), "muon_kimi": ("match_rms_adamw",)}.get(kind)
    if wanted is not None and group["adjust_lr_fn"] not in wanted:
        raise ParametrizationError(
            f"verify: got Muon with adjust_lr_fn={group['adjust_lr_fn']!r}, wanted "
            f"{wanted[0]!r}, the shape factor for which {kind!r} was made. Set it, or make the "
            "recipe for the other: muon_keller (original) or muon_kimi (match_rms_adamw)."
        )


def require_decay_apart(kind: str, weight_decay: float) -> None:
    """Check that weight decay does not enter Adam's moments.

    Raises:
        ParametrizationError: If it would.
    """
    if KINDS[kind].l2 and kind != "sgd" and weight_decay:
        raise ParametrizationError(
            f"weight_decay: got {weight_decay:g} for {kind!r}, which adds it to the gradient, "
            "wanted 0: such decay is mixed into the moments and has no width rule (arXiv "
            "2203.03466, B.3). Use 'adamw', or a class whose decay is decoupled with "
            "follows='adamw'."
        )


def require_ratios(key: str, values: Sequence[tuple[Multiples, float]]) -> None:
    """Check the values of one setting against the recipe's multiples, relative to a nonzero one.

    Raises:
        ParametrizationError: If a value is not in the ratio wanted.
    """
    multiples = [float(getattr(tensor, key)) for tensor, _ in values]
    i = next((i for i, multiple in enumerate(multiples) if multiple != 0), 0)
    (first, first_value), unit = values[i], multiples[i] or 1.0
    for (tensor, value), multiple in zip(values, multiples, strict=True):
        if not math.isclose(value * unit, first_value * multiple, rel_tol=1e-6):
            raise ParametrizationError(
                f"verify: got {key}={value:g} for {tensor.name!r} beside {first_value:g} for "
                f"{first.name!r}, wanted the ratio {multiple / unit:g}. Build the optimizer "
                "from recipe.param_groups, and use schedulers that multiply (LambdaLR)."
            )
