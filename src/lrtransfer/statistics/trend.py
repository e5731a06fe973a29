r"""Where the optimum lies at a size that was not measured.

:math:`x^* = \log_2` of the best learning rate, :math:`L = \log_2` size. The optimum follows a level
that moves by a slope which fades and wanders, and scatters about it:

.. math:: x^*(L) = z(L) + \varepsilon_L, \quad dz = \beta\, dL, \quad
          d\beta = -\kappa \beta\, dL + \gamma\, dW, \quad
          \beta(L_{min}) \sim N(0, s^2), \quad \varepsilon_L \sim N(0, \omega^2),

so that a drift may go on, bend or level off. The level is flat a priori. :math:`\kappa, \gamma`, s
and ω are summed over on a grid, weighted by what public sweeps say of them (`PRIORS`) and by the
evidence of the optima at hand. Given them everything is normal (integrated Ornstein-Uhlenbeck
process), so that a prediction is a mixture of normals in closed form.

References:
    Uhlenbeck & Ornstein (1930), On the theory of the Brownian motion.
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, section 2.7.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..scaling import FloatArray
from .answer import TAIL
from .axis import AxisName

LEAST_DECAY = 1e-2  # per doubling: no different from none over 10 doublings, to 5 %
KNOWN = 0.05  # standard deviation in octaves of an optimum that is as good as known
LEAST_SHARE = 1e-7  # weight from which a part of a mixture counts in a quantile
BISECTIONS = 28  # for a quantile: a thousandth of an octave and less
LEAST_VARIANCE = 1e-4  # octaves² of an optimum, however well it seems to be known


class Place(Protocol):
    """An optimum that is known up to a standard deviation."""

    @property
    def log2_lr(self) -> float:
        """Log2 of the rate."""

    @property
    def sd(self) -> float:
        """Its standard deviation in octaves."""


@dataclass(frozen=True)
class Location:
    """Where the optimum of a size lies: log2 of the rate with its standard deviation."""

    size: int
    log2_lr: float
    sd: float


@dataclass(frozen=True, kw_only=True)
class TrendPrior:
    """Weights of the trend's settings.

    Attributes:
        slopes: (κ, γ) with weights: how fast a slope fades per doubling, and how much it wanders.
        first: s with weights: the slope at the smallest size, octaves per doubling.
        scatters: ω with weights, octaves.
    """

    slopes: tuple[tuple[float, float, float], ...]
    first: tuple[tuple[float, float], ...]
    scatters: tuple[tuple[float, float], ...]

    @cached_property
    def models(self) -> FloatArray:
        """Every combination: rows of κ, γ, s, ω and the log weight, shape (M, 5)."""
        rows = [
            (decay, wander, start, scatter, math.log(a * b * c))
            for decay, wander, a in self.slopes
            for start, b in self.first
            for scatter, c in self.scatters
        ]
        return np.array(rows)


_SCATTERS = ((0.03, 0.66), (0.1, 0.25), (0.25, 0.07), (0.5, 0.02))
# Weights come from the optima of public sweeps (docs/measurements/statistics.md): along width a
# drift mostly goes on or fades slowly; along batch and training length it levels off within a
# doubling or turns.
_LASTING = TrendPrior(
    slopes=(
        (0.0, 0.0, 0.16),
        (0.0, 0.1, 0.12),
        (0.35, 0.2, 0.17),
        (0.35, 0.4, 0.22),
        (1.0, 0.3, 0.08),
        (1.0, 0.7, 0.18),
        (2.0, 0.6, 0.03),
        (2.0, 1.2, 0.04),
    ),
    first=((0.05, 0.07), (0.25, 0.10), (0.7, 0.83)),
    scatters=_SCATTERS,
)
_FADING = TrendPrior(
    slopes=((0.35, 0.2, 0.1), (1.0, 0.3, 0.4), (1.0, 0.7, 0.2), (2.0, 0.5, 0.3)),
    first=((0.05, 0.35), (0.25, 0.40), (0.7, 0.25)),
    scatters=_SCATTERS,
)
PRIORS: dict[AxisName, TrendPrior] = {
    "width": _LASTING,
    "depth": _LASTING,
    "batch": _FADING,
    "steps": _FADING,
    "params": _LASTING,
    "tokens": _FADING,
}


# A drift speaks of the sizes measured: how far their optima scatter is more for themselves to tell.
DRIFT_SCATTERS = ((0.03, 0.4), (0.1, 0.25), (0.25, 0.2), (0.5, 0.1), (1.0, 0.05))


@dataclass(frozen=True, eq=False)
class NormalMixture:
    """Mixture of normals.

    Attributes:
        weights: Of its parts, summing to 1, shape (M,).
        means: Their means.
        sds: Their standard deviations.
    """

    weights: FloatArray
    means: FloatArray
    sds: FloatArray

    @property
    def mean(self) -> float:
        """The mean."""
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        """The standard deviation."""
        spread = self.sds**2 + (self.means - self.mean) ** 2
        return math.sqrt(float(self.weights @ spread))

    def interval(self) -> tuple[float, float, float]:
        """Return the lower end of the 95 % interval, the median and the upper end."""
        return self.quantile(TAIL), self.quantile(0.5), self.quantile(1 - TAIL)

    def density(self, x: FloatArray) -> FloatArray:
        """Return the density at x, shape (len(x),)."""
        parts = np.exp(-(((x[:, None] - self.means) / self.sds) ** 2) / 2) / self.sds
        density: FloatArray = parts @ self.weights / math.sqrt(2 * math.pi)
        return density

    def quantile(self, share: float) -> float:
        """Return the quantile of a share between 0 and 1, by bisection."""
        low = float((self.means - 9 * self.sds).min())
        high = float((self.means + 9 * self.sds).max())
        every = zip(self.weights, self.means, self.sds * math.sqrt(2), strict=True)
        parts = [part for part in every if part[0] > LEAST_SHARE]
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = sum(w * (1 + math.erf((middle - m) / sd)) for w, m, sd in parts) / 2
            low, high = (middle, high) if below < share else (low, middle)
        return (low + high) / 2

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Return draws, shape (count,)."""
        part = rng.choice(len(self.weights), count, p=self.weights)
        draws: FloatArray = rng.normal(self.means[part], self.sds[part])
        return draws


def predict_optimum(
    optima: Sequence[Location], *, size: int, axis: AxisName = "width"
) -> NormalMixture:
    r"""Return the distribution of x* at a size.

    Arguments:
        optima: Optima of other sizes, one or more.
        size: Size to predict for.
        axis: What is varied; it chooses the prior.

    Example:
        >>> line = [Location(2**i, -i / 2, 0.05) for i in range(5, 10)]
        >>> where = predict_optimum(line, size=1024)
        >>> round(where.mean, 1), where.sd < 0.5
        (-5.0, True)
    """
    models = PRIORS[axis].models
    sizes = np.log2([float(place.size) for place in optima] + [float(size)])
    paths = covary(sizes - sizes.min(), models)
    n, scatter = len(optima), models[:, 3]
    own = paths[:, n, n] + scatter**2
    return krige(
        optima,
        paths[:, :n, :n],
        paths[:, :n, n],
        own,
        scatter=scatter,
        log_prior=models[:, 4],
        level=1.0,
    )


def measure_drift(optima: Sequence[Location], *, axis: AxisName = "width") -> NormalMixture:
    r"""Return the distribution of the level's mean slope, :math:`\Delta z / \Delta L`.

    Arguments:
        optima: Optima of two sizes or more.
        axis: What is varied; it chooses the prior.

    Example:
        >>> line = [Location(2**i, -i / 2, 0.05) for i in range(5, 10)]
        >>> round(measure_drift(line).mean, 2)
        -0.5
    """
    models = replace(PRIORS[axis], scatters=DRIFT_SCATTERS).models
    sizes = np.log2([float(place.size) for place in optima])
    paths = covary(sizes - sizes.min(), models)
    first, last = int(sizes.argmin()), int(sizes.argmax())
    cross = paths[:, :, last] - paths[:, :, first]
    own = cross[:, last] - cross[:, first]
    change = krige(
        optima, paths, cross, own, scatter=models[:, 3], log_prior=models[:, 4], level=0.0
    )
    doublings = sizes[last] - sizes[first]
    return NormalMixture(change.weights, change.means / doublings, change.sds / doublings)


def weigh_sizes(sizes: Sequence[int], *, target: int, axis: AxisName = "width") -> FloatArray:
    """Return h with (prediction at the target) = Σ h x* before any optimum is known.

    Arguments:
        sizes: Sizes measured, increasing or not.
        target: Size to predict for.
        axis: What is varied.

    Returns:
        h by increasing size, shape (W,).

    Example:
        >>> weigh_sizes([64, 128, 256], target=512).sum().round(6)
        np.float64(1.0)
    """
    size = sorted(sizes)
    places = [[Location(n, float(n == one), KNOWN) for n in size] for one in size]
    prior = [PRIORS[axis].models[:, 4]] * len(size)
    predicted = [predict_optimum(place, size=target, axis=axis) for place in places]
    return np.array([np.exp(w) @ one.means for w, one in zip(prior, predicted, strict=True)])


def least_octaves(sizes: Sequence[int], *, target: int, axis: AxisName = "width") -> float:
    """Return half the predictive interval that is left where all optima are known and equal.

    Example:
        >>> round(least_octaves([64, 128, 256, 512], target=1024), 1)
        0.4
    """
    where = predict_optimum([Location(n, 0.0, KNOWN) for n in sizes], size=target, axis=axis)
    low, _, high = where.interval()
    return (high - low) / 2


def krige(
    optima: Sequence[Place],
    paths: FloatArray,
    cross: FloatArray,
    own: FloatArray,
    *,
    scatter: FloatArray,
    log_prior: FloatArray,
    level: float,
) -> NormalMixture:
    r"""Return the distribution of a quantity given the optima, its level unknown.

    With C the covariance of the optima about the level, c that with the quantity, which holds the
    level h times,

    .. math:: \mu = \frac{1^\top C^{-1} x}{1^\top C^{-1} 1}, \quad
              m = h \mu + c^\top C^{-1} (x - \mu 1), \quad
              v = c_0 - c^\top C^{-1} c + \frac{(h - 1^\top C^{-1} c)^2}{1^\top C^{-1} 1}.

    Arguments:
        optima: The optima, n of them.
        paths: Covariance of z at their sizes, shape (M, n, n).
        cross: Its covariance with the quantity, shape (M, n).
        own: Variance of the quantity about the level, shape (M,).
        scatter: ω, shape (M,).
        log_prior: Log weights of the settings before any optimum is known, shape (M,).
        level: h.
    """
    x = np.array([place.log2_lr for place in optima])
    noise = np.array([place.sd for place in optima]) ** 2 + LEAST_VARIANCE
    data = paths + np.eye(len(x)) * (noise + scatter[:, None] ** 2)[:, None, :]
    sides = np.stack([np.broadcast_to(x, cross.shape), np.ones_like(cross), cross], axis=-1)
    of_x, of_ones, of_cross = np.moveaxis(np.linalg.solve(data, sides), -1, 0)
    precision = of_ones.sum(axis=1)
    mean = of_x.sum(axis=1) / precision
    rest = x - mean[:, None]
    explained = (rest * (of_x - mean[:, None] * of_ones)).sum(axis=1)
    lack = level - of_cross.sum(axis=1)
    variances = own - (of_cross * cross).sum(axis=1) + lack**2 / precision
    log_det = np.linalg.slogdet(data)[1]
    log_weights = log_prior - (log_det + np.log(precision) + explained) / 2
    weights = np.exp(log_weights - log_weights.max())
    return NormalMixture(
        weights / weights.sum(),
        level * mean + (of_cross * rest).sum(axis=1),
        np.sqrt(np.maximum(variances, LEAST_VARIANCE)),
    )


def covary(t: FloatArray, models: FloatArray) -> FloatArray:
    r"""Return the covariance of z at t doublings from the start, shape (M, len(t), len(t)).

    .. math:: s^2 a(t) a(t') + \frac{\gamma^2}{2 \kappa^3} \Big(2 \kappa \min(t, t') - 2 +
              2 e^{-\kappa t} + 2 e^{-\kappa t'} - e^{-\kappa |t - t'|} - e^{-\kappa (t + t')}\Big),
              \qquad a(t) = (1 - e^{-\kappa t}) / \kappa,

    and its limit where κ = 0.
    """
    decay, wander, first = (column[:, None, None] for column in models.T[:3])
    k = np.maximum(decay, LEAST_DECAY)
    one, other = t[:, None], t[None, :]
    shared = np.minimum(one, other)
    a = -np.expm1(-k * t) / k
    slopes = first**2 * a.swapaxes(1, 2) * a
    wandering = (
        (2 * k * shared - 2 + 2 * np.exp(-k * one) + 2 * np.exp(-k * other))
        - np.exp(-k * np.abs(one - other))
        - np.exp(-k * (one + other))
    )
    covariance: FloatArray = slopes + wander**2 / (2 * k**3) * wandering
    return covariance
