r"""From measurements at several widths to exponents with intervals, and to one verdict.

Every quantity :math:`q(n) \propto n^{b}` is a line between logarithms; the interval of its exponent
b is compared with a band of acceptable values. There are three outcomes:

- `fail` if some 99 % interval lies outside its band. The level is not corrected for the number of
  exponents: those of a correct model lie inside by several standard errors, not at the edge.
- `pass` if every 90 % interval lies inside its band. These are two one-sided tests of equivalence
  for every exponent; requiring all of them (an intersection-union test) needs no correction: a
  model with one exponent outside its band passes with probability at most 5 %.
- `inconclusive` otherwise.

References:
    Schuirmann (1987). A comparison of the two one-sided tests procedure and the power approach for
    assessing the equivalence of average bioavailability. https://doi.org/10.1007/BF01068419
    Berger (1982). Multiparameter hypothesis testing and acceptance sampling.
    https://doi.org/10.1080/00401706.1982.10487790
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import CheckError
from ..scaling import fit_power_law
from .growth import grows
from .quantities import OUTPUT, ModelMeasurements, Quantity, QuantityKey

CheckVerdict = Literal["pass", "fail", "inconclusive"]
MeasurementTable = Mapping[tuple[int, int], ModelMeasurements]

PASS_LEVEL = 0.90
FAIL_LEVEL = 0.99


@dataclass(frozen=True)
class Band:
    """A range of acceptable exponents.

    Attributes:
        low: Lower end; None for no bound.
        high: Upper end; None for no bound.
    """

    low: float | None
    high: float | None

    def holds(self, low: float, high: float) -> bool:
        """Return whether an interval lies inside the band."""
        return (self.low is None or low >= self.low) and (self.high is None or high <= self.high)

    def excludes(self, low: float, high: float) -> bool:
        """Return whether an interval lies outside the band."""
        return (self.high is not None and low > self.high) or (
            self.low is not None and high < self.low
        )


@dataclass(frozen=True)
class Finding:
    """One exponent of the coordinate check, judged.

    Attributes:
        name: Tensor, layer or attention.
        quantity: Kind of measurement.
        step: Number of training steps before it.
        slope: Exponent of the width; None where some measurement is zero or not finite.
        low: Lower end of its 90 % interval.
        high: Upper end.
        expected: Exponent in the limit of large width.
        band: Acceptable exponents at finite width.
        needed: Whether a pass requires the exponent to lie inside the band; otherwise it can only
            cause a failure.
        ok: Whether the exponent lies in the band; None if the measurements do not decide.
    """

    name: str
    quantity: Quantity
    step: int
    slope: float | None
    low: float | None
    high: float | None
    expected: float
    band: Band
    needed: bool
    ok: bool | None


@dataclass(frozen=True)
class _Expectation:
    """Expected exponent and acceptable band of one quantity."""

    expected: float
    band: Band
    needed: bool = True


# The exponents of correct muP at widths of 32 to 512 lie well inside these bands; a mistake moves
# them by at least 1/2. docs/measurements/coordinate-check.md shows both.
_ACTIVATION = _Expectation(0.0, Band(-0.25, 0.25))
_UPDATE = _Expectation(0.0, Band(-0.75, 0.5))
# Logits of a random readout. A readout that is too large shows more clearly in the effects of all
# tensors below it, and logits of zero are as good: so a pass does not require this exponent.
_LOGITS = _Expectation(-0.5, Band(None, -0.25), needed=False)
_LOGITS_CHANGE = _Expectation(0.0, Band(None, 0.5), needed=False)
_SCORES = _Expectation(0.0, Band(-0.75, 0.25))
_SCORES_OF_GROWING_HEADS = _Expectation(-0.5, Band(None, -0.25))
_SCORES_CHANGE = _Expectation(0.0, Band(-0.75, 0.4))
_SCORES_CHANGE_OF_GROWING_HEADS = _Expectation(0.0, Band(-1.0, 0.4))


def _effect(degree: float, *, aligned: bool, heads_grow: bool) -> _Expectation:
    # An effect is a gradient times a step; where the step is proportional to the gradient (SGD) its
    # scatter doubles, and so does the effect of a wrong initialisation.
    half = 0.3 + 0.2 * degree
    low = -half
    if not aligned:
        low = -0.5 - unaligned_deficit(degree)  # half way to what a rate wrong by n makes of it
    elif heads_grow:
        # A few heads that grow: until values and readout align, the gradient of a score is a sum of
        # d terms of random sign, so that the first effects of queries and keys scale likewise.
        low = -half - unaligned_deficit(degree)
    return _Expectation(0.0, Band(low, half))


def _update(degree: float, *, aligned: bool) -> _Expectation:
    return _UPDATE if aligned else _Expectation(0.0, Band(-0.75 - 0.5 * degree, 0.5))


def unaligned_deficit(degree: float) -> float:
    r"""Return by how much the exponent of an unaligned first effect lies below that of later ones.

    Its gradient is a mean over k terms of random sign, which falls as :math:`k^{-1/2}`, and a step
    of degree κ in the gradient makes the effect :math:`k^{-(1+\kappa)/2}` with k growing as n.
    docs/measurements/coordinate-check.md shows how it aligns within a few steps.

    Arguments:
        degree: Degree κ of the optimizer's step in the gradient.
    """
    return 0.5 * (1 + degree)


def starts_aligned(tensor: str, by_width: Mapping[int, ModelMeasurements]) -> bool:
    """Return whether the terms of a tensor's first gradient have one sign at any width.

    They have not, until values and what reads them align,

    - for a tensor of fixed size that acts on a growing number of units: the gain of a norm of
      queries or keys, which all heads share, or a number that multiplies a residual branch;
    - for a layer inside the model whose output does not grow, such as the router of experts: its
      gradient sums over all units that this output acts on.

    Arguments:
        tensor: Name of the tensor.
        by_width: One run of each width.
    """
    layers = next(iter(by_width.values())).layers
    fixed = [name for name in layers if not _output_grows(name, by_width)]
    if fixed and tensor in layers[fixed[-1]]:
        return True  # what the readout's own tensors change is the output itself
    return _tensor_grows(tensor, by_width) and not any(tensor in layers[name] for name in fixed)


def judge_exponents(runs: MeasurementTable, *, degree: float) -> tuple[Finding, ...]:
    """Fit the exponents of everything that moved and compare them with their bands.

    Arguments:
        runs: Measurements by width and seed.
        degree: Degree of the optimizer's step in the gradient (see `measure_gradient_degree`).

    Returns:
        The exponents in the order of the model.

    Raises:
        CheckError: If the runs show different tensors, layers or calls.
    """
    _require_equal_names(runs)
    expectations = dict(_expectations(runs, degree))
    return tuple(_judge(key, expectation, runs) for key, expectation in expectations.items())


def conclude(findings: Sequence[Finding]) -> tuple[CheckVerdict, str]:
    """Return the verdict on all findings, and its reason in words."""
    if wrong := [f for f in findings if f.ok is False]:
        worst = max(wrong, key=lambda f: abs((f.slope or 0) - f.expected))
        return "fail", (
            f"{len(wrong)} of {len(findings)} exponents lie outside their bands, the farthest is "
            f"{_describe(worst)}"
        )
    if unclear := [f for f in findings if f.ok is None and f.needed]:
        return "inconclusive", (
            f"{len(unclear)} of {len(findings)} exponents are undecided, such as "
            f"{_describe(unclear[0])}; more seeds or wider models settle it"
        )
    return "pass", f"all {len(findings)} exponents lie in their bands"


def _describe(finding: Finding) -> str:
    what = f"{finding.quantity} of {finding.name} at step {finding.step}"
    if finding.slope is None:
        return f"{what}, which is zero or not finite at some width"
    return f"{what}: {finding.slope:+.2f}, expected {finding.expected:+.1f}"


def _expectations(
    runs: MeasurementTable, degree: float
) -> Iterator[tuple[QuantityKey, _Expectation]]:
    """Yield the quantities to judge, with what is expected of each."""
    by_width = first_per_width(runs)
    layers, any_heads_grow = next(iter(by_width.values())).layers, heads_grow(by_width)
    for key in _select_keys(runs):
        match key.quantity:
            case "effect":
                aligned = starts_aligned(key.name, by_width)
                yield key, _effect(degree, aligned=aligned, heads_grow=any_heads_grow)
            case "update":
                tensors = layers[key.name.rpartition(".")[0]]
                aligned = all(starts_aligned(tensor, by_width) for tensor in tensors)
                yield key, _update(degree, aligned=aligned)
            case "initial" if not is_readout(key.name, by_width):
                yield key, _ACTIVATION
            case "scores":
                yield key, _scores(key, by_width)
            case "output" if key.step == 0 and _is_tied(by_width):
                continue  # a token's own logit holds |embedding|^2 / n, which is constant
            case "output" if not _output_grows(OUTPUT, by_width):
                yield key, _LOGITS if key.step == 0 else _LOGITS_CHANGE


def _select_keys(runs: MeasurementTable) -> list[QuantityKey]:
    """Return the keys measured at every width; of changes, at the first step where all moved.

    A quantity that starts at zero (of a readout, a query) has no exponent and is left out.
    """
    first: dict[tuple[str, str, bool], QuantityKey] = {}
    zero: set[QuantityKey] = set()
    common = set.intersection(*(set(run.values) for run in first_per_width(runs).values()))
    for key in sorted(common, key=lambda key: key.step):
        if any(run.values.get(key) == 0 for run in runs.values()):
            zero.add(key)
        name = (key.name, key.quantity, key.step == 0)
        if name not in first or first[name] in zero:
            first[name] = key
    order = {key: i for i, key in enumerate(next(iter(runs.values())).values)}
    return sorted(
        (k for k in first.values() if k not in zero or k.quantity in {"effect", "update"}),
        key=order.__getitem__,
    )


def is_readout(layer: str, by_width: Mapping[int, ModelMeasurements]) -> bool:
    """Return whether a layer contracts the width and does not produce it."""
    tensors = next(iter(by_width.values())).layers[layer]
    contracts = any(_tensor_grows(name, by_width) for name in tensors)
    return contracts and not _output_grows(layer, by_width)


def _tensor_grows(name: str, by_width: Mapping[int, ModelMeasurements]) -> bool:
    return grows(list(by_width), [run.tensors[name].entries for run in by_width.values()])


def _is_tied(by_width: Mapping[int, ModelMeasurements]) -> bool:
    """Return whether a readout shares a tensor with another layer."""
    layers = next(iter(by_width.values())).layers
    return any(
        is_readout(layer, by_width)
        and any(layer != other and set(tensors) & set(layers[other]) for other in layers)
        for layer, tensors in layers.items()
    )


def _output_grows(layer: str, by_width: Mapping[int, ModelMeasurements]) -> bool:
    return grows(list(by_width), [run.outputs[layer] for run in by_width.values()])


def _scores(key: QuantityKey, by_width: Mapping[int, ModelMeasurements]) -> _Expectation:
    if head_grows(by_width, key.name):
        return _SCORES_CHANGE_OF_GROWING_HEADS if key.step else _SCORES_OF_GROWING_HEADS
    return _SCORES_CHANGE if key.step else _SCORES


def _judge(key: QuantityKey, expectation: _Expectation, runs: MeasurementTable) -> Finding:
    """Return the exponent of one quantity: in the band, outside, or undecided."""
    undecided = Finding(
        name=key.name,
        quantity=key.quantity,
        step=key.step,
        slope=None,
        low=None,
        high=None,
        expected=expectation.expected,
        band=expectation.band,
        needed=expectation.needed,
        ok=None,
    )
    points = [(width, run.values[key]) for (width, _), run in runs.items() if key in run.values]
    widths, values = [width for width, _ in points], [value for _, value in points]
    if not all(0 < value < math.inf for value in values):
        return undecided
    inner = fit_power_law(widths, values, level=PASS_LEVEL)
    outer = fit_power_law(widths, values, level=FAIL_LEVEL)
    ok: bool | None = None
    if expectation.band.excludes(outer.slope_low, outer.slope_high):
        ok = False
    elif expectation.band.holds(inner.slope_low, inner.slope_high):
        ok = True
    return replace(undecided, slope=inner.slope, low=inner.slope_low, high=inner.slope_high, ok=ok)


def head_grows(by_width: Mapping[int, ModelMeasurements], attention: str) -> bool:
    """Return whether the head width of an attention is recorded and grows."""
    return len({run.head_widths.get(attention) for run in by_width.values()}) > 1


def heads_grow(by_width: Mapping[int, ModelMeasurements]) -> bool:
    """Return whether the head width of some attention grows."""
    names = next(iter(by_width.values())).head_widths
    return any(head_grows(by_width, name) for name in names)


def first_per_width(runs: MeasurementTable) -> dict[int, ModelMeasurements]:
    """Return the first run of each width, from narrow to wide."""
    first: dict[int, ModelMeasurements] = {}
    for (width, _), run in sorted(runs.items(), key=lambda item: item[0]):
        first.setdefault(width, run)
    return first


def _require_equal_names(runs: MeasurementTable) -> None:
    (first, reference), *others = runs.items()
    for other, run in others:
        for kind in ("tensors", "layers"):
            names, expected = set(getattr(run, kind)), set(getattr(reference, kind))
            if differing := sorted(names ^ expected):
                raise CheckError(
                    f"make: got {kind} {differing[:3]} in only one of the models of width "
                    f"{first[0]} and {other[0]}, wanted the same at every width. Keep the depth "
                    "and the options of the model fixed while its width varies."
                )
