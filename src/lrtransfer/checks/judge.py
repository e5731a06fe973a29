r"""From numbers at several widths to exponents with intervals, and from these to one verdict.

Every quantity :math:`q(n) \propto n^{b}` is a line between logarithms; its exponent b, with an
interval, is compared with a band. Three outcomes:

- `fail` if some 99 % interval lies outside its band. It is not widened for the number of exponents:
  those of a correct model lie inside by several standard errors, not at the edge.
- `pass` if every 90 % interval lies inside its band. This is the union of two-sided equivalence
  tests, which needs no correction: one exponent outside its band passes in at most 5 %.
- `inconclusive` otherwise.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import CheckError
from ..scaling import fit_power_law
from .growth import grows
from .quantities import OUTPUT, Key, Quantity, Run

Verdict = Literal["pass", "fail", "inconclusive"]
Runs = Mapping[tuple[int, int], Run]

PASS_LEVEL = 0.90
FAIL_LEVEL = 0.99


@dataclass(frozen=True)
class Band:
    """Give the exponents allowed; None where there is no bound."""

    low: float | None
    high: float | None

    def holds(self, low: float, high: float) -> bool:
        """Return whether an interval lies inside."""
        return (self.low is None or low >= self.low) and (self.high is None or high <= self.high)

    def excludes(self, low: float, high: float) -> bool:
        """Return whether an interval lies outside."""
        return (self.high is not None and low > self.high) or (
            self.low is not None and high < self.low
        )


@dataclass(frozen=True)
class Finding:
    """State one exponent and what is thought of it.

    Attributes:
        name: The tensor, layer or attention.
        quantity: What was measured.
        step: After how many steps.
        slope: Exponent of the width; None where the quantity is zero or not finite somewhere.
        low: Lower end of its 90 % interval.
        high: Upper end.
        expected: Exponent in the limit of large width.
        band: Exponents allowed at finite width.
        needed: Whether a pass needs it inside the band; otherwise it can only fail.
        ok: Whether the exponent lies in the band; None if that cannot be told.
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
class _Wanted:
    """State what is asked of one quantity."""

    expected: float
    band: Band
    needed: bool = True


# The exponents of correct muP at widths of 32 to 512 lie within these by a margin; a mistake moves
# them by 1/2 at least. docs/measurements/coordinate-check.md shows both.
_ACTIVATION = _Wanted(0.0, Band(-0.25, 0.25))
_UPDATE = _Wanted(0.0, Band(-0.75, 0.5))
# Of a random readout. Whether it is small enough shows more sharply in the effects of all tensors
# below it, and zero is as good: so this one is not needed for a pass.
_LOGITS = _Wanted(-0.5, Band(None, -0.25), needed=False)
_LOGITS_CHANGE = _Wanted(0.0, Band(None, 0.5), needed=False)
_SCORES = _Wanted(0.0, Band(-0.75, 0.25))
_SCORES_OF_GROWING_HEADS = _Wanted(-0.5, Band(None, -0.25))
_SCORES_CHANGE = _Wanted(0.0, Band(-0.75, 0.4))
_SCORES_CHANGE_OF_GROWING_HEADS = _Wanted(0.0, Band(-1.0, 0.4))


def _effect(degree: float, *, heads_grow: bool) -> _Wanted:
    # An effect is a gradient times a step; where the step is proportional to the gradient (SGD) its
    # scatter doubles, and so does what a wrong initialisation does to it.
    half = 0.3 + 0.2 * degree
    # A few heads that grow: the gradient of a score is a sum of d terms of random sign as long as
    # values and readout have not aligned, hence d^-1/2 in what queries and keys do at first.
    return _Wanted(0.0, Band(-half - 0.5 * (1 + degree) if heads_grow else -half, half))


def findings(runs: Runs, *, degree: float) -> tuple[Finding, ...]:
    """Return the exponents of everything that moved, judged.

    Arguments:
        runs: What was measured, by width and seed.
        degree: Degree of the optimizer's step in the gradient (see `gradient_degree`).

    Raises:
        CheckError: If the runs show different tensors, layers or calls.
    """
    _require_equal_names(runs)
    asked = dict(_questions(runs, degree))
    return tuple(_find(key, wanted, runs) for key, wanted in asked.items())


def decide(found: Sequence[Finding]) -> tuple[Verdict, str]:
    """Return the verdict and its reason."""
    if wrong := [f for f in found if f.ok is False]:
        worst = max(wrong, key=lambda f: abs((f.slope or 0) - f.expected))
        return "fail", (
            f"{len(wrong)} of {len(found)} exponents lie outside their bands, the farthest is "
            f"{_said(worst)}"
        )
    if unclear := [f for f in found if f.ok is None and f.needed]:
        return "inconclusive", (
            f"{len(unclear)} of {len(found)} exponents cannot be told from their bands, such as "
            f"{_said(unclear[0])}; more seeds or wider models settle it"
        )
    return "pass", f"all {len(found)} exponents lie in their bands"


def _said(finding: Finding) -> str:
    what = f"{finding.quantity} of {finding.name} at step {finding.step}"
    if finding.slope is None:
        return f"{what}, which is zero or not finite at some width"
    return f"{what}: {finding.slope:+.2f}, expected {finding.expected:+.1f}"


def _questions(runs: Runs, degree: float) -> Iterator[tuple[Key, _Wanted]]:
    """Yield the quantities to be judged, and how."""
    by_width = one_per_width(runs)
    effect = _effect(degree, heads_grow=heads_grow(by_width))
    for key in _measured(runs):
        match key.quantity:
            case "effect":
                yield key, effect
            case "update":
                yield key, _UPDATE
            case "initial" if not is_readout(key.name, by_width):
                yield key, _ACTIVATION
            case "scores":
                yield key, _scores(key, by_width)
            case "output" if key.step == 0 and _is_tied(by_width):
                continue  # a token's own logit holds |embedding|^2 / n, which is constant
            case "output" if not _output_grows(OUTPUT, by_width):
                yield key, _LOGITS if key.step == 0 else _LOGITS_CHANGE


def _measured(runs: Runs) -> list[Key]:
    """Return what was shown at every width: of changes the first step at which all moved.

    A start at zero (a readout, a query) has no exponent and is left out.
    """
    chosen: dict[tuple[str, str, bool], Key] = {}
    zero: set[Key] = set()
    common = set.intersection(*(set(run.values) for run in one_per_width(runs).values()))
    for key in sorted(common, key=lambda key: key.step):
        if any(run.values.get(key) == 0 for run in runs.values()):
            zero.add(key)
        name = (key.name, key.quantity, key.step == 0)
        if name not in chosen or chosen[name] in zero:
            chosen[name] = key
    order = {key: i for i, key in enumerate(next(iter(runs.values())).values)}
    return sorted(
        (k for k in chosen.values() if k not in zero or k.quantity in {"effect", "update"}),
        key=order.__getitem__,
    )


def is_readout(layer: str, by_width: Mapping[int, Run]) -> bool:
    """Return whether a layer contracts the width and does not produce it."""
    tensors = next(iter(by_width.values())).layers[layer]
    widths = list(by_width)
    contracts = any(
        grows(widths, [by_width[w].tensors[name].entries for w in widths]) for name in tensors
    )
    return contracts and not _output_grows(layer, by_width)


def _is_tied(by_width: Mapping[int, Run]) -> bool:
    """Return whether a readout shares a tensor with another layer."""
    layers = next(iter(by_width.values())).layers
    return any(
        is_readout(layer, by_width)
        and any(layer != other and set(own) & set(layers[other]) for other in layers)
        for layer, own in layers.items()
    )


def _output_grows(layer: str, by_width: Mapping[int, Run]) -> bool:
    return grows(list(by_width), [run.outputs[layer] for run in by_width.values()])


def _scores(key: Key, by_width: Mapping[int, Run]) -> _Wanted:
    if head_grows(by_width, key.name):
        return _SCORES_CHANGE_OF_GROWING_HEADS if key.step else _SCORES_OF_GROWING_HEADS
    return _SCORES_CHANGE if key.step else _SCORES


def _find(key: Key, wanted: _Wanted, runs: Runs) -> Finding:
    """Return the exponent of one quantity: in the band, outside, or neither."""
    found = Finding(
        key.name, key.quantity, key.step, None, None, None, wanted.expected, wanted.band,
        wanted.needed, None,
    )  # fmt: skip
    shown = {where: run.values[key] for where, run in runs.items() if key in run.values}
    values = list(shown.values())
    if not all(0 < value < math.inf for value in values):
        return found
    widths = [width for width, _ in shown]
    inner = fit_power_law(widths, values, level=PASS_LEVEL)
    outer = fit_power_law(widths, values, level=FAIL_LEVEL)
    ok: bool | None = None
    if wanted.band.excludes(outer.slope_low, outer.slope_high):
        ok = False
    elif wanted.band.holds(inner.slope_low, inner.slope_high):
        ok = True
    return replace(found, slope=inner.slope, low=inner.slope_low, high=inner.slope_high, ok=ok)


def head_grows(by_width: Mapping[int, Run], attention: str) -> bool:
    """Return whether the head width of an attention is known to grow."""
    return len({run.head_widths.get(attention) for run in by_width.values()}) > 1


def heads_grow(by_width: Mapping[int, Run]) -> bool:
    """Return whether the head width of some attention grows."""
    names = next(iter(by_width.values())).head_widths
    return any(head_grows(by_width, name) for name in names)


def one_per_width(runs: Runs) -> dict[int, Run]:
    """Return the first run of each width, from narrow to wide."""
    first: dict[int, Run] = {}
    for (width, _), run in sorted(runs.items(), key=lambda item: item[0]):
        first.setdefault(width, run)
    return first


def _require_equal_names(runs: Runs) -> None:
    (first, reference), *others = runs.items()
    for other, run in others:
        for kind in ("tensors", "layers"):
            names, wanted = set(getattr(run, kind)), set(getattr(reference, kind))
            if differing := sorted(names ^ wanted):
                raise CheckError(
                    f"make: got {kind} {differing[:3]} in only one of the models of width "
                    f"{first[0]} and {other[0]}, wanted the same at every width. Keep the depth "
                    "and the options of the model fixed while its width varies."
                )
