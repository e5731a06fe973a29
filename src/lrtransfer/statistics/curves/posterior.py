r"""What the runs of one size say about the models of its curve (`models`), and draws from them.

K finite columns; H takes the curve's points to the columns and, where other sizes tell how curved
it is, to one second difference. Given a model, the data y are normal,

.. math:: y \sim N\big(H B b,\; H (B V B^\top + \tau^2 K) H^\top + \Sigma\big),

with B the powers of d, (b, V) the prior of :math:`\beta`, and Σ the noise. The seed residuals speak
for σ where there are several seeds, a prior where there is one.

References:
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 5.4.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...scaling import FloatArray
from .columns import Columns
from .models import (
    BENDS,
    KERNEL_OF,
    KERNELS,
    NOISES,
    SIZE_OF,
    TREND_MEAN,
    TREND_SD,
    Bend,
)

IntArray = npt.NDArray[np.intp]

STEP = 0.1  # octaves between the points at which curves are drawn
BEYOND = 3.0  # octaves that curves go on where no run diverged
SHORTEST = 0.3  # octaves over which a second difference is taken at least
NEGLIGIBLE = 12.0  # log weight below the largest from which a model no longer counts


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
        u: Losses above the lowest in valley heights, shape (K,).
        covariances: Of the columns' noise in z, in units of σ², by bend, shape (bends, K, K).
    """

    columns: Columns
    scale: float
    points: FloatArray
    at: IntArray
    prior: Prior
    u: FloatArray
    covariances: FloatArray


def prepare(columns: Columns, *, scale: float) -> CurveData:
    """Express the columns of one size in the units of the models.

    Arguments:
        columns: Its columns, K >= 2.
        scale: Valley height in units of their losses.
    """
    points = _place_points(columns)
    bottom = float(columns.log2_lr[columns.loss.argmin()])
    u = (columns.loss - columns.loss.min()) / scale
    covariances = []
    for bend in BENDS:
        slope = bend.slope(u)
        covariances.append(slope[:, None] * columns.covariance(bend.growth(u)) * slope)
    return CurveData(
        columns=columns,
        scale=scale,
        points=points,
        at=np.searchsorted(points, columns.log2_lr),
        prior=_make_prior((points - bottom).round(9).tobytes()),
        u=u,
        covariances=np.stack(covariances),
    )


def find_evidence(data: CurveData) -> FloatArray:
    """Return the log evidence of every model, shape (bends, errors, noises)."""
    covariance, mean = _correlate_data(data, _take_columns(data))
    evidence = np.empty((len(BENDS), len(SIZE_OF), len(NOISES)))
    for i, bend in enumerate(BENDS):
        rest = bend.apply(data.u) - mean
        noise = (NOISES**2)[:, None, None] * data.covariances[i]
        evidence[i] = _log_normal(covariance[:, None] + noise, rest)
        evidence[i] += np.log(bend.slope(data.u)).sum() + _rate_noise(data, i)
    return evidence


def _rate_noise(data: CurveData, i: int) -> FloatArray:
    """Return the log likelihood of the seed residuals under a bend, for every noise."""
    growth, dof = BENDS[i].growth(data.u), data.columns.dof
    squares = float((data.columns.squares / growth**2).sum()) / data.scale**2
    rated: FloatArray = (
        -squares / (2 * NOISES**2) - dof.sum() * np.log(NOISES) - float(dof @ np.log(growth))
    )
    return rated


def _correlate_data(data: CurveData, take: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the prior covariance of the data by error, shape (M, K, K), and their mean."""
    prior = data.prior
    trend = take @ prior.trend
    kernels = np.concatenate([take @ prior.correlations @ take.T, np.zeros((1, *2 * (len(take),)))])
    covariance = (SIZE_OF**2)[:, None, None] * kernels[KERNEL_OF]
    covariance += (trend * TREND_SD**2) @ trend.T
    return covariance, trend @ TREND_MEAN


def _log_normal(covariance: FloatArray, rest: FloatArray) -> FloatArray:
    """Return the log density, up to a constant, of residuals, by covariance (..., K, K)."""
    k = covariance.shape[-1]
    bordered = np.empty((*covariance.shape[:-2], k + 1, k + 1))
    bordered[..., :k, :k] = covariance
    bordered[..., k, :k] = bordered[..., :k, k] = rest
    bordered[..., k, k] = 1e30  # its square root's last row then solves for the residuals
    root = np.linalg.cholesky(bordered)
    diagonal = np.diagonal(root, axis1=-2, axis2=-1)[..., :k]
    density: FloatArray = -np.log(diagonal).sum(-1) - (root[..., k, :k] ** 2).sum(-1) / 2
    return density


def _place_points(columns: Columns) -> FloatArray:
    """Return points at most STEP apart that contain every column, and go on at open ends."""
    knots, steps = columns.tried, STEP * np.arange(1, round(BEYOND / STEP) + 1)
    below = -steps[::-1] if columns.diverged_below is None else steps[:0]
    above = steps if columns.diverged_above is None else steps[:0]
    pieces = [
        np.linspace(a, b, max(1, int(np.ceil((b - a) / STEP - 1e-9))), endpoint=False)
        for a, b in pairwise(knots)
    ]
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


def _take_columns(data: CurveData) -> FloatArray:
    """Return H for the columns, shape (K, G)."""
    return np.eye(len(data.points))[data.at]


def weigh_bump(data: CurveData, log_weights: FloatArray, bump: Bump) -> FloatArray:
    """Return log weights of the models once they know how curved other sizes are.

    Arguments:
        data: The size's curve.
        log_weights: Those before, shape (bends, errors, noises).
        bump: What the other sizes say.

    Returns:
        The same shape; -inf where the weight was negligible already.
    """
    take = np.vstack([_take_columns(data), _take_bump(data.points, bump.centre)])
    covariance, mean = _correlate_data(data, take)
    weighed = np.full_like(log_weights, -np.inf)
    count = len(data.at)
    for i, bend in enumerate(BENDS):
        error, noise = np.nonzero(log_weights[i] > log_weights.max() - NEGLIGIBLE)
        if not len(error):
            continue
        value, sd = _bend_bump(bump, bend)
        full = covariance[error]
        full[:, :count, :count] += (NOISES[noise] ** 2)[:, None, None] * data.covariances[i]
        rest = np.append(bend.apply(data.u), value) - mean
        joint = full.copy()
        joint[:, count, count] += sd**2
        gain = _log_normal(joint, rest) - _log_normal(full[:, :count, :count], rest[:count])
        weighed[i, error, noise] = log_weights[i, error, noise] + gain
    return weighed


def draw_losses(
    data: CurveData,
    log_weights: FloatArray,
    *,
    bump: Bump | None,
    count: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Draw curves u from the posterior, each from a model drawn by its weight.

    A curve drawn from the prior plus kriging of (data - that curve at the data) has exactly the
    posterior's law.

    Returns:
        Curves, shape (count, G), and the noise σ of their models, shape (count,).
    """
    weights = np.exp(log_weights - log_weights.max())
    cells = _resample(weights.ravel(), count, rng)
    bends, errors, noises = np.unravel_index(cells, weights.shape)
    take = _take_columns(data)
    if bump is not None:
        take = np.vstack([take, _take_bump(data.points, bump.centre)])
    covariance, _ = _correlate_data(data, take)
    prior = data.prior
    trend = TREND_MEAN + TREND_SD * rng.standard_normal((count, 3))
    losses = trend @ prior.trend.T
    kernels = KERNEL_OF[errors]
    for j in np.unique(kernels[kernels >= 0]):
        rows = np.flatnonzero(kernels == j)
        normal = rng.standard_normal((len(rows), len(data.points)))
        losses[rows] += SIZE_OF[errors[rows], None] * (normal @ prior.roots[j].T)
    columns = len(data.at)
    rest = -losses @ take.T
    full = covariance[errors]
    normal = rng.standard_normal(rest.shape)
    for i, bend in enumerate(BENDS):
        rows = np.flatnonzero(bends == i)
        if not len(rows):
            continue
        sigma = NOISES[noises[rows]]
        root = np.linalg.cholesky(data.covariances[i])
        rest[rows, :columns] += bend.apply(data.u) - sigma[:, None] * (
            normal[rows, :columns] @ root.T
        )
        full[rows, :columns, :columns] += (sigma**2)[:, None, None] * data.covariances[i]
        if bump is not None:
            value, sd = _bend_bump(bump, bend)
            rest[rows, columns] += value - sd * normal[rows, columns]
            full[rows, columns, columns] += sd**2
    pull = np.linalg.solve(full, rest[..., None])[..., 0]
    losses += (pull @ take @ prior.trend * TREND_SD**2) @ prior.trend.T
    for j in np.unique(kernels[kernels >= 0]):
        rows = np.flatnonzero(kernels == j)
        scaled = (SIZE_OF[errors[rows]] ** 2)[:, None] * pull[rows]
        losses[rows] += scaled @ (take @ prior.correlations[j])
    for i, bend in enumerate(BENDS):
        rows = bends == i
        losses[rows] = bend.undo(losses[rows])
    return losses, NOISES[noises]


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


def _resample(weights: FloatArray, draws: int, rng: np.random.Generator) -> IntArray:
    """Draw indices in proportion to the weights, evenly spread (systematic resampling)."""
    total = np.cumsum(weights)
    where = (np.arange(draws) + rng.random()) / draws * total[-1]
    indices: IntArray = np.minimum(np.searchsorted(total, where, side="right"), len(weights) - 1)
    return indices
