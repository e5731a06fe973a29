r"""Every size of a table predicted from the others: how the method does on one's own runs.

With :math:`D_{-s}` the runs of all sizes but s, the prediction for s rests on curves fitted to
:math:`D_{-s}` alone, so that s has no share in what sizes learn of each other's shape, and is put
beside the optimum of s with :math:`m_s - x_s` octaves between them (m the middle, x measured).

References:
    Stone (1974), Cross-Validatory Choice and Assessment of Statistical Predictions.
"""

import math
from collections.abc import Sequence

import numpy as np

from .answer import LeftOut, Optimum, Prediction, Regret, SecondOpinion
from .axis import AxisName
from .curves.fit import SizeFit, fit_sizes
from .prediction import predict
from .regret import RateUsed, decide_transfer
from .table import LossCurve

FEWEST = 3  # sizes, so that two are left to predict from


def leave_each_out(
    curves: Sequence[LossCurve],
    fits: Sequence[SizeFit],
    *,
    tolerance: float,
    absolute: bool = False,
    seed: int = 0,
    axis: AxisName = "width",
) -> SecondOpinion:
    """Predict every size from the others. The curves are fitted anew for each.

    Arguments:
        curves: Runs of one scheme, one curve per size.
        fits: Fits of all of them together.
        tolerance: Largest regret of a rate that transfers, for the regrets to name.
        absolute: Whether it is in units of the loss: then losses may have any sign.
        seed: Seed of the posterior draws.
        axis: What is varied.

    Returns:
        One entry per size, the largest first; none with fewer than three sizes.

    Example:
        >>> x = np.arange(-10.0, -2.0)
        >>> curves = [LossCurve(size=n, log2_lr=x, loss=np.array([3 + (x + 6.3) ** 2 / 16]))
        ...           for n in (64, 128, 256)]
        >>> opinion = leave_each_out(curves, fit_sizes(curves), tolerance=0.01)
        >>> [one.size for one in opinion.sizes], opinion.held, opinion.judged
        ([256, 128, 64], 3, 3)
    """
    if len(curves) < FEWEST:
        return SecondOpinion(())
    entries = []
    for fit in sorted(fits, key=lambda fit: fit.columns.size, reverse=True):
        size = fit.columns.size
        others = fit_sizes(
            [curve for curve in curves if curve.size != size], seed=seed, any_sign=absolute
        )
        predicted = predict(others, size=size, axis=axis)
        entries.append(_compare(fit, predicted, tolerance, absolute=absolute, axis=axis))
    return SecondOpinion(tuple(entries))


def _compare(
    fit: SizeFit,
    predicted: Prediction | None,
    tolerance: float,
    *,
    absolute: bool,
    axis: AxisName,
) -> LeftOut:
    optimum, octaves, holds, regret = fit.optimum, None, None, None
    if predicted is not None:
        holds = _holds(predicted, optimum)
        regret = _price(fit, predicted, tolerance, absolute=absolute, axis=axis)
        if optimum.status == "ok" and optimum.log2_lr is not None:
            octaves = math.log2(predicted.middle) - optimum.log2_lr
    return LeftOut(
        size=fit.columns.size,
        predicted=predicted,
        optimum=optimum,
        octaves=octaves,
        holds=holds,
        regret=regret,
    )


def _holds(predicted: Prediction, optimum: Optimum) -> bool | None:
    """Tell whether prediction and measurement agree within both intervals."""
    low, middle, high = (
        math.log2(rate) for rate in (predicted.low, predicted.middle, predicted.high)
    )
    x, least, most = optimum.log2_lr, optimum.low, optimum.high
    if optimum.status == "ok" and x is not None and least is not None and most is not None:
        ends = (high - middle, x - least) if x > middle else (middle - low, most - x)
        return abs(x - middle) <= math.hypot(*ends)
    beyond = (least is not None and high < least) or (most is not None and low > most)
    return False if beyond else None


def _price(
    fit: SizeFit, predicted: Prediction, tolerance: float, *, absolute: bool, axis: AxisName
) -> Regret | None:
    used = RateUsed.exactly(fit.columns.size, float(np.log2(predicted.lr)))
    decision = decide_transfer(
        used, fit, tolerance=tolerance, at_target=True, absolute=absolute, axis=axis
    )
    return decision.regret
