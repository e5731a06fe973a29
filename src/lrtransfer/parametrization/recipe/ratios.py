"""Learning-rate schedules that set every group to one value, made to respect the recipe's ratios.

A schedule that multiplies (LambdaLR) keeps the ratios between groups. One with an end point in
absolute units (`eta_min`, `max_lr`, `min_lr`) leads every group to it, whatever its multiplier.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils.hooks import RemovableHandle

from ...errors import ParametrizationError
from ..optimizers import unwrap_optimizer


def keep_ratios(optimizer: torch.optim.Optimizer) -> RemovableHandle:
    r"""Let one group follow the schedule and all others follow it at their multiples.

    .. math:: \eta_g = m_g \, \eta, \qquad m_g = \text{lr\_mult}

    The rate :math:`\eta` is that of a group with multiplier 1, which the scheduler drives as it
    would drive a plain optimizer; the others are set at every step of the optimizer, before it.
    So every scheduler works with the numbers of the rate tuned, and so does code that assigns
    one rate to all groups. Between a step of the scheduler and the next of the optimizer the
    others' rates are the scheduler's own, also in `get_last_lr`.

    Where no group has multiplier 1, one without parameters is added. The call belongs to the
    construction of the optimizer: before the scheduler's, and again after a copy or in a new
    process (hooks are part of neither state dicts nor copies).

    Arguments:
        optimizer: An optimizer of groups that carry `lr_mult`, as `param_groups` and `scale`
            return them.

    Returns:
        A handle whose `remove()` ends it.

    Raises:
        ParametrizationError: If a group has no `lr_mult`, or no group has a multiplier to infer
            the rate from.

    Example:
        >>> recipe = parametrize(lambda n: nn.Linear(n, 2), width=64, base_width=16)
        >>> groups = recipe.param_groups(nn.Linear(64, 2), lr=0.1, weight_decay=0, eps=1e-8)
        >>> optimizer = torch.optim.AdamW(groups)
        >>> handle = keep_ratios(optimizer)
        >>> for group in optimizer.param_groups:
        ...     group["lr"] = 0.2
        >>> optimizer.step()
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.05, 0.2]
    """
    optimizer = unwrap_optimizer(optimizer)
    if any("lr_mult" not in group for group in optimizer.param_groups):
        raise ParametrizationError(
            "keep_ratios: got a group without lr_mult, wanted groups that know their multiplier. "
            "Build them with recipe.param_groups or recipe.scale."
        )
    if _reference(optimizer) is None:
        _add_reference(optimizer)
    return optimizer.register_step_pre_hook(_Keeper())


def follow_reference(optimizer: torch.optim.Optimizer) -> list[dict[str, Any]]:
    """Return the groups with the rates of the next step, where `keep_ratios` will set them.

    Where that of the reference is 0, the rates are their multiples of 1. Without the call, or
    where a rate was changed alone, by no scheduler, the groups are returned as they are.
    """
    groups, reference = optimizer.param_groups, _reference(optimizer)
    hooks = optimizer._optimizer_step_pre_hooks.values()
    keeper = next((hook for hook in hooks if isinstance(hook, _Keeper)), None)
    if keeper is None or reference is None or keeper.finds_one_overwritten(groups):
        return groups
    lr = float(reference["lr"]) or 1.0
    return [group | {"lr": lr * group["lr_mult"]} for group in groups]


def _reference(optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    return next((group for group in optimizer.param_groups if group.get("lr_mult") == 1), None)


def _add_reference(optimizer: torch.optim.Optimizer) -> None:
    group = next((group for group in optimizer.param_groups if group["lr_mult"] != 0), None)
    if group is None:
        raise ParametrizationError(
            "keep_ratios: got groups whose lr_mult are all 0, wanted one that trains."
        )
    lr = group["lr"] / group["lr_mult"]
    # With the options of the other: some optimizers want them in every group.
    own = {"params": [], "name": "reference", "lr": lr, "lr_mult": 1.0}
    optimizer.add_param_group({k: v for k, v in group.items() if k != "param_names"} | own)


@dataclass
class _Keeper:
    """The hook; it remembers the rates that it set last, those of groups without a tensor."""

    rates: list[float] = field(default_factory=list)

    def __call__(self, optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        reference = _reference(optimizer)
        if reference is None:
            raise ParametrizationError(
                "keep_ratios: got no group with lr_mult 1, wanted the one whose rate the others "
                "follow. A state dict of other groups was loaded: make the optimizer, call "
                "keep_ratios, then load."
            )
        for group in optimizer.param_groups:
            lr = reference["lr"] * group["lr_mult"]
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].copy_(torch.as_tensor(lr))  # compiled steps hold on to the tensor
            else:
                group["lr"] = float(lr)
        self.rates = [g["lr"] for g in optimizer.param_groups if isinstance(g["lr"], float)]

    def finds_one_overwritten(self, groups: list[dict[str, Any]]) -> bool:
        """Whether some rates changed since, while that of the reference and another did not.

        A scheduler changes them all.
        """
        if len(self.rates) != len(groups):
            return False
        kept = [(g["lr_mult"], g["lr"] == r) for g, r in zip(groups, self.rates, strict=True)]
        reference = next(is_kept for multiple, is_kept in kept if multiple == 1)
        others = [is_kept for multiple, is_kept in kept if multiple != 1]
        return reference and any(others) and not all(is_kept for _, is_kept in kept)
