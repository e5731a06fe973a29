r"""A straight line through a few uncertain points, with an honest interval.

W points :math:`(x_i, y_i)`, each with a standard error :math:`s_i`, and additional scatter τ around
the line: :math:`y_i \sim N(a + b x_i,\; s_i^2 + \tau^2)`. With W of 3 to 6, an interval that
ignores τ, or treats its estimate as exact, covers far less than its nominal level. A power law is
such a line between logarithms.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import UserError

FloatArray = npt.NDArray[np.float64]

SMALLEST_VARIANCE = 1e-150  # of points that lie on a line and have no errors
STEEPEST = 8.0  # largest exponent tried where noise may change the sign


@dataclass(frozen=True, eq=False, kw_only=True)
class LineFit:
    r"""A line fitted to W points.

    Attributes:
        slope: Estimate of b.
        slope_low: Lower end of its interval.
        slope_high: Upper end.
        scatter: Standard deviation τ of the points around the line beyond their standard errors.
        x: Abscissae, shape (W,).
        y: Ordinates, shape (W,).
        weights: :math:`1 / (s_i^2 + \tau^2)`, shape (W,).
        quantile: Student quantile of the intervals, with W − 2 degrees of freedom.
    """

    slope: float
    slope_low: float
    slope_high: float
    scatter: float
    x: FloatArray
    y: FloatArray
    weights: FloatArray
    quantile: float

    def leverage(self, x: float) -> FloatArray:
        """Return h, shape (W,), the weights of the points: the line at x is Σ h_i y_i."""
        share = self.weights / self.weights.sum()
        centred = self.x - share @ self.x
        leverage: FloatArray = share + (x - share @ self.x) * share * centred / (share @ centred**2)
        return leverage

    def predict(self, x: float) -> tuple[float, float, float]:
        """Return the value of the line at x and a prediction interval for a new point there.

        The interval is for a point measured without error: it includes the uncertainty of the line
        and the scatter around it.

        Returns:
            Value, lower end, upper end.
        """
        h = self.leverage(x)
        variance = self.scatter**2 + (h**2 / self.weights).sum()
        value, half = float(h @ self.y), self.quantile * math.sqrt(variance)
        return value, value - half, value + half


def fit_line(
    x: npt.ArrayLike, y: npt.ArrayLike, *, sd: npt.ArrayLike | None = None, level: float = 0.95
) -> LineFit:
    r"""Fit a line by random-effects regression with Hartung-Knapp-Sidik-Jonkman intervals.

    .. math:: \sum_i w_i r_i^2 = W - 2, \qquad w_i = 1 / (s_i^2 + \tau^2), \qquad
              \hat b \pm t_{W-2} \sqrt{q / \textstyle\sum_i w_i (x_i - \bar x)^2}

    The scatter τ solves the first equation (Paule & Mandel) or is 0, so that the factor
    :math:`q = \max(1, \sum w_i r_i^2 / (W - 2))` is 1. Without standard errors this is least
    squares with its usual intervals.

    References:
        Knapp & Hartung (2003), Improved tests for a random effects meta-regression with a single
        covariate. https://doi.org/10.1002/sim.1482

    Arguments:
        x: Abscissae, shape (W,), W >= 3, at least two different.
        y: Ordinates, shape (W,).
        sd: Standard errors of y, positive, shape (W,); None if unknown and equal.
        level: Coverage of the intervals.

    Returns:
        The line with the interval of its slope.

    Raises:
        UserError: If there are fewer than three points, or all lie at one x, or a number is not
            finite, or a standard error is not positive.

    Example:
        >>> line = fit_line([0, 1, 2], [1.0, 3.0, 5.0], sd=[0.1, 0.1, 0.1])
        >>> round(line.slope, 6), round(line.slope_high - line.slope, 3)
        (2.0, 0.898)
    """
    from scipy.special import stdtrit  # here, because scipy takes longer to load than the fit

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    errors = np.zeros_like(y) if sd is None else np.asarray(sd, dtype=np.float64)
    _check_points(x, y, errors, has_errors=sd is not None)
    dof = len(x) - 2
    scatter = _paule_mandel(x, y, errors)
    weights = 1 / np.maximum(errors**2 + scatter**2, SMALLEST_VARIANCE)
    slope, _ = _weighted_line(x, y, weights)
    quantile = float(stdtrit(dof, (1 + level) / 2))
    half = quantile / math.sqrt(weights @ (x - np.average(x, weights=weights)) ** 2)
    return LineFit(
        slope=slope,
        slope_low=slope - half,
        slope_high=slope + half,
        scatter=scatter,
        x=x,
        y=y,
        weights=weights,
        quantile=quantile,
    )


def fit_power_law(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    relative_sd: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> LineFit:
    r"""Fit :math:`y = c\,x^b` as a line between log2 x and log2 y.

    Arguments:
        x: Positive abscissae, shape (W,).
        y: Positive ordinates, shape (W,).
        relative_sd: Standard errors of y as shares of y, shape (W,); None if unknown and equal.
        level: Coverage of the intervals.

    Returns:
        The line: its slope is the exponent b; its predictions are log2 y at log2 x.

    Raises:
        UserError: If an x or y is not positive, or for the reasons of `fit_line`.

    Example:
        >>> law = fit_power_law([1, 2, 4, 8], [3.0, 1.5, 0.75, 0.375])
        >>> round(law.slope, 9)
        -1.0
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if not ((x > 0).all() and (y > 0).all()):
        raise UserError(
            f"fit_power_law: got x = {x.tolist()}, y = {y.tolist()}, wanted positive numbers: "
            "only they have a logarithm. Leave the others out, or fit a line."
        )
    sd = None if relative_sd is None else np.asarray(relative_sd, dtype=np.float64) / np.log(2)
    return fit_line(np.log2(x), np.log2(y), sd=sd, level=level)


@dataclass(frozen=True)
class Exponent:
    """An exponent with its interval.

    Attributes:
        value: Estimate.
        low: Lower end; infinite where the points do not bound it.
        high: Upper end; infinite where the points do not bound it.
    """

    value: float
    low: float
    high: float


def fit_signed_power_law(
    x: npt.ArrayLike, y: npt.ArrayLike, *, sd: npt.ArrayLike, level: float = 0.95
) -> Exponent:
    r"""Fit :math:`y = c\,x^b` where noise may change the sign of y, which then has no logarithm.

    .. math:: \chi^2(b) = \min_c \sum_i (y_i - c\,x_i^b)^2 / s_i^2, \qquad
        \{b : \chi^2(b) - \min \chi^2 \le q\, t_{W-2}^2\}

    is the interval (a profile likelihood), with :math:`q = \max(1, \min \chi^2 / (W - 2))`.

    Arguments:
        x: Positive abscissae, shape (W,), W >= 3.
        y: Ordinates of any sign, shape (W,).
        sd: Their standard errors, positive, shape (W,).
        level: Coverage of the interval.

    Returns:
        The exponent b, sought between -STEEPEST and STEEPEST.

    Raises:
        UserError: For the reasons of `fit_line`.

    Example:
        >>> law = fit_signed_power_law([1, 2, 4, 8], [8.1, 4.0, 2.1, -0.5], sd=[0.1] * 4)
        >>> law.low < -1 < law.high
        True
    """
    from scipy.special import stdtrit

    x, y, sd = (np.asarray(values, dtype=np.float64) for values in (x, y, sd))
    _check_points(x, y, sd, has_errors=True)
    exponents = np.linspace(-STEEPEST, STEEPEST, 3201)
    powers = np.exp(exponents[:, None] * (np.log(x) - np.log(x).mean())) / sd
    powers /= np.linalg.norm(powers, axis=1, keepdims=True)
    misfit = (y / sd) @ (y / sd) - (powers @ (y / sd)) ** 2
    dof, best = len(x) - 2, misfit.min()
    allowed = best + max(1, best / dof) * float(stdtrit(dof, (1 + level) / 2)) ** 2
    within = exponents[misfit <= allowed]
    low, high = float(within[0]), float(within[-1])
    return Exponent(
        value=float(exponents[misfit.argmin()]),
        low=low if low > -STEEPEST else -math.inf,
        high=high if high < STEEPEST else math.inf,
    )


def _weighted_line(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[float, FloatArray]:
    """Return slope and residuals of the weighted least squares line."""
    dx, dy = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    slope = float((weights * dx) @ dy / ((weights * dx) @ dx))
    residual: FloatArray = dy - slope * dx
    return slope, residual


def _paule_mandel(x: FloatArray, y: FloatArray, sd: FloatArray) -> float:
    """Return τ at which the weighted sum of squared residuals equals its degrees of freedom."""
    dof = len(x) - 2
    residual = _weighted_line(x, y, np.ones_like(y))[1]
    if not sd.any():
        return math.sqrt(residual @ residual / dof)

    def excess(variance: float) -> float:
        weights = 1 / (sd**2 + variance)
        return float(weights @ _weighted_line(x, y, weights)[1] ** 2) - dof

    # Σ w r² at its minimum is no more than that of the plain residuals with all w = 1/τ².
    low, high = 0.0, float(residual @ residual) / dof
    if excess(low) <= 0:
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return math.sqrt(high)


def _check_points(x: FloatArray, y: FloatArray, sd: FloatArray, *, has_errors: bool) -> None:
    if x.ndim != 1 or x.shape != y.shape or x.shape != sd.shape or len(x) < 3:
        raise UserError(
            f"fit_line: got x, y and sd of shapes {x.shape}, {y.shape} and {sd.shape}, wanted one "
            "number each for at least 3 points. Add points: two leave nothing to judge a line by."
        )
    if not np.isfinite([x, y, sd]).all() or np.ptp(x) == 0 or (has_errors and not (sd > 0).all()):
        raise UserError(
            f"fit_line: got x = {x.tolist()}, y = {y.tolist()}, sd = {sd.tolist()}, wanted finite "
            "numbers at different x with positive sd. Leave out the points that have none."
        )
