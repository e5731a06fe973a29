r"""What the runs of one size say about the models of its curve (`models`).

K finite columns; H takes the curve's points to the columns and, where other sizes tell how curved
it is, to one second difference. Given a model, the data y are normal,

.. math:: y \sim N\big(H B b,\; H (B V B^\top + \tau^2 K) H^\top + \Sigma\big),

with B the powers of d, (b, V) the prior of :math:`\beta`, and Σ the noise. The seed residuals speak
for σ where there are several seeds, a prior where there is one.

References:
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 5.4.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from ...scaling import FloatArray
from .columns import BoolArray, Columns, IntArray
from .corners import Corners, list_corners, weigh_corners
from .models import (
    BASE_OF,
    BASE_WEIGHT,
    BASES,
    BENDS,
    CORNERED,
    KERNEL_OF,
    KERNELS,
    LOG_PRIOR,
    NOISES,
    SIZE_OF,
    TREND_MEAN,
    TREND_SD,
    WALL_KERNEL,
    WALL_OF,
    Bend,
    free_walls,
)

STEP = 0.15  # octaves between the points at which curves are drawn
DENSE = 12  # points per gap next to the lowest loss, so that the minimum is found
BEYOND, STRIDE = 3.0, 0.3  # octaves that curves go on where no run diverged, and in steps of
NO_WEIGHT = 12.0  # log weight below the largest from which a model no longer counts
SHORTEST = 0.3  # octaves over which a second difference is taken at least


@dataclass(frozen=True, eq=False, kw_only=True)
class Bump:
    """Second difference of a curve over an octave either way, as other sizes have it.

    Attributes:
        centre: Rate x of its middle.
        log: Logarithm of the difference in u.
        sd: Its standard deviation.
    """

    centre: float
    log: float
    sd: float


@dataclass(frozen=True, eq=False)
class Prior:
    """Values of the models' parts at the points of a curve, that do not depend on its losses.

    Attributes:
        correlations: Of every kernel, shape (J, G, G).
        roots: R with :math:`R R^T` these, shape (J, G, G).
        trend: B, shape (G, 3).
    """

    correlations: FloatArray
    roots: FloatArray
    trend: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveData:
    """Curve of one size in the units of the models.

    Attributes:
        columns: Its columns, of log losses where these are fitted.
        scale: Valley height, in units of the columns' losses.
        points: Points x at which it is drawn, increasing, shape (G,).
        at: Where the columns are among them, shape (K,).
        prior: Parts of the models at the points.
        corners: Corners that it may have.
        walls: Size of the error of the wall at the points, shape (G,).
        u: Losses above the lowest in valley heights, shape (K,).
        growths: Standard deviation of a run of each column in units of σ, by bend, (bends, K).
        covariances: Of the columns' noise in z, in units of σ², by bend, shape (bends, K, K).
    """

    columns: Columns
    scale: float
    points: FloatArray
    at: IntArray
    prior: Prior
    corners: Corners
    walls: FloatArray
    u: FloatArray
    growths: FloatArray
    covariances: FloatArray


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """Logarithms over all models: of their evidence, or of their weights.

    Attributes:
        smooth: Without corners, shape (bends, errors, noises).
        cornered: With corners, shape (bends, bases, noises, P, H).
    """

    smooth: FloatArray
    cornered: FloatArray

    def __add__(self, other: "ModelWeights") -> "ModelWeights":
        """Return the product of what they are logarithms of."""
        return ModelWeights(self.smooth + other.smooth, self.cornered + other.cornered)

    def __sub__(self, other: "ModelWeights") -> "ModelWeights":
        """Return the ratio of what they are logarithms of, where the divisor is not 0."""
        return ModelWeights(self.smooth - other.smooth, self.cornered - other.cornered)

    def normalise(self) -> "ModelWeights":
        """Return probabilities, not their logarithms."""
        most = max(self.smooth.max(), self.cornered.max())
        smooth, cornered = np.exp(self.smooth - most), np.exp(self.cornered - most)
        total = smooth.sum() + cornered.sum()
        return ModelWeights(smooth / total, cornered / total)


def prepare(columns: Columns, *, scale: float) -> CurveData:
    """Express the columns of one size in the units of the models.

    Arguments:
        columns: Its columns, K >= 2.
        scale: Valley height in units of their losses.
    """
    points = _place_points(columns)
    bottom = float(columns.log2_lr[columns.loss.argmin()])
    u = (columns.loss - columns.loss.min()) / scale
    growths = np.stack([np.maximum(bend.growth(u), columns.unrest) for bend in BENDS])
    covariances = []
    for bend, growth in zip(BENDS, growths, strict=True):
        slope = bend.slope(u)
        covariances.append(slope[:, None] * columns.covariance(growth) * slope)
    return CurveData(
        columns=columns,
        scale=scale,
        points=points,
        at=np.searchsorted(points, columns.log2_lr),
        prior=_make_prior((points - bottom).round(9).tobytes()),
        corners=list_corners(columns.tried, bottom),
        walls=free_walls(np.interp(points, columns.log2_lr, u)),
        u=u,
        growths=growths,
        covariances=np.stack(covariances),
    )


def find_evidence(data: CurveData, bump: Bump | None = None) -> ModelWeights:
    """Return the log evidence of every model.

    Arguments:
        data: The size's curve.
        bump: The second difference that other sizes let expect, as a further measurement.
    """
    every = np.ones((len(BENDS), len(SIZE_OF), len(NOISES)), dtype=bool)
    return _rate_models(data, bump, every)


def add_bump(
    data: CurveData, log_weights: ModelWeights, evidence: ModelWeights, bump: Bump
) -> ModelWeights:
    """Return log weights of the models once other sizes tell how curved this one is.

    Arguments:
        data: The size's curve.
        log_weights: Those before.
        evidence: The log evidence in them, without the second difference.
        bump: The second difference.

    Returns:
        The log weights; -inf where they were negligible before.
    """
    most = max(log_weights.smooth.max(), log_weights.cornered.max())
    kept = log_weights.smooth > most - NO_WEIGHT
    kept[:, BASES] |= log_weights.cornered.max(axis=(-2, -1)) > most - NO_WEIGHT
    rated = _rate_models(data, bump, kept)
    return log_weights + (rated - evidence)


def _rate_models(data: CurveData, bump: Bump | None, kept: BoolArray) -> ModelWeights:
    """Return the log evidence of some models, by bend, error and noise; -inf of the others."""
    take = take_data(data, bump)
    covariance, mean = correlate_data(data, take)
    features = take @ data.corners.features(data.points)
    flat = np.moveaxis(features, 0, 1).reshape(len(take), -1)
    smooth = np.full(kept.shape, -np.inf)
    cornered = np.full((len(BENDS), len(BASES), len(NOISES), *data.corners.shape), -np.inf)
    for i, bend in enumerate(BENDS):
        error, noise = np.nonzero(kept[i])
        y, noises = list_data(data, i, bump)
        root, white = _whiten(covariance[error] + noises[noise], y - mean)
        diagonal = np.diagonal(root, axis1=-2, axis2=-1)
        density = -np.log(diagonal).sum(-1) - (white**2).sum(-1) / 2
        density += np.log(bend.slope(data.u)).sum() + _rate_noise(data, i)[noise]
        smooth[i, error, noise] = density
        rows = np.flatnonzero(BASE_OF[error] >= 0)
        whitened = np.linalg.inv(root[rows]) @ flat
        whitened = whitened.reshape(*whitened.shape[:-1], len(features), 2)
        gain = weigh_corners(whitened, white[rows], data.corners.variances)
        cornered[i, BASE_OF[error[rows]], noise[rows]] = density[rows, None, None] + gain
    return ModelWeights(smooth, cornered)


def log_prior(data: CurveData) -> ModelWeights:
    """Return the logarithm of every model's prior probability."""
    base = LOG_PRIOR[:, BASES] - np.log(BASE_WEIGHT)
    corners = np.log(CORNERED) + data.corners.log_prior
    return ModelWeights(LOG_PRIOR + np.log(1 - CORNERED), base[..., None, None] + corners)


def list_data(data: CurveData, i: int, bump: Bump | None) -> tuple[FloatArray, FloatArray]:
    """Return the data under a bend and the covariance of their noise, (noises, K, K)."""
    z = BENDS[i].apply(data.u)
    noise = (NOISES**2)[:, None, None] * data.covariances[i]
    if bump is None:
        return z, noise
    value, sd = _bend_bump(bump, BENDS[i])
    larger = np.zeros((len(NOISES), len(z) + 1, len(z) + 1))
    larger[:, :-1, :-1] = noise
    larger[:, -1, -1] = sd**2
    return np.append(z, value), larger


def _rate_noise(data: CurveData, i: int) -> FloatArray:
    """Return the log likelihood of the seed residuals under a bend, for every noise."""
    growth, dof = data.growths[i], data.columns.dof
    squares = float((data.columns.squares / growth**2).sum()) / data.scale**2
    rated: FloatArray = (
        -squares / (2 * NOISES**2) - dof.sum() * np.log(NOISES) - float(dof @ np.log(growth))
    )
    return rated


def correlate_data(data: CurveData, take: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the prior covariance of the data by error, shape (M, K, K), and their mean."""
    prior = data.prior
    trend = take @ prior.trend
    kernels = np.concatenate([take @ prior.correlations @ take.T, np.zeros((1, *2 * (len(take),)))])
    covariance = (SIZE_OF**2)[:, None, None] * kernels[KERNEL_OF]
    walls = take * data.walls
    covariance[WALL_OF] += walls @ prior.correlations[WALL_KERNEL] @ walls.T
    covariance += (trend * TREND_SD**2) @ trend.T
    return covariance, trend @ TREND_MEAN


def _whiten(covariance: FloatArray, rest: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return L with covariance = L Lᵀ, shape (..., K, K), and L⁻¹ rest, shape (..., K)."""
    k = covariance.shape[-1]
    bordered = np.empty((*covariance.shape[:-2], k + 1, k + 1))
    bordered[..., :k, :k] = covariance
    bordered[..., k, :k] = rest
    bordered[..., k, k] = 1e30  # the last row of its root then is the solution
    root = np.linalg.cholesky(bordered)
    return root[..., :k, :k], root[..., k, :k]


def take_data(data: CurveData, bump: Bump | None) -> FloatArray:
    """Return H, shape (K, G) or with the second difference (K + 1, G)."""
    columns = np.eye(len(data.points))[data.at]
    if bump is None:
        return columns
    return np.vstack([columns, _take_bump(data.points, bump.centre)])


def _place_points(columns: Columns) -> FloatArray:
    """Return points that contain every column, dense about the lowest, going on at open ends."""
    knots, lowest = columns.tried, columns.log2_lr[columns.loss.argmin()]
    steps = STRIDE * np.arange(1, round(BEYOND / STRIDE) + 1)
    below = -steps[::-1] if columns.diverged_below is None else steps[:0]
    above = steps if columns.diverged_above is None else steps[:0]
    pieces = []
    for i, (left, right) in enumerate(pairwise(knots)):
        count = math.ceil((right - left) / STEP - 1e-9)
        if knots[max(0, i - 1)] <= lowest <= knots[min(len(knots) - 1, i + 2)]:
            count = max(count, DENSE)
        pieces.append(np.linspace(left, right, count, endpoint=False))
    return np.concatenate([knots[0] + below, *pieces, knots[-1:], knots[-1] + above])


@lru_cache(maxsize=16)
def _make_prior(distances: bytes) -> Prior:
    """Return the parts of the models at points given as distances d from the lowest column.

    Sizes that tried the same rates share them.
    """
    d = np.frombuffer(distances)
    correlations = np.stack([kernel.correlate(d) for kernel in KERNELS])
    roots = np.linalg.cholesky(correlations + 1e-9 * np.eye(len(d))).astype(np.float64)
    return Prior(correlations, roots, np.stack([np.ones_like(d), d, d**2], axis=1))


def _take_bump(points: FloatArray, centre: float) -> FloatArray:
    """Return the second difference over an octave either way as weights of the points, (G,).

    Nearer to an end of the points it is taken over less, and enlarged as that of a parabola.
    """
    first, last = points[0], points[-1]
    centre = min(max(centre, first + SHORTEST), last - SHORTEST)
    reach = min(1.0, centre - first, last - centre)
    taken = np.zeros(len(points))
    for at, weight in ((centre - reach, 1.0), (centre, -2.0), (centre + reach, 1.0)):
        right = min(max(1, int(np.searchsorted(points, at))), len(points) - 1)
        share = (at - points[right - 1]) / (points[right] - points[right - 1])
        taken[right - 1] += weight * (1 - share) / reach**2
        taken[right] += weight * share / reach**2
    return taken


def _bend_bump(bump: Bump, bend: Bend) -> tuple[float, float]:
    """Return the second difference in z with its standard deviation.

    About a minimum at u = 0 both sides rise by half of it.
    """
    half = np.exp(bump.log) / 2
    return float(2 * bend.apply(half)), float(bump.sd * 2 * half * bend.slope(half))
