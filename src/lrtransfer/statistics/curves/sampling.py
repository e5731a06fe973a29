"""Loss curves drawn from the posterior of one size.

A curve drawn from the prior of a model, plus kriging of what the data are above it, has exactly the
posterior's law (Matheron's rule).

References:
    Journel & Huijbregts (1978), Mining Geostatistics, section VII.A.
"""

from dataclasses import dataclass

import numpy as np

from ...scaling import FloatArray
from .columns import IntArray
from .models import (
    BASES,
    BENDS,
    KERNEL_OF,
    NOISES,
    SIZE_OF,
    TREND_MEAN,
    TREND_SD,
    WALL_KERNEL,
    WALL_OF,
)
from .posterior import Bump, CurveData, ModelWeights, correlate_data, list_data, take_data


@dataclass(frozen=True, eq=False)
class Drawn:
    """Curves drawn in valley heights.

    Attributes:
        u: Losses, shape (D, G).
        noise: Noise σ of their models, shape (D,).
        kinks: Rate x at which they have a kink, NaN where they have none, shape (D,).
    """

    u: FloatArray
    noise: FloatArray
    kinks: FloatArray


@dataclass(frozen=True, eq=False)
class _Models:
    """Models drawn: indices, each of shape (D,); of the corner -1 where there is none."""

    bend: IntArray
    error: IntArray
    noise: IntArray
    corner: IntArray
    height: IntArray


@dataclass(frozen=True, eq=False)
class _CornerDraws:
    """Corners of the curves that have one, n of them.

    Attributes:
        rows: Which curves they are, shape (n,).
        cells: Where each corner is, among the size's corners, shape (n,).
        features: What a and e are multiplied by in the data, shape (n, K, 2).
        variances: Prior variances of a and e, shape (n, 2).
        coefficients: a and e, shape (n, 2).
    """

    rows: IntArray
    cells: IntArray
    features: FloatArray
    variances: FloatArray
    coefficients: FloatArray


def draw_curves(
    data: CurveData,
    weights: ModelWeights,
    *,
    bump: Bump | None,
    count: int,
    rng: np.random.Generator,
) -> Drawn:
    """Draw curves u from the posterior, each from a model drawn by its weight.

    Arguments:
        data: The size's curve.
        weights: Probabilities of the models.
        bump: The second difference that other sizes let expect.
        count: Number of curves D.
        rng: Source of all randomness.
    """
    models = _draw_models(weights, count, rng)
    take = take_data(data, bump)
    losses = _draw_smooth(data, models, rng)
    corners = _draw_corners(data, models, take, rng)
    covariance = correlate_data(data, take)[0][models.error]
    rest, noise = _draw_data(data, models, bump, rng)
    covariance += noise
    rest -= losses @ take.T
    features, variances = corners.features, corners.variances
    rest[corners.rows] -= np.einsum("dki,di->dk", features, corners.coefficients)
    covariance[corners.rows] += (features * variances[:, None]) @ features.swapaxes(1, 2)
    pull = np.linalg.solve(covariance, rest[..., None])[..., 0].astype(np.float64, copy=False)
    losses += _krige_smooth(data, models, take, pull)
    shift = variances * np.einsum("dki,dk->di", features, pull[corners.rows])
    kinks = _add_corners(losses, data, corners, corners.coefficients + shift)
    for i, bend in enumerate(BENDS):
        rows = models.bend == i
        losses[rows] = bend.undo(losses[rows])
    return Drawn(losses, NOISES[models.noise], kinks)


def _draw_models(weights: ModelWeights, count: int, rng: np.random.Generator) -> _Models:
    smooth, cornered = weights.smooth, weights.cornered
    cells = _resample(np.concatenate([smooth.ravel(), cornered.ravel()]), count, rng)
    has_corner = cells >= smooth.size
    plain = np.unravel_index(np.where(has_corner, 0, cells), smooth.shape)
    corner = np.unravel_index(np.where(has_corner, cells - smooth.size, 0), cornered.shape)
    return _Models(
        bend=np.where(has_corner, corner[0], plain[0]),
        error=np.where(has_corner, BASES[corner[1]], plain[1]),
        noise=np.where(has_corner, corner[2], plain[2]),
        corner=np.where(has_corner, corner[3], -1),
        height=corner[4],
    )


def _draw_smooth(data: CurveData, models: _Models, rng: np.random.Generator) -> FloatArray:
    """Return curves z from the prior, without their corners, shape (D, G)."""
    prior, count = data.prior, len(models.error)
    losses: FloatArray = (TREND_MEAN + TREND_SD * rng.standard_normal((count, 3))) @ prior.trend.T
    for kernel, rows, sizes in _list_kernels(models):
        normal = rng.standard_normal((len(rows), len(data.points)))
        losses[rows] += (sizes * normal) @ prior.roots[kernel].T
    walled = np.flatnonzero(WALL_OF[models.error])
    normal = rng.standard_normal((len(walled), len(data.points)))
    losses[walled] += data.walls * (normal @ prior.roots[WALL_KERNEL].T)
    return losses


def _krige_smooth(
    data: CurveData, models: _Models, take: FloatArray, pull: FloatArray
) -> FloatArray:
    """Return the prior covariance between points and data times the data's pull, shape (D, G)."""
    prior = data.prior
    moved: FloatArray = (pull @ (take @ prior.trend) * TREND_SD**2) @ prior.trend.T
    for kernel, rows, sizes in _list_kernels(models):
        moved[rows] += (sizes**2 * pull[rows]) @ (take @ prior.correlations[kernel])
    walled = np.flatnonzero(WALL_OF[models.error])
    walls = take * data.walls @ prior.correlations[WALL_KERNEL]
    moved[walled] += data.walls * (pull[walled] @ walls)
    return moved


def _list_kernels(models: _Models) -> list[tuple[int, IntArray, FloatArray]]:
    """Return the kernels drawn, the curves that have them, and their sizes, shape (n, 1)."""
    kernels = KERNEL_OF[models.error]
    listed = []
    for kernel in np.unique(kernels[kernels >= 0]):
        rows = np.flatnonzero(kernels == kernel)
        listed.append((int(kernel), rows, SIZE_OF[models.error[rows], None]))
    return listed


def _draw_corners(
    data: CurveData, models: _Models, take: FloatArray, rng: np.random.Generator
) -> _CornerDraws:
    rows = np.flatnonzero(models.corner >= 0)
    cells = models.corner[rows]
    variances = data.corners.variances[cells, models.height[rows]]
    return _CornerDraws(
        rows=rows,
        cells=cells,
        features=(take @ data.corners.features(data.points))[cells],
        variances=variances,
        coefficients=np.sqrt(variances) * rng.standard_normal((len(rows), 2)),
    )


def _add_corners(
    losses: FloatArray, data: CurveData, corners: _CornerDraws, coefficients: FloatArray
) -> FloatArray:
    """Add corners to the curves that have one, and return where curves have a kink."""
    places = data.corners.place(corners.cells, coefficients)
    power = data.corners.power[corners.cells]
    beyond = np.maximum(data.points - places[:, None], 0.0)
    beyond[power == 2] *= beyond[power == 2]
    losses[corners.rows] += coefficients[:, :1] * beyond
    kinks = np.full(len(losses), np.nan)
    kinks[corners.rows] = np.where(power == 1, places, np.nan)
    return kinks


def _draw_data(
    data: CurveData, models: _Models, bump: Bump | None, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return the data under each model less drawn noise, (D, K), and that noise's covariance."""
    means, noises = zip(*(list_data(data, i, bump) for i in range(len(BENDS))), strict=True)
    covariances = np.stack(noises)
    roots = np.linalg.cholesky(covariances)[models.bend, models.noise]
    normal = rng.standard_normal(roots.shape[:2])
    rest = np.stack(means)[models.bend] - np.einsum("dij,dj->di", roots, normal)
    return rest, covariances[models.bend, models.noise]


def _resample(weights: FloatArray, draws: int, rng: np.random.Generator) -> IntArray:
    """Draw indices in proportion to the weights, evenly spread (systematic resampling)."""
    total = np.cumsum(weights)
    where = (np.arange(draws) + rng.random()) / draws * total[-1]
    indices: IntArray = np.minimum(np.searchsorted(total, where, side="right"), len(weights) - 1)
    return indices
