"""How schemes differ in drift, regret and best loss, with intervals that hold together.

Every scheme is compared with the first. Best losses are paired by seed, since schemes share initial
values and batches; drifts are those over the sizes that both have. Regrets are not paired: the
interval of their difference is that of intervals. With C differences of one table each interval
has coverage 1 − 0.05 / C (Bonferroni), so that all hold at once with 95 %.

References:
    Dunn (1961), Multiple Comparisons Among Means.
    https://doi.org/10.1080/01621459.1961.10482090
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray
from .answer import Comparison, Interval
from .axis import AxisName
from .curves.fit import SizeFit
from .regret import carry_over, counts_in_loss, draw_regrets, may_be_best
from .table import LossCurve
from .trend import measure_drift

DRIFT_DRAWS = 20_000
QUANTITIES = 3  # drift, regret, best loss
JOINT_LEVEL = 0.95  # of all intervals of a table together


@dataclass(frozen=True, eq=False)
class SchemeFits:
    """Curves of one scheme, their fits, and the base size."""

    curves: Sequence[LossCurve]
    fits: Sequence[SizeFit]
    base: int


def compare(
    schemes: Mapping[str, SchemeFits],
    *,
    absolute_tolerance: float | None = None,
    axis: AxisName = "width",
) -> tuple[Comparison, ...]:
    """Compare every scheme with the first.

    Arguments:
        schemes: Fits by scheme.
        absolute_tolerance: Largest regret of a rate that transfers, where it is in units of the
            loss: then the difference of two regrets is, too, if one of them is.
        axis: What is varied.

    Returns:
        One comparison per further scheme that shares a size with the first. A difference that the
        runs do not determine is None.
    """
    names = list(schemes)
    level = 1 - (1 - JOINT_LEVEL) / max(1, QUANTITIES * (len(names) - 1))
    comparisons = (
        _compare(name, names[0], schemes, level, absolute_tolerance, axis) for name in names[1:]
    )
    return tuple(comparison for comparison in comparisons if comparison is not None)


def _compare(
    name: str,
    reference: str,
    schemes: Mapping[str, SchemeFits],
    level: float,
    absolute_tolerance: float | None,
    axis: AxisName,
) -> Comparison | None:
    one, other = schemes[name], schemes[reference]
    shared = sorted(_list_sizes(one) & _list_sizes(other))
    if not shared:
        return None
    in_loss_units = absolute_tolerance is not None and any(
        counts_in_loss(fit.columns, absolute_tolerance, absolute=True)
        for scheme in (one, other)
        if (fit := _find_fit(scheme, shared[-1]))
    )
    return Comparison(
        scheme=name,
        reference=reference,
        size=shared[-1],
        drift=_subtract_drifts(one, other, shared, level, axis),
        regret=_subtract_regrets(one, other, shared[-1], level, in_loss_units=in_loss_units),
        best_loss=_subtract_losses(one, other, shared[-1], level),
        in_loss_units=in_loss_units,
    )


def _list_sizes(scheme: SchemeFits) -> set[int]:
    return {fit.columns.size for fit in scheme.fits}


def _find_fit(scheme: SchemeFits, size: int) -> SizeFit | None:
    return next((fit for fit in scheme.fits if fit.columns.size == size), None)


def _subtract_drifts(
    one: SchemeFits, other: SchemeFits, sizes: Sequence[int], level: float, axis: AxisName
) -> Interval | None:
    """Subtract draws of both drifts over the sizes that both have."""
    rng, draws = np.random.default_rng(len(sizes)), []
    for scheme in (one, other):
        places = [
            fit.location
            for fit in scheme.fits
            if fit.location is not None and fit.location.size in sizes
        ]
        if len(places) < 2:
            return None
        draws.append(measure_drift(places, axis=axis).draw(DRIFT_DRAWS, rng))
    tail = (1 - level) / 2
    low, middle, high = np.quantile(draws[0] - draws[1], (tail, 0.5, 1 - tail))
    return Interval(float(middle), float(low), float(high))


def _subtract_regrets(
    one: SchemeFits, other: SchemeFits, size: int, level: float, *, in_loss_units: bool
) -> Interval | None:
    """Subtract the intervals of both regrets, each at half the error."""
    this, that = (
        _bound_regret(scheme, size, (1 - level) / 4, in_loss_units=in_loss_units)
        for scheme in (one, other)
    )
    if this is None or that is None:
        return None
    return Interval(this[1] - that[1], this[0] - that[2], this[2] - that[0])


def _bound_regret(
    scheme: SchemeFits, size: int, tail: float, *, in_loss_units: bool
) -> tuple[float, float, float] | None:
    """Return a regret with its interval, from 0 where the rate used may itself be the best."""
    base, destination = _find_fit(scheme, scheme.base), _find_fit(scheme, size)
    if base is None or destination is None or base is destination or destination.draws is None:
        return None
    used, x = carry_over(base), destination.columns.log2_lr
    if used is None or not used.exact or not x[0] <= used.log2_lr <= x[-1]:
        return None
    draws = draw_regrets(used, destination.draws, in_loss_units=in_loss_units)
    if not np.isfinite(draws).all():
        return None
    low, middle, high = (float(q) for q in np.quantile(draws, (tail, 0.5, 1 - tail)))
    return 0.0 if may_be_best(used, destination.optimum) else low, middle, high


def _subtract_losses(
    one: SchemeFits, other: SchemeFits, size: int, level: float
) -> Interval | None:
    """Pair the losses of equal seeds at each scheme's best rate, then go to the curves' minima."""
    this, that = (_find_best_column(scheme, size) for scheme in (one, other))
    if this is None or that is None:
        return None
    (losses, gain), (other_losses, other_gain) = this, that
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


def _find_best_column(scheme: SchemeFits, size: int) -> tuple[dict[int, float], FloatArray] | None:
    """Return the loss of every seed at the best rate tried, and what curves gain beside it.

    The gain, shape (D,), is the minimum of each drawn curve minus its value at that rate.
    """
    fit = _find_fit(scheme, size)
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
