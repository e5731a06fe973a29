"""What would settle an open answer: one line each, to be done as it stands."""

from collections.abc import Sequence

import numpy as np

from .answer import Evidence, Optimum, SchemeAnswer, Side
from .axis import AXES, AxisName
from .optimum import SizeFit
from .regret import Decision, power
from .table import FloatArray

ENOUGH_SEEDS = 3
EXTENSION = 2.0  # octaves to be tried beyond an edge
FINE_SPACING = 0.5  # octaves between rates, below which seeds help more than rates


def open_edges(answer: SchemeAnswer) -> tuple[tuple[int, Side], ...]:
    """Return where learning rates must be added before anything finer can be said.

    Arguments:
        answer: Answer of `judge` for one scheme.

    Returns:
        Pairs of a size and the side of its rates to extend, by increasing size: sides on which
        an optimum is not bounded, and the side on which the rate used for the regret was not
        tried at the size of the verdict.

    Example:
        >>> from .answer import Optimum, SchemeAnswer
        >>> edge = Optimum(size=512, log2_lr=-9.0, low=None, high=-8.2, status="edge")
        >>> answer = SchemeAnswer("sp", "inconclusive", "", "", None, None, (edge,), None, (), ())
        >>> open_edges(answer)
        ((512, 'low'),)
    """
    sides: set[tuple[int, Side]] = set()
    for optimum in answer.optima:
        sides |= {(optimum.size, side) for side in _open_sides(optimum)}
    if answer.regret is not None and answer.regret.outside is not None:
        sides.add((answer.regret.size, answer.regret.outside))
    return tuple(sorted(sides))


def missing_evidence(
    scheme: str,
    fits: Sequence[SizeFit],
    decision: Decision,
    *,
    base: SizeFit | None,
    wide: SizeFit | None,
    start: int,
    target: int,
    predicted: bool,
    axis: AxisName = "width",
) -> tuple[Evidence, ...]:
    """Return what would settle the open answers of one scheme.

    Arguments:
        scheme: Name of the scheme.
        fits: Fits of all its sizes.
        decision: The verdict reached.
        base: Fit of the size whose optimum was used, if it has runs.
        wide: Fit of the size where it was used, if there is one.
        start: The base size.
        target: Size the learning rate is wanted for.
        predicted: Whether a learning rate for the target could be stated.
        axis: What is varied.

    Returns:
        One entry per thing to be done, the most useful first.
    """
    words = AXES[axis]
    so_far = sum(fit.columns.runs * fit.columns.size**words.cost_exponent for fit in fits)

    def entry(action: str, size: int, rates: Sequence[float], seeds: int) -> Evidence:
        runs = len(rates) * max(1, seeds)
        where = f"{action} at {words.name} {size} (scheme {scheme})"
        cost = runs * size**words.cost_exponent / so_far
        return Evidence(where, size, tuple(rates), runs, cost)

    usual = max((fit.columns for fit in fits), key=lambda column: len(column.tried))
    if base is None:
        action = f"add the base {words.name}'s runs"
        return (entry(action, start, usual.tried.tolist(), usual.seeds),)
    if wide is None:
        return (entry("add runs", _next(fits, target), usual.tried.tolist(), usual.seeds),)
    entries = [entry(*wanted) for fit in fits for wanted in _extend(fit)]
    if decision.verdict == "inconclusive":
        entries += [entry(*wanted) for wanted in _settle(decision, base, wide)]
    if not predicted and not any(_open_sides(fit.optimum) for fit in fits):
        action = f"{len(fits)} {words.plural} do not determine the target's learning rate: add runs"
        entries.append(entry(action, _next(fits, target), usual.tried.tolist(), usual.seeds))
    return tuple(entries)


def _open_sides(optimum: Optimum) -> tuple[Side, ...]:
    if optimum.status == "ok":
        return ()
    bounds: tuple[tuple[Side, float | None], ...] = (("low", optimum.low), ("high", optimum.high))
    return tuple(side for side, bound in bounds if bound is None)


def _next(fits: Sequence[SizeFit], target: int) -> int:
    """Return a size to add: twice the widest on the way to the target, else half the narrowest."""
    sizes = [fit.columns.size for fit in fits]
    return 2 * max(sizes) if 2 * max(sizes) < target else max(1, min(sizes) // 2)


Wanted = tuple[str, int, Sequence[float], int]  # action, size, rates, seeds


def _extend(fit: SizeFit) -> list[Wanted]:
    """Say which rates to add beyond the ends of those tried, or between them."""
    column = fit.columns
    size, tried, seeds = column.size, column.tried, column.seeds
    if not len(tried):
        return [("add learning rates: none was finished,", size, (), seeds)]
    spacing = float(np.median(np.diff(tried))) if len(tried) > 1 else 1.0
    count = max(1, round(EXTENSION / spacing))
    steps = spacing * np.arange(1, count + 1)
    wanted: list[Wanted] = []
    for side in _open_sides(fit.optimum):
        low = side == "low"
        bound = f"below {power(tried[0])}" if low else f"above {power(tried[-1])}"
        rates = tried[0] - steps if low else tried[-1] + steps
        wanted.append((f"add learning rates {bound}", size, sorted(rates.tolist()), seeds))
    if fit.optimum.status == "none" and not wanted:
        between = f"between {power(tried[0])} and {power(tried[-1])}"
        halves = _halfway(tried, tried[0], tried[-1], finest=0.0)
        wanted.append((f"add learning rates {between}", size, halves, seeds))
    return wanted


def _settle(decision: Decision, base: SizeFit, wide: SizeFit) -> list[Wanted]:
    """Say what narrows the regret at the wide size; open edges come first."""
    regret, best, column = decision.regret, wide.optimum, wide.columns
    rate = base.optimum.log2_lr
    if rate is None or base.optimum.status != "ok":
        return []
    if regret is not None and regret.outside is not None:
        action = f"add the learning rate {power(rate)}"
        return [(action, column.size, (rate,), column.seeds)]
    if best.status != "ok":
        return []
    ends = [x for x in (best.low, best.high, rate) if x is not None]
    low, high = min(ends), max(ends)
    between = f"between {power(low)} and {power(high)}"
    wanted: list[Wanted] = []
    halves = _halfway(column.tried, low, high, finest=FINE_SPACING)
    if halves:
        action = f"add learning rates halfway {between}"
        wanted.append((action, column.size, halves, column.seeds))
    if column.seeds < ENOUGH_SEEDS or not wanted:
        total = max(ENOUGH_SEEDS, 2 * column.seeds)
        action = f"add seeds: {total} per learning rate {between}, {column.seeds} so far,"
        around = _around(column.tried, low, high)
        wanted.append((action, column.size, around, total - column.seeds))
    return wanted


def _halfway(tried: FloatArray, low: float, high: float, *, finest: float) -> list[float]:
    """Return the middles of gaps wider than the finest that overlap [low, high]."""
    gaps = zip(tried[:-1].tolist(), tried[1:].tolist(), strict=True)
    return [(a + b) / 2 for a, b in gaps if b > low and a < high and b - a > finest]


def _around(tried: FloatArray, low: float, high: float) -> list[float]:
    """Return the rates within [low, high] and the neighbour on either side."""
    first = max(0, int(np.searchsorted(tried, low, side="left")) - 1)
    last = int(np.searchsorted(tried, high, side="right")) + 1
    rates: list[float] = tried[first:last].tolist()
    return rates
