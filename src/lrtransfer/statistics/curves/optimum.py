"""Where the loss of a size is lowest, with an interval that refuses at the edge of the grid.

x = log2 learning rate, x* its value at the lowest loss. The interval holds the middle 95 % of the
minima of the drawn curves, and what a corner between two rates, which no smooth curve follows, may
hide; an interval that touches a finite end of the rates tried is no interval but a bound.
"""

import math

import numpy as np

from ..answer import TAIL, Optimum
from ..trend import Location
from .columns import Columns
from .curve import CurveDraws, find_minima

# A corner in the curve lies where it lies between two rates, up to this share of their gap from
# where smooth curves have it, and more where the gap is wider than an octave; if the curve is
# smooth, for all one can see, SMOOTH of that. On more rates than FEW one sees the better: this
# shrinks with the square of their number.
CORNER, SMOOTH, FEW = 0.4, 0.7, 13
ROUGH = 0.2  # probability of a rough curve from which a corner counts in full
UNBOUNDED = 0.25  # share of the curves that fall to the end of their points
SPREAD = 0.15  # share of the gap by which rough curves spread an optimum in the trend


def find_optimum(draws: CurveDraws) -> Optimum:
    """Return the optimum that drawn curves agree on, or the bound they leave."""
    column = draws.columns
    low, estimate, high = _interpolate(draws)
    if low is None or high is None:
        # The bound holds the lowest rate: beyond the rates tried all is guessed.
        estimate = float(column.log2_lr[column.loss.argmin()])
        low = None if low is None else min(low, estimate)
        high = None if high is None else max(high, estimate)
        return Optimum(size=column.size, log2_lr=estimate, low=low, high=high, status="edge")
    return Optimum(size=column.size, log2_lr=estimate, low=low, high=high, status="ok")


def locate(draws: CurveDraws) -> Location | None:
    """Return where x* is, the middle of the minima, with a standard deviation.

    None where nothing bounds it: where many curves still fall where they end.
    """
    minima, x = find_minima(draws), draws.log2_lr
    if ((minima <= x[0]) | (minima >= x[-1])).mean() > UNBOUNDED:
        return None
    low, left, middle, right, high = np.quantile(minima, (TAIL, 0.16, 0.5, 0.84, 1 - TAIL))
    spread = max((right - left) / 2, (high - low) / 3.92)
    corner = SPREAD * draws.columns.gap(low, high) * min(1.0, draws.rough / ROUGH)
    return Location(draws.columns.size, float(middle), math.hypot(spread, corner))


def allow_corner(draws: CurveDraws, low: float, high: float, *, least: float = 0.0) -> float:
    """Return how far in octaves a corner may move the minimum, if it lies between two rates.

    Arguments:
        draws: Curves of the size.
        low: Where its minimum lies at least.
        high: Where it lies at most.
        least: Share of the allowance that counts on few rates, however smooth the curve looks.
    """
    rates = len(draws.columns.log2_lr)
    share = max(least * min(1.0, (FEW / rates) ** 2), min(1.0, draws.rough / ROUGH))
    gap = draws.columns.gap(low, high)
    return CORNER * gap * math.sqrt(max(1.0, gap)) * share


def _interpolate(draws: CurveDraws) -> tuple[float | None, float, float | None]:
    """Return the middle 95 % of the minima; a side where they reach a finite end is open.

    When the minimum is the cliff itself, between the last finite and the first diverged rate,
    its place between the two is not known: then they are the interval, and the estimate is the
    one that trained.
    """
    column = draws.columns
    below, above = column.diverged_below, column.diverged_above
    left, right = float(column.log2_lr[0]), float(column.log2_lr[-1])
    low, estimate, high = (float(q) for q in np.quantile(find_minima(draws), (TAIL, 0.5, 1 - TAIL)))
    corner = allow_corner(draws, low, high, least=SMOOTH)
    low = estimate - math.hypot(estimate - low, corner)
    high = estimate + math.hypot(high - estimate, corner)
    if above is not None and high > right:
        high = above
    if below is not None and low < left:
        low = below
    if estimate > right and above is not None:
        low, estimate = min(low, right), right
    elif estimate < left and below is not None:
        estimate, high = left, max(high, left)
    open_below, open_above = below is None and low <= left, above is None and high >= right
    return None if open_below else low, estimate, None if open_above else high


def state_none(column: Columns) -> Optimum:
    """Return the optimum of a size with too few finite rates."""
    return Optimum(
        size=column.size,
        log2_lr=None,
        low=column.diverged_below,
        high=column.diverged_above,
        status="none",
    )
