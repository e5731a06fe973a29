r"""The likely causes of a failed check, the likeliest first.

The reasoning follows the forward pass. A deviation at step 0 is caused by an initialisation or by
the forward pass, and disturbs everything measured later, so that it is reported first. Otherwise
the exponent with which the effect of tensor k scales with width is

.. math:: e_k = \ell_k + (1 + \kappa)\, s_k

with :math:`\ell_k` the exponent of the error of its learning rate, :math:`s_k` that of the excess
of the gradient reaching it, and κ the degree of the optimizer's step in the gradient. s follows
from the readout, whose standard deviation, times any factor on the output, ought to fall as 1/n.
The rest is :math:`\ell_k`, rounded to the nearest exponent that a wrong rule can cause; together
with the settings of the optimizer it tells which rule is wrong.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..parametrization.rules import Role
from .findings import Finding, head_grows, heads_grow, starts_aligned, unaligned_deficit
from .growth import fit_exponent, grows
from .quantities import OUTPUT, ModelMeasurements, Quantity

# Exponents of settings (a learning rate, a standard deviation) below this count as zero.
_CONSTANT = 0.1


@dataclass(frozen=True)
class Suspect:
    """A likely cause of a failed check.

    Attributes:
        name: Tensor, layer or attention; or the role that a group of tensors shares.
        cause: What is probably wrong with it.
        evidence: The exponents that point to it.
    """

    name: str
    cause: str
    evidence: str


@dataclass(frozen=True)
class Clues:
    """The measurements and roles from which causes are inferred.

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
        """Return the findings of one quantity that have an exponent, at step 0 or after it."""
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
        """Return the exponent of a tensor's initial standard deviation; None if it is zero."""
        values = [run.tensors[tensor].std for run in self.runs.values()]
        return self._exponent(values) if _all_positive(values) else None

    def rate(self, tensor: str) -> float:
        """Return the exponent of a tensor's learning rate."""
        values = [run.tensors[tensor].lr for run in self.runs.values()]
        return self._exponent(values) if min(values) > 0 else 0.0

    @cached_property
    def factor(self) -> float:
        """The exponent of the factor between the readout's output and the model's."""
        if self.readout is None:
            return 0.0
        before = [run.bare[self.readout] for run in self.runs.values()]
        after = [run.bare[OUTPUT] for run in self.runs.values()]
        if _all_positive(before) and _all_positive(after):
            # Ratios of the same entries, hence exact apart from a bias.
            return self._exponent([b / a for a, b in zip(before, after, strict=True)])
        return 0.0

    def _exponent(self, values: Sequence[float]) -> float:
        return fit_exponent(list(self.runs), values)


def _all_positive(values: Sequence[float]) -> bool:
    return all(0 < value < math.inf for value in values)


def find_suspects(clues: Clues) -> tuple[Suspect, ...]:
    """Return the likely causes of a failure, the likeliest first.

    Arguments:
        clues: Measurements of the failed check.
    """
    initial = tuple(_initialisation(clues)) or tuple(_attention_start(clues))
    if initial:
        return initial
    parts = (*_readout_start(clues), *_rates(clues))
    return _whole_recipe(clues, parts) or parts or tuple(_attention_change(clues))


def _initialisation(clues: Clues) -> Iterator[Suspect]:
    """Yield the first layer whose initial activations change in size with width."""
    for layer, finding in clues.of("initial", at_start=True).items():
        tensor = clues.matrix(layer)
        if tensor and layer != clues.readout and _is_outside(finding):
            cause = _initial_cause(clues, tensor, finding.slope or 0.0)
            yield Suspect(tensor, cause, _describe(finding))
            return


def _is_outside(finding: Finding) -> bool:
    """Return whether the exponent lies outside the band, although its interval may not."""
    slope = finding.slope or 0.0
    return finding.ok is not True and finding.band.excludes(slope, slope)


def _initial_cause(clues: Clues, tensor: str, slope: float) -> str:
    std = clues.std(tensor)
    role = clues.roles[tensor]
    wanted = -0.5 if role is Role.HIDDEN else 0.0
    if std is not None and abs(std - wanted) < abs(slope) / 2:
        return (
            f"its initial values are right (their standard deviation scales as {_format(std)}), "
            f"but the layer's output scales as {_format(slope)}: a factor in the forward pass "
            "depends on width, or a layer of fixed size stands before it"
        )
    scaling = "" if std is None else f" (its standard deviation scales as {_format(std)})"
    match role:
        case Role.HIDDEN if std is not None and std > -0.25:
            return f"hidden init is not scaled down with width{scaling}, wanted n^-1/2"
        case Role.HIDDEN:
            return f"hidden init shrinks too fast, as a readout's would{scaling}, wanted n^-1/2"
        case _:
            return f"input init depends on width{scaling}, wanted a constant one"


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
        _describe(finding),
    )


def _readout_start(clues: Clues) -> Iterator[Suspect]:
    """Yield the readout's initialisation, or the factor on the output, if it is wrong."""
    excess = _round_to(_start_excess(clues), 0.5)
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor or excess == 0:
        return
    logits = clues.of("output", at_start=True).get(OUTPUT)
    logits_text = f"; {_describe(logits)}" if logits else ""
    effects = f"effects of the tensors below are off by {_format((1 + clues.degree) * excess)}"
    if excess > 0:
        std = clues.std(tensor)
        cause = (
            f"readout init is too large (its standard deviation scales as {_format(std or 0.0)}), "
            "wanted n^-1 or zero"
        )
    else:
        cause = (
            f"the output is scaled down twice: a factor {_format(clues.factor)} in the forward "
            "pass on top of a readout that is scaled already"
        )
    yield Suspect(tensor, cause, effects + logits_text)


def _start_excess(clues: Clues) -> float:
    """Return the exponent of the initial excess of the readout and the factor after it."""
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor:
        return 0.0
    std = clues.std(tensor)
    return _late_factor(clues, tensor) if std is None else std + 1 + clues.factor


def _late_factor(clues: Clues, tensor: str) -> float:
    """Return the exponent of the factor on the output of a readout that starts from zero.

    The effect of the readout contains this factor once more than its update.
    """
    effects, updates = clues.of("effect"), clues.of("update")
    update = next((f for name, f in updates.items() if name.startswith(f"{clues.readout}.")), None)
    if tensor not in effects or update is None:
        return 0.0
    difference = (effects[tensor].slope or 0.0) - (update.slope or 0.0)
    return min(_round_to(difference, 1.0), 0.0)


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
    """Return the exponent of the error of each tensor's learning rate."""
    start = _start_excess(clues)
    readout = clues.narrowest.layers[clues.readout] if clues.readout else ()
    effects = clues.of("effect")
    below, at_readout = _round_to(start, 0.5), min(_round_to(start, 0.5), 0.0)
    late = _late_gradient(clues, effects, at_readout)
    excess = {}
    for name, finding in effects.items():
        shift = at_readout if name in readout else below + late
        value = (finding.slope or 0.0) - (1 + clues.degree) * shift
        is_right = finding.ok and shift == 0 and starts_aligned(name, clues.runs)
        excess[name] = 0.0 if is_right else _nearest(clues, name, value)
    return excess


def _nearest(clues: Clues, tensor: str, value: float) -> float:
    """Return the exponent nearest to the measured one among those that a wrong rule can cause."""
    if not starts_aligned(tensor, clues.runs):
        return _nearest_unaligned(clues, tensor, value)
    if clues.roles[tensor] is Role.HIDDEN and heads_grow(clues.runs):
        # Correct queries and keys may lie 1/2 (SGD: 1) lower than other tensors.
        return float(math.ceil(value - 0.25 - 0.5 * clues.degree))
    return _round_to(value, 0.5 if clues.degree < 0.5 else 1.0)


def _nearest_unaligned(clues: Clues, tensor: str, value: float) -> float:
    update = clues.of("update").get(tensor)
    if clues.degree < 0.5 and update is not None:
        return _round_to(update.slope or 0.0, 0.5)  # its size is the rate, whatever the gradient
    # A right effect lies anywhere between those before and after alignment.
    deficit = unaligned_deficit(clues.degree)
    beyond = value - min(max(value, -deficit), 0.0)
    return math.copysign(max(0, math.ceil(abs(beyond) - deficit / 2)), beyond)


def _late_gradient(clues: Clues, effects: Mapping[str, Finding], factor: float) -> float:
    """Return the exponent of the excess after step 1 of a readout that starts from zero."""
    tensor = clues.readout and clues.matrix(clues.readout)
    if not tensor or clues.std(tensor) is not None or tensor not in effects:
        return 0.0
    return _round_to((effects[tensor].slope or 0.0) - (1 + clues.degree) * factor, 1.0)


def _rate_suspect(clues: Clues, name: str, tensors: Sequence[str], excess: float) -> Suspect:
    effects = clues.of("effect")
    slope = statistics.median(effects[t].slope or 0.0 for t in tensors)
    rate = statistics.median(clues.rate(t) for t in tensors)
    role = clues.roles[tensors[0]].value
    return Suspect(
        name,
        f"{role} learning rate scales as {_format(rate)}, wanted {_format(rate - excess)}",
        f"effect on the loss scales as {_format(slope)}, expected {_format(0.0)}",
    )


def _whole_recipe(clues: Clues, parts: Sequence[Suspect]) -> tuple[Suspect, ...]:
    """Return the one mistake that explains several wrong learning rates, followed by these."""
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
        if _round_to(_start_excess(clues), 0.5) > 0:
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
        rule, step = ("SGD", "Adam") if clues.degree < 0.5 else ("Adam", "SGD")
        return f"the learning rates follow the rule of {rule}, but the optimizer steps as {step}"
    return None


def _is_all_but_readout(
    clues: Clues, excess: Mapping[str, float], wrong: Mapping[str, float]
) -> bool:
    others = {n for n in excess if clues.roles[n] not in {Role.OUTPUT, Role.SCALAR}}
    return set(wrong) == others and len({clues.roles[n] for n in others}) > 1


def _round_to(value: float, step: float) -> float:
    return round(value / step) * step


def _format(value: float) -> str:
    rounded = round(value, 1)
    return "a constant" if rounded == 0 else f"n^{rounded:+.1f}"


def _describe(finding: Finding) -> str:
    bounds = "" if finding.low is None else f" (90 % CI {finding.low:.2f} to {finding.high:.2f})"
    return (
        f"{finding.quantity} of {finding.name} at step {finding.step} scales as "
        f"n^{finding.slope:+.2f}{bounds}, expected n^{finding.expected:+.1f}"
    )
