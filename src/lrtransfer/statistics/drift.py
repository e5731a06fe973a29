r"""How the optimum moves with size, and where it may be at the target.

:math:`x^* = \log_2` of the best learning rate, :math:`L = \log_2` size. The drift is the slope of
x* over L. The interval of one size leaves out how much x* scatters about any line, so that the
line is fitted by random effects (`scaling`).

References:
    Knapp & Hartung (2003), Improved tests for a random effects meta-regression with a single
    covariate. https://doi.org/10.1002/sim.1482
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray, LineFit, fit_line
from .answer import Interval, Optimum, Prediction
from .axis import AXES, Axis, AxisName
from .curves.curve import STEP

BEND = 0.06  # prior standard deviation of the bend, octaves per doubling²
MOST_OCTAVES = 10.0  # either way: a factor of a thousand is no prediction
NORMAL = 1.96  # half a 95 % interval in standard deviations


def fit_drift(optima: Sequence[Optimum]) -> Interval | None:
    """Return the slope of x* over log2 size, in octaves per doubling, with its interval.

    Arguments:
        optima: Optima of one scheme; those that are not `ok` are left out.

    Returns:
        The drift, or None with fewer than three optima.

    Example:
        >>> drift = fit_drift([
        ...     Optimum(size=2**i, log2_lr=-i / 2, low=-i / 2 - 0.1, high=-i / 2 + 0.1, status="ok")
        ...     for i in range(5, 9)])
        >>> round(drift.estimate, 6), round(drift.high - drift.low, 2)
        (-0.5, 0.2)
    """
    line = _fit_line(optima)
    return None if line is None else Interval(line.slope, line.slope_low, line.slope_high)


def fit_scatter(optima: Sequence[Optimum]) -> float | None:
    """Return the scatter of x* about its line beyond the optima's own intervals, in octaves.

    0 where the intervals alone explain how far the optima lie from the line, however far that is.

    Example:
        >>> fit_scatter([
        ...     Optimum(size=2**i, log2_lr=x, low=x - 1, high=x + 1, status="ok")
        ...     for i, x in enumerate((-0.7, -0.4, -1.3))])
        0.0
    """
    line = _fit_line(optima)
    return None if line is None else line.scatter


def predict(optima: Sequence[Optimum], *, size: int, axis: AxisName = "width") -> Prediction | None:
    r"""Return the learning rate for a size from the trend of the optima.

    With :math:`\hat x = \sum_i h_i x_i` the line's value at the target :math:`L_0`, a bend b in
    :math:`x^*(L) = a + sL + \tfrac{b}{2} L^2` moves truth and line apart by

    .. math:: \tfrac{b}{2} \Big(L_0^2 - \sum_i h_i L_i^2\Big), \qquad b \sim N(0, 0.06^2),

    whose 95 % range is added in squares to the predictive interval of the line.

    Arguments:
        optima: Optima of one scheme; those that are not `ok` are left out.
        size: Size to predict for.
        axis: What is varied, for the assumption's words.

    Returns:
        The prediction, or None with fewer than three optima or if it is uncertain by more than a
        factor of a thousand either way.

    Example:
        >>> flat = [Optimum(size=2**i, log2_lr=-6.0, low=-6.1, high=-5.9, status="ok")
        ...         for i in range(5, 9)]
        >>> prediction = predict(flat, size=4096)
        >>> round(prediction.lr, 6), round(prediction.high / prediction.lr, 1)
        (0.015625, 3.5)
    """
    spread = _find_spread(optima, size)
    if spread is None:
        return None
    half = float(np.hypot(spread.line, NORMAL * spread.bend))
    return Prediction(
        size=size,
        lr=2.0**spread.value,
        low=2.0 ** (spread.value - half),
        high=2.0 ** (spread.value + half),
        assumption=_state_assumption(AXES[axis]),
    )


def octaves_either_way(prediction: Prediction | None) -> float | None:
    """Return half the predictive interval in octaves, None where there is no prediction."""
    return None if prediction is None else float(np.log2(prediction.high / prediction.low)) / 2


def target_leverage(sizes: Sequence[int], *, target: int) -> FloatArray:
    """Return h with (prediction at the target) = Σ h x*, of optima known equally well.

    Arguments:
        sizes: Sizes measured, at least three, increasing or not.
        target: Size to predict for.

    Returns:
        h by increasing size, shape (W,).

    Example:
        >>> target_leverage([64, 128, 256], target=512).round(3)
        array([-0.667,  0.333,  1.333])
    """
    x = np.log2(np.sort(np.asarray(sizes, dtype=np.float64)))
    return fit_line(x, np.zeros_like(x), sd=np.ones_like(x)).leverage(float(np.log2(target)))


def least_octaves(sizes: Sequence[int], *, target: int) -> float:
    """Return half the predictive interval that a possible bend leaves, were all optima known.

    Example:
        >>> round(least_octaves([64, 128, 256, 512], target=1024), 2)
        0.29
    """
    x = np.log2(np.sort(np.asarray(sizes, dtype=np.float64)))
    lack = (np.log2(target) ** 2 - target_leverage(sizes, target=target) @ x**2) / 2
    return float(abs(NORMAL * BEND * lack))


def draw_optima(
    optima: Sequence[Optimum], *, size: int, count: int, rng: np.random.Generator
) -> FloatArray | None:
    """Draw x* at a size from what `predict` states as an interval.

    Arguments:
        optima: Optima of one scheme.
        size: Size to predict for.
        count: Number of draws.
        rng: Their source.

    Returns:
        x*, shape (count,); None where there is no prediction.
    """
    spread = _find_spread(optima, size)
    if spread is None:
        return None
    scatter = rng.standard_t(spread.dof, count) * spread.line / spread.quantile
    draws: FloatArray = spread.value + scatter + rng.normal(0, abs(spread.bend), count)
    return draws


def _state_assumption(axis: Axis) -> str:
    return (
        f"the drift stays what it is at the measured {axis.plural}, or changes from one doubling "
        f"of {axis.name} to the next by about {BEND} octaves per doubling (one standard deviation)"
    )


@dataclass(frozen=True, kw_only=True)
class _Spread:
    """Uncertainty of a prediction, apart for line and bend.

    Attributes:
        value: The prediction, x* at the target.
        line: Half the predictive interval of the line.
        bend: Standard deviation of what a bend adds, with a sign.
        dof: Degrees of freedom of the line.
        quantile: Student quantile of the line's interval.
    """

    value: float
    line: float
    bend: float
    dof: int
    quantile: float


def _find_spread(optima: Sequence[Optimum], size: int) -> _Spread | None:
    line = _fit_line(optima)
    if line is None:
        return None
    at = np.log2(size)
    value, low, _ = line.predict(at)
    lack = (at**2 - line.leverage(at) @ line.x**2) / 2
    if np.hypot(value - low, NORMAL * BEND * lack) > MOST_OCTAVES:
        return None
    return _Spread(
        value=value,
        line=value - low,
        bend=float(BEND * lack),
        dof=len(line.x) - 2,
        quantile=line.quantile,
    )


def _fit_line(optima: Sequence[Optimum]) -> LineFit | None:
    points = [
        (np.log2(o.size), o.log2_lr, (o.high - o.low) / (2 * NORMAL))
        for o in optima
        if o.status == "ok" and o.log2_lr is not None and o.low is not None and o.high is not None
    ]
    if len(points) < 3:
        return None
    x, y, sd = zip(*points, strict=True)
    return fit_line(x, y, sd=np.maximum(sd, STEP / 4))  # no finer than curves are drawn
