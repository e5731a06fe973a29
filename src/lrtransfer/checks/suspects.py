r"""The likely causes of what is out of order, the likeliest first.

The reasoning goes up the model. What is wrong at step 0 is wrong with an initialisation or with the
forward pass, and it disturbs everything measured later, so that it comes first. Otherwise the
effect of tensor k scales with width as

.. math:: e_k = \ell_k + (1 + \kappa)\, s_k

with :math:`\ell_k` the exponent by which its learning rate is wrong, :math:`s_k` that by which the
gradient reaching it is too large, and κ the degree of the optimizer's step in the gradient. s is
known from the readout: its standard deviation ought to fall as 1/n, any factor on the output
included. What is left is :math:`\ell_k`, to the nearest step that a wrong rule makes; together with
the settings of the optimizer it says which rule went wrong.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..parametrization.rules import Role
from .findings import Finding, head_grows, heads_grow
from .growth import exponent, grows
from .quantities import OUTPUT, ModelMeasurements, Quantity

# Below this an exponent of a setting (a rate, a standard deviation) counts as zero.
_CONSTANT = 0.1


@dataclass(frozen=True)
class Suspect:
    """Name a likely cause.

    Attributes:
        name: The tensor, layer or attention; or the role that a group of tensors shares.
        cause: What is probably wrong with it.
        evidence: The exponents that say so.
    """

    name: str
    cause: str
    evidence: str


@dataclass(frozen=True)
class Clues:
    """Hold what the causes are inferred from.

    Attributes:
        findings: The judged exponents, in the order of the model.
        runs: One run of each width.
        degree: Degree of the optimizer's step in the gradient.
        roles: Role of each tensor.
    """

    findings: Sequence[Finding]
    runs: Mapping[int, ModelMeasurements]
    degree: float
    roles: Mapping[str, Role]

    @cached_property
    def narrowest(self) -> ModelMeasurements:
        """The run at the smallest width."""
        return next(iter(self.runs.values()))

    def of(self, quantity: Quantity, *, at_start: bool = False) -> dict[str, Finding]:
        """Return the findings of one quantity, at step 0 or later, that have an exponent."""
        return {
            f.name: f
            for f in self.findings
            if f.quantity == quantity and (f.step == 0) == at_start and f.slope is not None
        }

    @cached_property
    def readout(self) -> str | None:
        """The last layer that contracts the width and does not produce it."""
        widths = list(self.runs)
        layers = [
            layer
            for layer in self.narrowest.layers
            if not grows(widths, [run.outputs[layer] for run in self.runs.values()])
            and self.matrix(layer) is not None
        ]
        return layers[-1] if layers else None

    def matrix(self, layer: str) -> str | None:
        """Return the tensor of a layer that grows most with width; None if none grows."""
        growth = {name: self.growth(name) for name in self.narrowest.layers[layer]}
        largest = max(growth, key=growth.__getitem__, default=None)
        return largest if largest is not None and growth[largest] > _CONSTANT else None

    def growth(self, tensor: str) -> float:
        """Return the exponent of a tensor's number of entries."""
        return self._exponent([run.tensors[tensor].entries for run in self.runs.values()])

    def std(self, tensor: str) -> float | None:
        """Return the exponent of a tensor's initial standard deviation; None from zero."""
        values = [run.tensors[tensor].std for run in self.runs.values()]
        return self._exponent(values) if min(values) > 0 else None

    def rate(self, tensor: str) -> float:
        """Return the exponent of a tensor's learning rate."""
        values = [run.tensors[tensor].lr for run in self.runs.values()]
        return self._exponent(values) if min(values) > 0 else 0.0

    @cached_property
    def factor(self) -> float:
        """The exponent of what the model does to its readout's output."""
        if self.readout is None:
            return 0.0
        before = [run.bare[self.readout] for run in self.runs.values()]
        after = [run.bare[OUTPUT] for run in self.runs.values()]
        if min(before) > 0 and min(after) > 0:
            # Of the same numbers: exact but for a bias.
            return self._exponent([b / a for a, b in zip(before, after, strict=True)])
        return 0.0

    def _exponent(self, values: Sequence[float]) -> float:
        return exponent(list(self.runs), values)


def suspects(clues: Clues) -> tuple[Suspect, ...]:
    """Return the likely causes, the likeliest first."""
    initial = tuple(_initialisation(clues)) or tuple(_attention_start(clues))
    if initial:
        return initial
    found = (*_readout_start(clues), *_rates(clues))
    return _whole_recipe(clues, found) or found or tuple(_attention_change(clues))


def _initialisation(clues: Clues) -> Iterator[Suspect]:
    """Yield the first layer whose activations do not start at the same size at every width."""
    for layer, finding in clues.of("initial", at_start=True).items():
        tensor = clues.matrix(layer)
        if tensor and layer != clues.readout and _is_outside(finding):
            yield Suspect(tensor, _initial_cause(clues, tensor), _measured(finding))
            return


def _is_outside(finding: Finding) -> bool:
    """Return whether the exponent itself, if not its interval, lies outside the band."""
    slope = finding.slope or 0.0
    return finding.ok is not True and finding.band.excludes(slope, slope)


def _initial_cause(clues: Clues, tensor: str) -> str:
    std = clues.std(tensor)
    known = "" if std is None else f" (its standard deviation scales as {_power(std)})"
    match clues.roles[tensor]:
        case Role.HIDDEN if std is not None and std > -0.25:
            return f"hidden init is not scaled down with width{known}, wanted n^-1/2"
        case Role.HIDDEN:
            return f"hidden init shrinks too fast, as a readout's would{known}, wanted n^-1/2"
        case _:
            return f"input init depends on width{known}, wanted a constant one"


def _attention_start(clues: Clues) -> Iterator[Suspect]:
    for name, finding in clues.of("scores", at_start=True).items():
        if finding.ok is False:
            yield _attention_scale(clues, name, finding)
            return


def _attention_change(clues: Clues) -> Iterator[Suspect]:
    for name, finding in clues.of("scores").items():
        if finding.ok is False:
            yield _attention_scale(clues, name, finding)
            return


def _attention_scale(clues: Clues, name: str, finding: Finding) -> Suspect:
    widths = [run.head_widths.get(name) for run in clues.runs.values()]
    growing = f" while the head width grows ({widths})" if head_grows(clues.runs, name) else ""
    return Suspect(
        name,
        f"attention scale: scores do not shrink as they should{growing}; scale by 1/d, or by "
        "sqrt(d0/d) relative to the base head width, instead of 1/sqrt(d)",
        _measured(finding),
    )


def _readout_start(clues: Clues) -> Iterator[Suspect]:
    """Yield the readout's initialisation, or the factor on the output, if it is off."""
    excess = _round(_start_excess(clues), 0.5)
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor or excess == 0:
        return
    logits = clues.of("output", at_start=True).get(OUTPUT)
    shown = f"; {_measured(logits)}" if logits else ""
    effects = f"effects of the tensors below are off by {_power((1 + clues.degree) * excess)}"
    if excess > 0:
        std = clues.std(tensor)
        cause = (
            f"readout init is too large (its standard deviation scales as {_power(std or 0.0)}), "
            "wanted n^-1 or zero"
        )
    else:
        cause = (
            f"the output is scaled down twice: a factor {_power(clues.factor)} in the forward "
            "pass on top of a readout that is scaled already"
        )
    yield Suspect(tensor, cause, effects + shown)


def _start_excess(clues: Clues) -> float:
    """Return the exponent by which the readout, with what follows, is too large from the start."""
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor:
        return 0.0
    std = clues.std(tensor)
    return _late_factor(clues, tensor) if std is None else std + 1 + clues.factor


def _late_factor(clues: Clues, tensor: str) -> float:
    """Return the factor on the output of a readout that starts from zero.

    Its effect has the factor once more than its update.
    """
    effects, updates = clues.of("effect"), clues.of("update")
    update = next((f for name, f in updates.items() if name.startswith(f"{clues.readout}.")), None)
    if tensor not in effects or update is None:
        return 0.0
    difference = (effects[tensor].slope or 0.0) - (update.slope or 0.0)
    return min(_round(difference, 1.0), 0.0)


def _rates(clues: Clues) -> Iterator[Suspect]:
    """Yield the tensors whose learning rate has a wrong exponent, by role where they share it."""
    wrong = {name: value for name, value in _rate_excess(clues).items() if value != 0}
    excess = _rate_excess(clues)
    for role in Role:
        members = [name for name in excess if clues.roles[name] is role]
        off = [name for name in members if name in wrong]
        if len(off) > 1 and len({wrong[name] for name in off}) == 1 and len(off) == len(members):
            yield _rate_suspect(clues, f"all {role.value} tensors", off, wrong[off[0]])
        else:
            for name in off:
                yield _rate_suspect(clues, name, [name], wrong[name])


def _rate_excess(clues: Clues) -> dict[str, float]:
    """Return the exponent by which each tensor's learning rate is wrong."""
    start = _start_excess(clues)
    own = clues.narrowest.layers[clues.readout] if clues.readout else ()
    effects = clues.of("effect")
    below, at_readout = _round(start, 0.5), min(_round(start, 0.5), 0.0)
    late = _late_gradient(clues, effects, own, at_readout)
    excess = {}
    for name, finding in effects.items():
        shift = at_readout if name in own else below + late
        value = (finding.slope or 0.0) - (1 + clues.degree) * shift
        fine = finding.ok and shift == 0
        excess[name] = 0.0 if fine else _nearest(clues, clues.roles[name], value)
    return excess


def _nearest(clues: Clues, role: Role, value: float) -> float:
    """Return the exponent that a wrong rule may have, nearest to the one measured."""
    if role is Role.HIDDEN and heads_grow(clues.runs):
        # Queries and keys may lie 1/2 (SGD: 1) lower than others, for no fault of theirs.
        return float(math.ceil(value - 0.25 - 0.5 * clues.degree))
    return _round(value, 0.5 if clues.degree < 0.5 else 1.0)


def _late_gradient(
    clues: Clues, effects: Mapping[str, Finding], own: Sequence[str], factor: float
) -> float:
    """Return by how much a readout that starts from zero is too large after its first step."""
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor or clues.std(tensor) is not None or tensor not in effects:
        return 0.0
    return _round((effects[tensor].slope or 0.0) - (1 + clues.degree) * factor, 1.0)


def _rate_suspect(clues: Clues, name: str, tensors: Sequence[str], excess: float) -> Suspect:
    effects = clues.of("effect")
    slope = statistics.median(effects[t].slope or 0.0 for t in tensors)
    rate = statistics.median(clues.rate(t) for t in tensors)
    role = clues.roles[tensors[0]].value
    return Suspect(
        name,
        f"{role} learning rate scales as {_power(rate)}, wanted {_power(rate - excess)}",
        f"effect on the loss scales as {_power(slope)}, expected {_power(0.0)}",
    )


def _whole_recipe(clues: Clues, parts: Sequence[Suspect]) -> tuple[Suspect, ...]:
    """Return the one mistake that explains several wrong rates, followed by its parts."""
    excess = _rate_excess(clues)
    wrong = {name: value for name, value in excess.items() if value != 0}
    cause = _common_cause(clues, excess, wrong) if wrong else None
    if cause is None:
        return ()
    return (Suspect("optimizer", cause, "; ".join(part.evidence for part in parts)), *parts)


def _common_cause(
    clues: Clues, excess: Mapping[str, float], wrong: Mapping[str, float]
) -> str | None:
    rates = {name: clues.rate(name) for name in excess}
    roles = {clues.roles[name] for name in wrong}
    if all(abs(rate) < _CONSTANT for rate in rates.values()):
        if _round(_start_excess(clues), 0.5) > 0:
            return (
                "nothing is scaled with width, neither initialisation nor learning rates: the base "
                "width equals the width, or the parametrization was never applied"
            )
        if len(roles) > 1:
            return (
                "all tensors share one learning rate: a plain optimizer, or groups that were "
                "overwritten"
            )
        return None
    if len(roles) > 1 and all(abs(rates[n] - wrong[n] / 2) < _CONSTANT for n in wrong):
        return "learning-rate multipliers are inverted: multiplied where they ought to divide"
    if len(set(wrong.values())) == 1 and _is_all_but_readout(clues, excess, wrong):
        used, wanted = ("SGD", "Adam") if clues.degree < 0.5 else ("Adam", "SGD")
        return f"the learning rates follow the rule of {used}, but the optimizer steps as {wanted}"
    return None


def _is_all_but_readout(
    clues: Clues, excess: Mapping[str, float], wrong: Mapping[str, float]
) -> bool:
    others = {n for n in excess if clues.roles[n] not in {Role.OUTPUT, Role.SCALAR}}
    return set(wrong) == others and len({clues.roles[n] for n in others}) > 1


def _round(value: float, step: float) -> float:
    return round(value / step) * step


def _power(value: float) -> str:
    rounded = round(value, 1)
    return "a constant" if rounded == 0 else f"n^{rounded:+.1f}"


def _measured(finding: Finding) -> str:
    bounds = "" if finding.low is None else f" (90 %: {finding.low:+.2f} … {finding.high:+.2f})"
    return (
        f"{finding.quantity} of {finding.name} at step {finding.step} scales as "
        f"n^{finding.slope:+.2f}{bounds}, expected n^{finding.expected:+.1f}"
    )
