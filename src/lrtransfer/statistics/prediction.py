r"""The learning rate for a size that was not measured.

The optimum there has a distribution (`trend`). The rate to use is not its middle but that of the
least expected loss: with g a curve drawn for the largest measured size, lowest at :math:`x_g`, and
:math:`x_0` a draw of the optimum at the target,

.. math:: \hat x = \arg\min_x E\big[\min(g(x_g + x - x_0) - g(x_g),\, 30 h)\big],

h the height of its valley: beside a wall the rate keeps away from it.
"""

import math
from collections.abc import Sequence

import numpy as np

from .answer import Prediction
from .axis import AXES, Axis, AxisName
from .curves.curve import CurveDraws, find_minima
from .curves.fit import SizeFit
from .trend import Location, NormalMixture, predict_optimum

MOST_OCTAVES = 10.0  # either way: a factor of a thousand is no prediction
WORST_HEIGHTS = 30.0  # valley heights beyond which all losses are equally bad
AWAY = np.linspace(-6.0, 6.0, 481)  # octaves from a minimum, and from the middle
CANDIDATES = np.linspace(-1.5, 1.5, 61)  # octaves from the middle of the predicted optimum
# Share of an interval one doubling ahead or less: the optima of public sweeps lay closer to their
# predictions than the trend's prior alone would have it (docs/measurements).
NEAR, NEAR_DOUBLINGS = 0.95, 1.1


def predict(fits: Sequence[SizeFit], *, size: int, axis: AxisName = "width") -> Prediction | None:
    """Return the learning rate for a size from the curves of others.

    Arguments:
        fits: Fits of one scheme.
        size: Size to predict for.
        axis: What is varied.

    Returns:
        The prediction; None with fewer than two sizes whose optimum is bounded at all, or if it is
        uncertain by more than a factor of a thousand either way.

    Example:
        >>> from .table import LossCurve
        >>> from .curves.fit import fit_sizes
        >>> x = np.arange(-10.0, -2.0)
        >>> loss = np.array([3 + (x + 6) ** 2 / 16])
        >>> fits = fit_sizes([LossCurve(size=n, log2_lr=x, loss=loss) for n in (64, 128, 256)])
        >>> round(predict(fits, size=512).lr, 3)
        0.016
    """
    where = locate_target(fits, size=size, axis=axis)
    if where is None:
        return None
    low, middle, high = take_interval(where, list_locations(fits), size=size)
    if high - low > 2 * MOST_OCTAVES:
        return None
    curve = _choose_curve(fits, size)
    best = find_least_risk(curve, where, middle)
    return Prediction(
        size=size,
        lr=2.0 ** min(max(best, low), high),
        low=2.0**low,
        high=2.0**high,
        middle=2.0**middle,
        assumption=_state_assumption(AXES[axis]),
    )


def list_locations(fits: Sequence[SizeFit]) -> list[Location]:
    """Return where the optima are, of the sizes where something bounds them."""
    return [fit.location for fit in fits if fit.location is not None]


def locate_target(
    fits: Sequence[SizeFit], *, size: int, axis: AxisName = "width"
) -> NormalMixture | None:
    """Return the distribution of the optimum at a size, None with fewer than two optima."""
    locations = list_locations(fits)
    if len(locations) < 2:
        return None
    return predict_optimum(locations, size=size, axis=axis)


def octaves_either_way(prediction: Prediction | None) -> float | None:
    """Return half the predictive interval in octaves, None where there is no prediction."""
    return None if prediction is None else float(np.log2(prediction.high / prediction.low)) / 2


def take_interval(
    where: NormalMixture, places: Sequence[Location], *, size: int
) -> tuple[float, float, float]:
    """Return the 95 % interval of the optimum about its median: low, middle, high.

    Arguments:
        where: Distribution of the optimum at the target.
        places: Where the optima of the measured sizes lie.
        size: The target.
    """
    sizes = [place.size for place in places]
    doublings = max(0.0, math.log2(size / max(sizes)), math.log2(min(sizes) / size))
    low, middle, high = where.interval()
    share = NEAR if doublings <= NEAR_DOUBLINGS else 1.0
    return middle + share * (low - middle), middle, middle + share * (high - middle)


def _choose_curve(fits: Sequence[SizeFit], size: int) -> CurveDraws:
    """Return the curves of the size nearest to the target, one with an optimum if there is one."""
    drawn = [fit for fit in fits if fit.draws is not None]
    bounded = [fit for fit in drawn if fit.optimum.status == "ok"] or drawn
    nearest = min(bounded, key=lambda fit: abs(np.log2(fit.columns.size / size)))
    assert nearest.draws is not None
    return nearest.draws


def find_least_risk(curve: CurveDraws, where: NormalMixture, middle: float) -> float:
    """Return log2 of the rate of least expected excess.

    The mean excess of the curves over the distance from their minima is convolved with the density
    of the optimum: beside a wall a few draws of it would not do.

    Arguments:
        curve: Curves that the loss is taken from.
        where: The optimum at the target.
        middle: Its median; rates within an octave and a half of it are compared.
    """
    columns, x = curve.columns, curve.log2_lr
    worst = WORST_HEIGHTS * columns.height
    excess = np.minimum(curve.loss - curve.loss.min(axis=1, keepdims=True), worst)
    # Beyond an open end nothing is known but that the loss is no lower than at the end.
    left = None if columns.diverged_below is None else worst
    right = None if columns.diverged_above is None else worst
    rises = [
        np.interp(lowest + AWAY, x, row, left=left, right=right)
        for lowest, row in zip(find_minima(curve), excess, strict=True)
    ]
    mean = np.mean(rises, axis=0)
    optimum = middle + AWAY
    density = where.density(optimum)
    risks = [density @ np.interp(middle + c - optimum, AWAY, mean) for c in CANDIDATES]
    return middle + float(CANDIDATES[int(np.argmin(risks))])


def _state_assumption(axis: Axis) -> str:
    return (
        f"the optimum goes on over {axis.plural} as it did in public sweeps: a drift may fade, "
        "bend or go on, and changes with no sudden jump beyond the sizes measured"
    )
