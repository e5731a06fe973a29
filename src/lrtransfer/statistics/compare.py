"""How schemes differ in drift, regret and best loss, with intervals that hold together.

Every scheme is compared with the first. Differences are paired: optima by size, best losses by
seed, since schemes share initial values and batches. Regrets are not: the interval of their
difference is that of intervals. With C differences of one table each interval has coverage
1 − 0.05 / C (Bonferroni), so that all hold at once with 95 %.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import fit_line
from .answer import Comparison, Interval, Optimum
from .drift import NORMAL
from .optimum import SizeFit
from .regret import may_be_best, rate_used, regret_draws
from .table import FloatArray, LossCurve

QUANTITIES = 3  # drift, regret, best loss
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class SchemeFits:
    """Hold what was fitted of one scheme: its curves, their fits, and the base size."""

    curves: Sequence[LossCurve]
    fits: Sequence[SizeFit]
    base: int


def compare(schemes: Mapping[str, SchemeFits]) -> tuple[Comparison, ...]:
    """Compare every scheme with the first.

    Arguments:
        schemes: Fits by scheme.

    Returns:
        One comparison per further scheme that shares a size with the first. A difference that the
        runs do not determine is None.
    """
    names = list(schemes)
    level = 1 - (1 - LEVEL) / max(1, QUANTITIES * (len(names) - 1))
    found = (_compare(name, names[0], schemes, level) for name in names[1:])
    return tuple(comparison for comparison in found if comparison is not None)


def _compare(
    name: str, reference: str, schemes: Mapping[str, SchemeFits], level: float
) -> Comparison | None:
    one, other = schemes[name], schemes[reference]
    shared = sorted(_sizes(one) & _sizes(other))
    if not shared:
        return None
    return Comparison(
        scheme=name,
        reference=reference,
        size=shared[-1],
        drift=_drift(one, other, level),
        regret=_regret(one, other, shared[-1], level),
        best_loss=_best_loss(one, other, shared[-1], level),
    )


def _sizes(scheme: SchemeFits) -> set[int]:
    return {fit.columns.size for fit in scheme.fits}


def _at(scheme: SchemeFits, size: int) -> SizeFit | None:
    return next((fit for fit in scheme.fits if fit.columns.size == size), None)


def _drift(one: SchemeFits, other: SchemeFits, level: float) -> Interval | None:
    """Fit the line of the differences of optima over log2 size."""
    known = []
    for fit in one.fits:
        second = _at(other, fit.columns.size)
        if second is None:
            continue
        a, b = _estimate(fit.optimum), _estimate(second.optimum)
        if a is not None and b is not None:
            known.append((math.log2(fit.columns.size), a[0] - b[0], math.hypot(a[1], b[1])))
    if len(known) < 3:
        return None
    x, y, sd = zip(*known, strict=True)
    line = fit_line(x, y, sd=sd, level=level)
    return Interval(line.slope, line.slope_low, line.slope_high)


def _estimate(optimum: Optimum) -> tuple[float, float] | None:
    """Return x* with its standard deviation."""
    x, low, high = optimum.log2_lr, optimum.low, optimum.high
    if optimum.status != "ok" or x is None or low is None or high is None or low == high:
        return None
    return x, (high - low) / (2 * NORMAL)


def _regret(one: SchemeFits, other: SchemeFits, size: int, level: float) -> Interval | None:
    """Subtract the intervals of both regrets, each at half the error."""
    mine, theirs = (_regret_bounds(scheme, size, (1 - level) / 4) for scheme in (one, other))
    if mine is None or theirs is None:
        return None
    return Interval(mine[1] - theirs[1], mine[0] - theirs[2], mine[2] - theirs[0])


def _regret_bounds(scheme: SchemeFits, size: int, tail: float) -> tuple[float, float, float] | None:
    """Return a regret with its interval, from 0 where the rate used may itself be the best."""
    base, wide = _at(scheme, scheme.base), _at(scheme, size)
    if base is None or wide is None or base is wide or wide.draws is None:
        return None
    used, x = rate_used(base.optimum), wide.columns.log2_lr
    if used is None or not used.exact or not x[0] <= used.log2_lr <= x[-1]:
        return None
    draws = regret_draws(used, wide.draws)
    if not np.isfinite(draws).all():
        return None
    low, middle, high = (float(q) for q in np.quantile(draws, (tail, 0.5, 1 - tail)))
    return 0.0 if may_be_best(used, wide.optimum) else low, middle, high


def _best_loss(one: SchemeFits, other: SchemeFits, size: int, level: float) -> Interval | None:
    """Pair the losses of equal seeds at each scheme's best rate, then go to the curves' minima."""
    mine, theirs = (_best_column(scheme, size) for scheme in (one, other))
    if mine is None or theirs is None:
        return None
    (losses, gain), (other_losses, other_gain) = mine, theirs
    shared = losses.keys() & other_losses.keys()
    paired = np.array([losses[seed] - other_losses[seed] for seed in sorted(shared)])
    if len(paired) < 3:
        return None
    rng = np.random.default_rng(size)
    scatter = rng.standard_t(len(paired) - 1, len(gain)) * paired.std(ddof=1)
    draws = paired.mean() + scatter / math.sqrt(len(paired)) + gain - other_gain
    tail = (1 - level) / 2
    low, middle, high = (float(q) for q in np.quantile(draws, (tail, 0.5, 1 - tail)))
    return Interval(middle, low, high)


def _best_column(scheme: SchemeFits, size: int) -> tuple[dict[int, float], FloatArray] | None:
    """Return the loss of every seed at the best rate tried, and what curves gain beside it.

    The gain, shape (D,), is the minimum of each drawn curve less its value at that rate.
    """
    fit = _at(scheme, size)
    if fit is None or fit.draws is None or fit.optimum.status != "ok":
        return None
    (curve,) = [curve for curve in scheme.curves if curve.size == size]
    rate = fit.columns.log2_lr[fit.columns.loss.argmin()]
    column = curve.loss[:, int(np.flatnonzero(curve.log2_lr == rate)[0])]
    losses = {
        seed: loss
        for seed, loss in zip(curve.seeds, column.tolist(), strict=True)
        if math.isfinite(loss)
    }
    at_rate = fit.draws.loss[:, int(np.abs(fit.draws.log2_lr - rate).argmin())]
    return losses, fit.draws.loss.min(axis=1) - at_rate
