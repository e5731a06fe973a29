"""What was measured of an optimizer beside what its family of rules says.

A family says that the step of a tensor is as its learning rate, as which power of the gradient and
of the weights it goes, and how it depends on the shape; a recipe adds that all tensors alike are
treated alike, and that weight decay takes lr · decay of the weights (of their norm, too, where the
steps follow it).
"""

import inspect
import math
from dataclasses import dataclass
from functools import partial

import torch

from ..optimizers import KINDS
from ..powers import CONSTANT, Fans, Power
from ..rules import FAMILIES, Role, UpdateFamily
from .behaviour import LARGER, RATE_RATIO, SHAPES, Behaviour, DecayShares

_POWERS = 0.1  # how far a measured power may be off; some optimizers settle in their first steps
_NONE = 1e-4  # a share that is none; at first steps that are small, decays are, too
_SHARES = 0.05  # how far the shares that weight decay takes
_SIZES = 1.5  # by which factor a step: small matrices are not yet as large ones
_DECOUPLING = ("decoupled_weight_decay", "weight_decouple", "decouple_wd", "decoupled_decay")


@dataclass(frozen=True)
class Deviation:
    """One thing that an optimizer does otherwise.

    Attributes:
        got: What was measured.
        wanted: What the family says.
        remedy: What to do.
        is_certain: Whether it breaks the recipe; else it depends on what cannot be seen here.
    """

    got: str
    wanted: str
    remedy: str
    is_certain: bool = True

    def __str__(self) -> str:
        """Return it as part of a message."""
        return f"got {self.got}, wanted {self.wanted}. {self.remedy}"


def find_deviations(
    measured: Behaviour,
    kind: str,
    optimizer: torch.optim.Optimizer,
    *,
    rates: tuple[float, ...],
) -> tuple[Deviation, ...]:
    """Return what an optimizer does otherwise than the rule of its kind says.

    Arguments:
        measured: What it does.
        kind: Key of `KINDS`.
        optimizer: The optimizer, for the names of its options.
        rates: What the learning rate tuned may be, the peak of a schedule or the one set now.
    """
    if measured.still > _SHARES:
        return (_tell_still(measured),)
    family = FAMILIES[KINDS[kind].family]
    found = [_tell_rate(measured), _tell_place(measured), _tell_eps(measured)]
    found += _tell_step(measured, kind)
    if measured.decay is not None:
        tell = _tell_relative_decay if family.follows_weights else _tell_decay
        found.append(tell(measured.decay, family, optimizer, rates))
    return tuple(deviation for deviation in found if deviation is not None)


def list_fitting_kinds(measured: Behaviour) -> tuple[str, ...]:
    """Return the kinds whose rules the steps follow, the decay left aside."""
    return tuple(kind for kind in KINDS if not any(_tell_step(measured, kind, hint=False)))


def predict_sizes(family: str) -> Power | None:
    """Return how the size of a step depends on the shape: root mean square of its entries.

    An orthogonal matrix of singular values s has s/√larger. Shampoo's and SOAP's depend on the
    rank of the gradients, too: None.
    """
    if family.startswith("muon"):
        root = Power(fan_in=-0.5, fan_out=0.5, larger=-0.5)  # of a maximal step at rate 1
        return root * FAMILIES[family].lr[Role.HIDDEN] ** -1
    return None if family in {"shampoo", "shampoo_half", "soap"} else CONSTANT


def _tell_still(measured: Behaviour) -> Deviation:
    return Deviation(
        f"weights that move by {measured.still:.2g} of an ordinary step without a gradient, at a "
        "learning rate of almost 0",
        "none",
        "It draws or projects the weights itself (at its first step), so the recipe's initial "
        "values are lost. Use an option or a class that does not.",
    )


def _tell_rate(measured: Behaviour) -> Deviation | None:
    if _is_near(measured.lr_power, 1.0, measured):
        return None
    ignored = abs(measured.lr_power) < _POWERS
    what = (
        "steps as large at a quarter of the learning rate: it ignores the rates of its groups"
        if ignored
        else f"a step that goes as the power {measured.lr_power:.2f} of the learning rate"
    )
    return Deviation(
        what,
        "each group's step proportional to its own rate",
        "The recipe is carried out by the rates of the groups alone: use another optimizer.",
    )


def _tell_place(measured: Behaviour) -> Deviation | None:
    if measured.has_fixed_rank or measured.place_ratio < 1.05:
        return None
    return Deviation(
        f"steps of equal tensors of one group that differ by a factor of {measured.place_ratio:.2f}"
        ", by their place in the group",
        "equal steps",
        "The number of tensors changes with depth and grouping: use an optimizer, or an option, "
        "that treats all tensors of a group alike.",
    )


def _tell_eps(measured: Behaviour) -> Deviation | None:
    if abs(measured.eps_power) < _POWERS:
        return None
    return Deviation(
        f"a step that goes as the power {measured.eps_power:.2f} of eps",
        "none: eps is small beside the gradients, and the recipe scales it like them",
        "Its eps sets the size of the steps: use another optimizer.",
    )


def _tell_step(measured: Behaviour, kind: str, *, hint: bool = True) -> list[Deviation]:
    """Return what is otherwise in the dependence on gradient, weights and shape."""
    family = FAMILIES[KINDS[kind].family]
    remedy = _suggest(measured, kind) if hint else ""
    found = []
    first, later = measured.gradient_power, measured.gradient_power_later
    if not _is_near(first, family.gradient_power, measured) or abs(first - later) > 2 * _POWERS:
        got = f"a step that goes as the power {first:.2f} of the gradient's size"
        if abs(first - later) > 2 * _POWERS:
            got += f" at first and {later:.2f} later"
        found.append(Deviation(got, f"{family.gradient_power:g} ({kind})", remedy))
    weights = 1.0 if family.follows_weights else 0.0
    if not _is_near(measured.weight_power, weights, measured):
        factor = LARGER**measured.weight_power
        got = f"a step {factor:.3g} times as large with weights {LARGER:g} times as large"
        also = (
            "Its trust ratio ends at a fixed norm: lift that limit. "
            * (measured.weight_power > 0.4)
            if family.follows_weights
            else ""
        )
        found.append(Deviation(got, f"{LARGER**weights:g} ({kind})", also + remedy))
    elif not found and (deviation := _tell_sizes(measured, kind, remedy)) is not None:
        found.append(deviation)
    return found


def _tell_sizes(measured: Behaviour, kind: str, remedy: str) -> Deviation | None:
    power = predict_sizes(KINDS[kind].family)
    if power is None:
        return None
    for name, size in measured.sizes.items():
        shape, base = SHAPES[name], SHAPES["square"]
        expected = power.relative(_fans(shape), base=_fans(base))
        if not 1 / _SIZES < size / expected < _SIZES:
            got = f"a step {size:.2f} times as large for a {shape} matrix as for a {base} one"
            if measured.has_fixed_rank:
                return Deviation(
                    f"{got}: its updates have a fixed rank",
                    f"{expected:.2f} ({kind})",
                    "Let the rank grow with the width, from the base width on; then it holds.",
                    is_certain=False,
                )
            return Deviation(got, f"{expected:.2f} ({kind})", remedy)
    return None


def _tell_decay(
    decay: DecayShares,
    family: UpdateFamily,
    optimizer: torch.optim.Optimizer,
    rates: tuple[float, ...],
) -> Deviation | None:
    if decay.remainder > 2 * _SHARES and not family.gradient_power:
        return _tell_coupled(optimizer)
    if max(abs(decay.share), abs(decay.beside)) < _NONE:
        return _tell_no_decay()
    told = _tell_rate_of_decay(decay.share, decay.share_at_quarter)
    if abs(decay.share) > _NONE and told is not None:
        return told
    for other, of in ((decay.beside_larger, "weights"), (decay.beside_steeper, "gradients")):
        if not 1 / 2 < other / (decay.beside or math.inf) < 2:
            return _tell_relative(other / (decay.beside or math.inf), of)
    return _tell_division(decay.share, optimizer, rates)


def _tell_division(
    share: float, optimizer: torch.optim.Optimizer, rates: tuple[float, ...]
) -> Deviation | None:
    """Return whether the decay is divided by another rate than the one tuned."""
    near = partial(math.isclose, rel_tol=_SHARES)
    own = optimizer.defaults.get("lr")
    given = float(own) if isinstance(own, int | float | torch.Tensor) else 0.0
    if near(share, 1.0) or not near(share * given, 1.0) or any(near(given, lr) for lr in rates):
        return None
    return Deviation(
        f"weight decay that is divided by the constructor's learning rate, {given:g}: it takes "
        f"{share:.3g} times lr * weight_decay",
        "it divided by the rate tuned, or by none",
        "Give the constructor that rate, too: "
        f"{type(optimizer).__name__}(groups, lr={max(rates, default=0.0):g}).",
    )


def _tell_rate_of_decay(share: float, share_at_quarter: float) -> Deviation | None:
    if share * share_at_quarter > 0:
        power = 1 + math.log(share / share_at_quarter, RATE_RATIO)
        if abs(power - 1) < _POWERS:
            return None
    else:
        power = math.nan
    what = "independent of" if abs(power) < _POWERS else f"as the power {power:.2f} of"
    return Deviation(
        f"weight decay that is {what} the group's learning rate",
        "lr * weight_decay * W, which the recipe's decays are made for",
        "Choose the option that multiplies it by the rate (fixed_decay=False, or such), or "
        "weight_decay=0.",
    )


def _tell_relative_decay(
    decay: DecayShares,
    family: UpdateFamily,
    optimizer: torch.optim.Optimizer,
    rates: tuple[float, ...],
) -> Deviation | None:
    """Return what is otherwise in a decay that a trust ratio is to multiply."""
    if abs(decay.beside) < _NONE:
        return _tell_coupled(optimizer) if decay.remainder > 2 * _SHARES else _tell_no_decay()
    power = math.log(abs(decay.beside_larger / decay.beside) or 1e-9, LARGER)
    if abs(power - 1) < _POWERS:
        return None
    return Deviation(
        "weight decay outside the trust ratio: it takes lr * weight_decay of the weights, whatever "
        "their norm",
        "it multiplied by the norm like the rest of the step, as the recipe's decays are made for",
        "Use weight_decay=0, or a class whose decay is inside.",
    )


def _tell_relative(factor: float, of: str) -> Deviation:
    return Deviation(
        f"weight decay that takes a share of the weights {factor:.2g} times as large with {of} "
        f"{LARGER:g} times as large",
        "the same share",
        "Use weight_decay=0, or a class that takes lr * weight_decay * W.",
    )


def _tell_no_decay() -> Deviation:
    return Deviation(
        "no weight decay in a step, although the groups have one",
        "lr * weight_decay * W",
        "It may have another name for it, or leave it out: use weight_decay=0, or its option.",
    )


def _tell_coupled(optimizer: torch.optim.Optimizer) -> Deviation:
    known = {*optimizer.defaults, *inspect.signature(type(optimizer).__init__).parameters}
    options = [name for name in _DECOUPLING if name in known]
    option = f" {options[0]}=True," if options else ""
    return Deviation(
        "weight decay that is added to the gradient and so mixed into the moments",
        "it decoupled: there is no width rule for the other (arXiv 2203.03466, B.3)",
        f"Use{option} a class whose decay is decoupled, or weight_decay=0.",
    )


def _suggest(measured: Behaviour, kind: str) -> str:
    fitting = [
        name
        for name in list_fitting_kinds(measured)
        if name != kind and predict_sizes(KINDS[name].family) is not None
    ]
    if not fitting:
        return "No rule is known for such steps: use another optimizer or option."
    return f"Its steps are those of follows={' or '.join(map(repr, fitting))}."


def _is_near(power: float, wanted: float, measured: Behaviour) -> bool:
    # Projections at random differ from tensor to tensor.
    return abs(power - wanted) < (0.3 if measured.has_fixed_rank else _POWERS)


def _fans(shape: tuple[int, int]) -> Fans:
    return Fans(fan_in=shape[1], fan_out=shape[0])
