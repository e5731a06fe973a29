"""What would settle an open answer: one line each, to be done as it stands."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..scaling import FloatArray
from .answer import Evidence, Optimum, SchemeAnswer, Side
from .axis import AXES, Axis, AxisName
from .curves.fit import SizeFit
from .notation import format_power
from .regret import Decision

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
        >>> answer = SchemeAnswer(scheme="sp", verdict="inconclusive", optima=(edge,))
        >>> open_edges(answer)
        ((512, 'low'),)
    """
    sides: set[tuple[int, Side]] = set()
    for optimum in answer.optima:
        sides |= {(optimum.size, side) for side in _open_sides(optimum)}
    if answer.regret is not None and answer.regret.outside is not None:
        sides.add((answer.regret.size, answer.regret.outside))
    return tuple(sorted(sides))


class RunProposal(NamedTuple):
    """Runs to be made at one size: at each of the rates as many as there are seeds."""

    action: str
    size: int
    rates: Sequence[float]
    seeds: int


def list_evidence(
    scheme: str,
    fits: Sequence[SizeFit],
    decision: Decision,
    *,
    base: SizeFit | None,
    destination: SizeFit | None,
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
        destination: Fit of the size where it was used, if there is one.
        start: The base size.
        target: Size the learning rate is for.
        predicted: Whether the runs determine a learning rate for the target.
        axis: What is varied.

    Returns:
        One entry per thing to be done, the most useful first.
    """
    words = AXES[axis]
    so_far = sum_cost(fits, words)
    usual = max((fit.columns for fit in fits), key=lambda column: len(column.tried))

    def add_size(action: str, size: int) -> RunProposal:
        return RunProposal(action, size, usual.tried.tolist(), usual.seeds)

    if base is None:
        proposals = [add_size(f"add the base {words.name}'s runs", start)]
    elif destination is None:
        proposals = [add_size("add runs", choose_next_size(fits, target))]
    else:
        proposals = [proposal for fit in fits for proposal in _extend(fit)]
        if decision.verdict == "inconclusive":
            proposals += _settle(decision, base, destination)
        if not predicted and not any(_open_sides(fit.optimum) for fit in fits):
            action = f"{len(fits)} {words.plural} do not determine the target's learning rate"
            proposals.append(add_size(f"{action}: add runs", choose_next_size(fits, target)))
    return tuple(price_proposal(proposal, scheme, words, so_far) for proposal in proposals)


def sum_cost(fits: Sequence[SizeFit], words: Axis) -> int:
    """Return what the runs so far cost, in units of a run of size 1."""
    return sum(fit.columns.runs * fit.columns.size**words.cost_exponent for fit in fits)


def price_proposal(proposal: RunProposal, scheme: str, words: Axis, so_far: int) -> Evidence:
    """Return runs to be made with what they cost beside the runs so far (`sum_cost`)."""
    runs = len(proposal.rates) * max(1, proposal.seeds)
    return Evidence(
        action=f"{proposal.action} at {words.name} {proposal.size} (scheme {scheme})",
        size=proposal.size,
        log2_lr=tuple(proposal.rates),
        runs=runs,
        cost=runs * proposal.size**words.cost_exponent / so_far,
    )


def _open_sides(optimum: Optimum) -> tuple[Side, ...]:
    if optimum.status == "ok":
        return ()
    bounds: tuple[tuple[Side, float | None], ...] = (("low", optimum.low), ("high", optimum.high))
    return tuple(side for side, bound in bounds if bound is None)


def choose_next_size(fits: Sequence[SizeFit], target: int) -> int:
    """Return a size to add: twice the largest on the way to the target, else half the smallest."""
    sizes = [fit.columns.size for fit in fits]
    return 2 * max(sizes) if 2 * max(sizes) < target else max(1, min(sizes) // 2)


def _extend(fit: SizeFit) -> list[RunProposal]:
    """Propose rates beyond the ends of those tried, or between them."""
    column = fit.columns
    size, tried, seeds = column.size, column.tried, column.seeds
    if not len(tried):
        return [RunProposal("add learning rates: none was finished,", size, (), seeds)]
    spacing = float(np.median(np.diff(tried))) if len(tried) > 1 else 1.0
    count = max(1, round(EXTENSION / spacing))
    steps = spacing * np.arange(1, count + 1)
    proposals: list[RunProposal] = []
    for side in _open_sides(fit.optimum):
        low = side == "low"
        bound = f"below {format_power(tried[0])}" if low else f"above {format_power(tried[-1])}"
        rates = tried[0] - steps if low else tried[-1] + steps
        proposals.append(
            RunProposal(f"add learning rates {bound}", size, sorted(rates.tolist()), seeds)
        )
    if fit.optimum.status == "none" and not proposals:
        between = f"between {format_power(tried[0])} and {format_power(tried[-1])}"
        halves = halve_gaps(tried, tried[0], tried[-1], finest=0.0)
        proposals.append(RunProposal(f"add learning rates {between}", size, halves, seeds))
    return proposals


def _settle(decision: Decision, base: SizeFit, destination: SizeFit) -> list[RunProposal]:
    """Propose what narrows the regret at the large size; open edges come first."""
    regret, best, column = decision.regret, destination.optimum, destination.columns
    rate = base.optimum.log2_lr
    if rate is None or base.optimum.status != "ok":
        return []
    if regret is not None and regret.outside is not None:
        action = f"add the learning rate {format_power(rate)}"
        return [RunProposal(action, column.size, (rate,), column.seeds)]
    if best.status != "ok":
        return []
    ends = [x for x in (best.low, best.high, rate) if x is not None]
    low, high = min(ends), max(ends)
    between = f"between {format_power(low)} and {format_power(high)}"
    proposals: list[RunProposal] = []
    halves = halve_gaps(column.tried, low, high, finest=FINE_SPACING)
    if halves:
        action = f"add learning rates halfway {between}"
        proposals.append(RunProposal(action, column.size, halves, column.seeds))
    if column.seeds < ENOUGH_SEEDS or not proposals:
        total = max(ENOUGH_SEEDS, 2 * column.seeds)
        action = f"add seeds: {total} per learning rate {between}, {column.seeds} so far,"
        around = take_around(column.tried, low, high)
        proposals.append(RunProposal(action, column.size, around, total - column.seeds))
    return proposals


def halve_gaps(tried: FloatArray, low: float, high: float, *, finest: float) -> list[float]:
    """Return the middles of gaps wider than the finest that overlap [low, high]."""
    gaps = zip(tried[:-1].tolist(), tried[1:].tolist(), strict=True)
    return [(a + b) / 2 for a, b in gaps if b > low and a < high and b - a > finest]


def take_around(tried: FloatArray, low: float, high: float) -> list[float]:
    """Return the rates within [low, high] and the neighbour on either side."""
    first = max(0, int(np.searchsorted(tried, low, side="left")) - 1)
    last = int(np.searchsorted(tried, high, side="right")) + 1
    rates: list[float] = tried[first:last].tolist()
    return rates
