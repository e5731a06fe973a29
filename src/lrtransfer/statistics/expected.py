r"""What the base optimum is expected to cost at a target that was not measured.

A curve g drawn for the largest measured size is moved to where the target's optimum may be, and its
height is scaled by the trend of the curvature over the sizes:

.. math:: r = 2^{c\,(L_0 - L_w)}\, \frac{g(x_g + \hat x - x_0) - g(x_g)}{\ell_{best}}

with :math:`\hat x` the rate used, :math:`x_0` the target's optimum (drawn from its prediction),
:math:`x_g` the minimum of g, L = log2 size, and c the change of log2 curvature per doubling. The
curvature of a size is what its curve rises by one octave beside the minimum, as a share of the
best loss; c has the prior N(0, 0.25²). Shares are of the best loss of the largest measured size.
With a tolerance in units of the loss, curvatures are in these units, too.
"""

from collections.abc import Sequence

import numpy as np

from ..scaling import FloatArray
from .answer import TAIL, Regret
from .axis import AxisName
from .curves.curve import find_minima, rise_at
from .curves.fit import SizeFit
from .prediction import locate_target
from .regret import RateUsed, counts_in_loss

CHANGE = 0.25  # prior standard deviation of c


def expected_regret(
    used: RateUsed,
    fits: Sequence[SizeFit],
    *,
    size: int,
    tolerance: float,
    rng: np.random.Generator,
    absolute: bool = False,
    axis: AxisName = "width",
) -> Regret | None:
    """Return the regret to be expected at a size that was not measured.

    Arguments:
        used: The rate, exactly known.
        fits: Fits of all measured sizes.
        size: The target.
        tolerance: Largest regret of a rate that transfers, for the result to name.
        rng: Source of the draws.
        absolute: Whether the tolerance is in units of the loss.
        axis: What is varied.

    Returns:
        The regret, its interval open above where the rate may lie beyond the rates tried, and from
        0 where it may be the target's best; None where there is no prediction for the target or no
        curve to move.
    """
    largest = max(fits, key=lambda fit: fit.columns.size)
    curves = largest.draws
    if curves is None or largest.optimum.status != "ok" or not used.exact:
        return None
    count = len(curves.loss)
    where = locate_target(fits, size=size, axis=axis)
    if where is None:
        return None
    at = where.draw(count, rng)
    doublings = np.log2(size / largest.columns.size)
    scale = 2.0 ** (doublings * _draw_curvature_trend(fits, count, rng, absolute=absolute))
    excess = scale * rise_at(curves, find_minima(curves) + used.log2_lr - at)
    in_loss_units = counts_in_loss(largest.columns, tolerance, absolute=absolute)
    unit = 1.0 if in_loss_units else largest.columns.best_loss
    regrets = np.where(np.isnan(excess), np.inf, excess) / unit
    low, estimate, high = (
        float(q) for q in np.quantile(regrets, (TAIL, 0.5, 1 - TAIL), method="inverted_cdf")
    )
    if not np.isfinite(estimate):
        return None
    first, last = np.quantile(at, (TAIL, 1 - TAIL))
    may_be_best = first <= used.log2_lr <= last
    return Regret(
        size=size,
        measured=False,
        estimate=estimate,
        low=0.0 if may_be_best else low,
        high=high if np.isfinite(high) else None,
        tolerance=tolerance / unit if absolute else tolerance,
        log2_lr=used.log2_lr,
        best_loss=largest.columns.best_loss,
        low_quantile=TAIL,
        high_quantile=1 - TAIL,
        in_loss_units=in_loss_units,
    )


def _draw_curvature_trend(
    fits: Sequence[SizeFit], count: int, rng: np.random.Generator, *, absolute: bool
) -> FloatArray:
    """Draw c from its prior and the curvatures of the sizes."""
    measured = ((fit.columns.size, _measure_rise(fit, absolute=absolute)) for fit in fits)
    rises = [(np.log2(size), *rise) for size, rise in measured if rise is not None]
    if len(rises) < 2:
        return rng.normal(0, CHANGE, count)
    x, y, sd = np.array(rises).T
    weights = 1 / sd**2
    centred = x - np.average(x, weights=weights)
    information = float(weights @ centred**2)
    precision = information + CHANGE**-2
    return rng.normal(weights @ (centred * y) / precision, precision**-0.5, count)


def _measure_rise(fit: SizeFit, *, absolute: bool) -> tuple[float, float] | None:
    """Return log2 of what the curve rises in an octave, with its standard deviation."""
    if fit.draws is None or fit.optimum.status != "ok":
        return None
    minima = find_minima(fit.draws)
    sides = np.array([rise_at(fit.draws, minima + side) for side in (-1.0, 1.0)])
    usable = np.isfinite(sides)
    rise = np.where(usable, sides, 0).sum(axis=0) / np.maximum(usable.sum(axis=0), 1)
    rise = rise[rise > 0] / (1.0 if absolute else fit.columns.best_loss)
    if len(rise) < len(minima) / 2:
        return None
    low, middle, high = np.quantile(np.log2(rise), (0.16, 0.5, 0.84))
    return float(middle), max(float(high - low) / 2, 0.01)
