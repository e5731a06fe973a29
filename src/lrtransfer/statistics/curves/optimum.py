"""Where the loss of each size is lowest, with an interval that refuses at the edge of the grid.

x = log2 learning rate, x* its value at the lowest loss. The interval holds the middle 95 % of the
minima of the drawn curves; an interval that touches a finite end of the rates tried is no interval
but a bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...scaling import FloatArray
from ..answer import TAIL, Optimum
from ..table import LossCurve
from .columns import Columns, pool_residuals, reduce_runs
from .curve import CurveDraws, draw_curves

# On fewer rates, or a shorter range, the shape between the rates is anyone's guess.
FINE_RATES, FINE_SPAN = 5, 6.0
# A valley narrower than the rates are apart leads the fit astray, by more than the draws tell:
# intervals are wider by this share per octave that the gap between the rates exceeds one.
STRAY = 0.3


@dataclass(frozen=True, eq=False)
class SizeFit:
    """Fit of one size: its columns, its optimum and the curves drawn, if any."""

    columns: Columns
    optimum: Optimum
    draws: CurveDraws | None


def fit_sizes(curves: Sequence[LossCurve], *, seed: int = 0) -> tuple[SizeFit, ...]:
    """Fit the curves of one scheme, the seed noise pooled over its sizes.

    Arguments:
        curves: One loss curve per size.
        seed: Seed of the posterior draws. Each size has its own stream, so that its draws do not
            depend on which other sizes there are.

    Returns:
        One fit per curve, in the order given.
    """
    reduced = [reduce_runs(curve) for curve in curves]
    fits = []
    for i, column in enumerate(reduced):
        if len(column.log2_lr) < 3:
            fits.append(SizeFit(column, _state_none(column), None))
            continue
        rng = np.random.default_rng([seed, column.size])
        draws = draw_curves(column, pool_residuals(reduced, i), rng=rng)
        fits.append(SizeFit(column, find_optimum(draws), draws))
    return tuple(fits)


def find_optima(curves: Sequence[LossCurve], *, seed: int = 0) -> tuple[Optimum, ...]:
    """Return the optimal learning rate of each size with its 95 % interval, or a bound.

    Arguments:
        curves: One loss curve per size, all of one scheme.
        seed: Seed of the posterior draws.

    Returns:
        One optimum per curve, in the order given.

    Example:
        >>> x = np.arange(-10.0, -2.0)
        >>> loss = 3 + (x + 6.3) ** 2 / 16 + np.array([[0.0], [0.02]])
        >>> (best,) = find_optima([LossCurve(size=128, log2_lr=x, loss=loss)])
        >>> best.status, round(best.log2_lr, 1)
        ('ok', -6.3)
    """
    return tuple(fit.optimum for fit in fit_sizes(curves, seed=seed))


def find_optimum(draws: CurveDraws) -> Optimum:
    """Return the optimum that drawn curves agree on, or the bound they leave."""
    column = draws.columns
    low, estimate, high = _bracket(draws) if is_coarse(column) else _interpolate(draws)
    if low is None or high is None:
        estimate = float(column.log2_lr[column.loss.argmin()])
        return Optimum(size=column.size, log2_lr=estimate, low=low, high=high, status="edge")
    return Optimum(size=column.size, log2_lr=estimate, low=low, high=high, status="ok")


def is_coarse(column: Columns) -> bool:
    """Return whether the rates are too few, or their range too short, to look between them."""
    return len(column.tried) < FINE_RATES or column.span < FINE_SPAN


def find_minima(draws: CurveDraws) -> FloatArray:
    """Return x* of each drawn curve: its lowest point, refined by a parabola, shape (D,)."""
    x, loss = draws.log2_lr, draws.loss
    k = loss.argmin(axis=1)
    inner = np.clip(k, 1, len(x) - 2)
    rows = np.arange(len(loss))
    left, mid, right = (loss[rows, inner + i] for i in (-1, 0, 1))
    a, b = x[inner] - x[inner - 1], x[inner + 1] - x[inner]
    usable = (k == inner) & np.isfinite(left) & np.isfinite(right)
    rise, fall = np.where(usable, right - mid, 1.0) / b, np.where(usable, left - mid, 1.0) / a
    bend = np.maximum(rise + fall, np.finfo(np.float64).tiny)
    shift = (fall * b - rise * a) / (2 * bend)
    minima: FloatArray = x[k] + np.where(usable & (rise + fall > 0), shift, 0.0)
    return minima


def rise_at(draws: CurveDraws, at: FloatArray) -> FloatArray:
    """Return what each curve rises from its minimum to a rate of its own, shape (D,).

    Beyond the points drawn: +inf where runs diverged, else NaN.
    """
    x, loss = draws.log2_lr, draws.loss
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    rows = np.arange(len(loss))
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    with np.errstate(invalid="ignore"):
        value = (1 - share) * loss[rows, right - 1] + share * loss[rows, right]
    value = np.where(np.isnan(value), np.inf, value)  # beside a cliff
    beyond_low = np.inf if draws.columns.diverged_below is not None else np.nan
    beyond_high = np.inf if draws.columns.diverged_above is not None else np.nan
    value = np.where(at < x[0], beyond_low, np.where(at > x[-1], beyond_high, value))
    excess: FloatArray = value - loss.min(axis=1)
    return excess


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
    stretch = 1 + STRAY * max(0.0, column.gap(low, high) - 1)
    low, high = (estimate + stretch * (end - estimate) for end in (low, high))
    if above is not None and estimate > right:
        low, estimate, high = min(low, right), right, above
    elif below is not None and estimate < left:
        low, estimate, high = below, left, max(high, left)
    open_below, open_above = below is None and low <= left, above is None and high >= right
    return None if open_below else low, estimate, None if open_above else high


def _bracket(draws: CurveDraws) -> tuple[float | None, float, float | None]:
    """Return the rates tried on either side of the columns that may be lowest."""
    column = draws.columns
    lowest = draws.loss[:, draws.at_columns].argmin(axis=1)
    ranks = np.quantile(lowest, (TAIL, 1 - TAIL), method="inverted_cdf")
    first, last = (int(rank) for rank in ranks)
    rates = [column.diverged_below, *map(float, column.log2_lr), column.diverged_above]
    return rates[first], float(column.log2_lr[column.loss.argmin()]), rates[last + 2]


def _state_none(column: Columns) -> Optimum:
    return Optimum(
        size=column.size,
        log2_lr=None,
        low=column.diverged_below,
        high=column.diverged_above,
        status="none",
    )
