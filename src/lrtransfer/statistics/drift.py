r"""How the optimum moves with size: slope of x* over log2 size, and its scatter about a line.

:math:`x^* = \log_2` of the best learning rate, :math:`L = \log_2` size. The drift is the mean slope
of the optimum's level between the smallest and the largest size measured (`trend`).
"""

from collections.abc import Sequence

import numpy as np

from ..scaling import fit_line
from .answer import Interval, Optimum
from .axis import AxisName
from .trend import Location, measure_drift

NORMAL = 1.96  # half a 95 % interval in standard deviations
LEAST_SD = 0.0125  # octaves: optima are found no finer than curves are drawn


def fit_drift(optima: Sequence[Location], *, axis: AxisName = "width") -> Interval | None:
    """Return the slope of x* over log2 size, in octaves per doubling, with its interval.

    Arguments:
        optima: Optima of one scheme.
        axis: What is varied.

    Returns:
        The drift, or None with fewer than two sizes.

    Example:
        >>> drift = fit_drift([Location(2**i, -i / 2, 0.05) for i in range(5, 9)])
        >>> round(drift.estimate, 1), drift.high - drift.low < 0.3
        (-0.5, True)
    """
    if len(optima) < 2:
        return None
    slope = measure_drift(optima, axis=axis)
    low, middle, high = slope.interval()
    return Interval(middle, low, high)


def fit_scatter(optima: Sequence[Optimum]) -> float | None:
    """Return the scatter of x* about its line beyond the optima's own intervals, in octaves.

    0 where the intervals alone explain how far the optima lie from the line, however far that is.
    None with fewer than three optima that are `ok`.

    Example:
        >>> fit_scatter([
        ...     Optimum(size=2**i, log2_lr=x, low=x - 1, high=x + 1, status="ok")
        ...     for i, x in enumerate((-0.7, -0.4, -1.3))])
        0.0
    """
    points = [
        (np.log2(o.size), o.log2_lr, max((o.high - o.low) / (2 * NORMAL), LEAST_SD))
        for o in optima
        if o.status == "ok" and o.log2_lr is not None and o.low is not None and o.high is not None
    ]
    if len(points) < 3:
        return None
    x, y, sd = zip(*points, strict=True)
    return fit_line(x, y, sd=sd).scatter
