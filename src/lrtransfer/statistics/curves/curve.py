r"""What the loss curve between the rates tried may look like: draws from its posterior.

x = log2 learning rate; K finite columns with effects m and noise covariance σ²C (`columns`); R the
range of the losses. In units of R and bent by a logarithm, so that a steep side does not dictate
how wiggly the valley may be, the curve is

.. math:: y = T \log(1 + (f - m_0) / (R T)), \qquad y(x) = \beta_0 + \beta_1 x + \beta_2 x^2 + g(x)

with flat :math:`\beta` and a Gaussian process g, Matérn 7/2 of length l and size τ: the explicit
error of the curve model. A valley may turn more sharply at its bottom than its sides let expect, so
that g may live on a stretched axis w(x), l then being short near the lowest column b alone:

.. math:: w(x) = x + 4\, s \arctan((x - b) / s), \qquad s = 0.75 \text{ octaves}.

T, l, the stretch, τ and σ are not estimated but summed over on a grid; the seed residuals speak for
σ where there are several seeds, a prior where there is one.

References:
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7 and 4.2.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ...scaling import FloatArray
from .columns import Columns, Residuals

IntArray = npt.NDArray[np.intp]

BENDS = (np.inf, 2.0, 0.5)  # T, in units of R
LENGTHS = np.array([1.5, 2.5, 4.0, 8.0, 3.0, 6.0])  # l, octaves
STRETCHED = np.array([False, False, False, False, True, True])
STRETCH, SCALE = 4.0, 0.75  # of the axis: dw/dx - 1 at the lowest column, and s in octaves
SIZES = np.array([0.0, 0.02, 0.06, 0.2, 0.6, 2.0])  # τ, in units of R
NOISES = np.geomspace(3e-4, 3.0, 40)  # σ of one run, in units of R
LENGTH_PRIOR = np.where(STRETCHED, np.log(0.5), 0.0) - (np.log(LENGTHS / 4.0) / 0.6) ** 2 / 2
SIZE_PRIOR = np.log([0.2, 0.1, 0.15, 0.2, 0.2, 0.15])
NOISE_PRIOR = -((np.log(NOISES / 0.012) / 1.5) ** 2) / 2

STEP = 0.05  # octaves between the points at which curves are drawn
POSTERIOR_DRAWS = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveDraws:
    """Draws from the posterior over the loss curve of one size.

    Attributes:
        columns: What the curve was fitted to.
        log2_lr: Points x, increasing, the rates of the columns among them, shape (G,).
        loss: Drawn losses, shape (D, G); +inf beyond a drawn cliff.
        at_columns: Where the columns are among the points, shape (K,).
        noise: Standard deviation of one run, beside its seed's shift: the draws' median.
    """

    columns: Columns
    log2_lr: FloatArray
    loss: FloatArray
    at_columns: IntArray
    noise: float


def draw_curves(
    columns: Columns,
    residuals: Residuals,
    *,
    rng: np.random.Generator,
    draws: int = POSTERIOR_DRAWS,
) -> CurveDraws:
    """Draw loss curves from the posterior of the module's model.

    Arguments:
        columns: Column effects of one size, K >= 3.
        residuals: Seed residuals to judge the noise by, of this size and its neighbours.
        rng: Source of all randomness.
        draws: Number of curves D.

    Returns:
        The draws, on points from the first to the last finite rate, and up to the diverged rate
        where there is one beside the curve. The cliff is drawn uniformly between the two.

    Example:
        >>> from .columns import reduce_runs
        >>> from ..simulation import simulate
        >>> rng = np.random.default_rng(0)
        >>> curve = reduce_runs(simulate("quad", rng=rng)[0])
        >>> draw_curves(curve, curve.residuals, rng=rng).loss.shape
        (1000, 181)
    """
    m = columns.loss
    floor, scale = m.min(), _measure_scale(columns, residuals)
    points, at = _place_points(columns)
    knots = np.union1d(np.arange(0, len(points), 2), at)
    kernels = _correlate(points[knots], points, bottom=float(columns.log2_lr[m.argmin()]))
    noise_prior = NOISE_PRIOR - residuals.dof * np.log(NOISES)
    noise_prior = noise_prior - residuals.sum_of_squares / scale**2 / (2 * NOISES**2)
    at_columns = kernels[:, np.searchsorted(knots, at)]
    models = [
        _Model.fit((m - floor) / scale, columns.covariance, points, at, at_columns, bend)
        for bend in BENDS
    ]
    prior = LENGTH_PRIOR[:, None, None] + SIZE_PRIOR[:, None] + noise_prior
    posterior = np.stack([model.log_evidence + prior for model in models])
    posterior = np.exp(posterior - posterior.max())
    posterior[~_allow_bends(posterior)] = 0.0
    roots = _take_roots(kernels, knots)
    cells = _resample(posterior.ravel(), draws, rng)
    bend, length, size, noise = np.unravel_index(cells, posterior.shape)
    loss = np.empty((draws, len(points)))
    for pair in np.unique(bend * len(LENGTHS) + length):
        t, j = divmod(int(pair), len(LENGTHS))
        rows = (bend == t) & (length == j)
        loss[rows] = models[t].draw(j, roots, SIZES[size[rows]], NOISES[noise[rows]], rng)
    loss *= scale
    loss += floor
    _cut_cliffs(loss, points, columns, rng)
    sd = float(scale * np.median(NOISES[noise]))
    return CurveDraws(columns=columns, log2_lr=points, loss=loss, at_columns=at, noise=sd)


@dataclass(frozen=True, eq=False)
class _Model:
    """One bend T: the data in y, and per length l the directions the trend leaves free.

    With noise covariance Σ = LLᵀ, A = L⁻¹ and N a basis of null((AB)ᵀ), the columns of
    `directions` W = AᵀNV diagonalise: WᵀKW = diag(d), WᵀΣW = I.
    """

    bend: float
    y: FloatArray  # (K,)
    noise_root: FloatArray  # L, (K, K)
    kernels: FloatArray  # (J, K, G): from columns to points
    trend: FloatArray  # B at all points times its pseudo-inverse at the columns, (G, K)
    at: IntArray  # (K,)
    directions: FloatArray  # W, (J, K, K-3)
    d: FloatArray  # (J, K-3)
    log_evidence: FloatArray  # (J, sizes, noises)

    @classmethod
    def fit(
        cls,
        u: FloatArray,
        covariance: FloatArray,
        points: FloatArray,
        at: IntArray,
        kernels: FloatArray,
        bend: float,
    ) -> "_Model":
        slope: FloatArray = 1 / (1 + u / bend)  # dy/du
        y = u if np.isinf(bend) else bend * np.log1p(u / bend)
        root = np.asarray(np.linalg.cholesky(slope[:, None] * covariance * slope), np.float64)
        a = np.linalg.inv(root)
        z = (points - points.mean()) / np.ptp(points)
        basis = np.stack([np.ones_like(z), z, z**2], axis=1)
        q, r = np.linalg.qr(a @ basis[at], mode="complete")
        free = a.T @ q[:, 3:]
        d, v = np.linalg.eigh(free.T @ kernels[:, :, at] @ free)
        directions = free @ v
        variance = (SIZES**2)[:, None, None] * np.maximum(d, 0.0)[:, None, None, :]
        variance = variance + (NOISES**2)[:, None]
        fit = (directions.swapaxes(1, 2) @ y)[:, None, None, :] ** 2 / variance
        # p(y) of the whitened data needs the volumes of A, of the trend and of du -> dy.
        volume = np.log(slope).sum() - np.log(np.diag(root)).sum() - np.log(abs(np.diag(r))).sum()
        log_evidence = volume - (fit + np.log(variance)).sum(axis=-1) / 2
        trend: FloatArray = basis @ np.linalg.pinv(basis[at])
        return cls(bend, y, root, kernels, trend, at, directions, d, log_evidence)

    def draw(
        self,
        j: int,
        roots: FloatArray,
        size: FloatArray,
        noise: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Draw one curve per (size, noise), in units of R: a prior draw, corrected by kriging.

        Kriging with a flat trend is linear and blind to the trend, so that prior draw plus
        prediction of (data − prior draw at the data) has exactly the posterior's law.
        """
        n, root = len(size), roots[j]
        normal = np.zeros((n, root.shape[1]))
        rough = size > 0
        normal[rough] = rng.standard_normal((int(rough.sum()), root.shape[1]))
        normal *= size[:, None]
        error = noise[:, None] * (rng.standard_normal((n, len(self.y))) @ self.noise_root.T)
        rest = self.y - normal @ root[self.at].T - error
        w = self.directions[j]
        variance = (size**2)[:, None] * np.maximum(self.d[j], 0.0) + (noise**2)[:, None]
        alpha = ((rest @ w) / variance) @ w.T  # (τ²K + σ²Σ)⁻¹ (rest − trend)
        pull, kernel = (size**2)[:, None] * alpha, self.kernels[j]
        covariance = self.noise_root @ self.noise_root.T
        trend = rest - pull @ kernel[:, self.at] - (noise**2)[:, None] * (alpha @ covariance)
        # In one product: prior draw + its kriged correction + trend.
        y = np.hstack([normal, pull, trend]) @ np.vstack([root.T, kernel, self.trend.T])
        curve: FloatArray = y if np.isinf(self.bend) else self._undo_bend(y)
        return curve

    def _undo_bend(self, y: FloatArray) -> FloatArray:
        """Undo the bend, in place.

        Far out on a steep side y/T may be large: nothing is learnt from a loss beyond e^50 R.
        """
        y /= self.bend
        np.expm1(np.minimum(y, 50.0, out=y), out=y)
        y *= self.bend
        return y


def _measure_scale(columns: Columns, residuals: Residuals) -> float:
    """Return R: the height of the valley over most of the rates, not that of a steep side.

    Where most rates do equally well, R is at least the noise, and a trace of the whole range.
    """
    m = columns.loss
    noise = np.sqrt(residuals.sum_of_squares / residuals.dof) if residuals.dof else 0.0
    least = max(1e-3 * np.ptp(m), 1e-12 * abs(m.min()), np.finfo(np.float64).tiny)
    return float(max(np.quantile(m, 0.6) - m.min(), noise, least))


def _place_points(columns: Columns) -> tuple[FloatArray, IntArray]:
    """Return points at most STEP apart that contain every column, and where the columns are."""
    knots = columns.tried
    pieces = [
        np.linspace(a, b, max(1, int(np.ceil((b - a) / STEP - 1e-9))), endpoint=False)
        for a, b in pairwise(knots)
    ]
    points = np.concatenate([*pieces, knots[-1:]])
    return points, np.searchsorted(points, columns.log2_lr)


def _correlate(knots: FloatArray, points: FloatArray, *, bottom: float) -> FloatArray:
    """Return the Matérn 7/2 correlation for each length, shape (J, knots, points)."""
    stretched, straight = _stretch_distances(knots, points, bottom), np.abs(knots[:, None] - points)
    r = np.stack([stretched if s else straight for s in STRETCHED])
    r *= np.sqrt(7) / LENGTHS[:, None, None]
    correlation: FloatArray = (1 + r * (1 + r * (2 / 5 + r / 15))) * np.exp(-r)
    return correlation


def _stretch_distances(a: FloatArray, b: FloatArray, bottom: float) -> FloatArray:
    """Return distances on the stretched axis, shape (a, b)."""
    wa, wb = (x + STRETCH * SCALE * np.arctan((x - bottom) / SCALE) for x in (a, b))
    distances: FloatArray = np.abs(wa[:, None] - wb)
    return distances


def _take_roots(kernels: FloatArray, knots: IntArray) -> FloatArray:
    r"""Return R with :math:`RR^\top` the correlation at all points, shape (J, points, knots).

    Between two knots, at most 2 STEP apart, a point is kriged from all knots: what that leaves out
    of its standard deviation is at most 1 part in 1,000, on a stretched axis 1 in 100.
    """
    roots = np.linalg.cholesky(kernels[:, :, knots] + 1e-9 * np.eye(len(knots)))
    between: FloatArray = np.linalg.solve(roots, kernels).swapaxes(1, 2)
    return between


def _allow_bends(posterior: FloatArray) -> npt.NDArray[np.bool_]:
    """Allow a bend only if it is large beside the noise, which it would straighten otherwise."""
    noise = np.cumsum(posterior.sum(axis=(1, 2)), axis=1)
    upper_quartile = NOISES[(noise < 0.75 * noise[:, -1:]).sum(axis=1)]
    allowed: npt.NDArray[np.bool_] = np.array(BENDS) >= 8 * upper_quartile
    return allowed


def _resample(weights: FloatArray, draws: int, rng: np.random.Generator) -> IntArray:
    """Draw indices in proportion to the weights, evenly spread (systematic resampling)."""
    total = np.cumsum(weights)
    where = (np.arange(draws) + rng.random()) / draws * total[-1]
    indices: IntArray = np.minimum(np.searchsorted(total, where, side="right"), len(weights) - 1)
    return indices


def _cut_cliffs(
    loss: FloatArray, points: FloatArray, columns: Columns, rng: np.random.Generator
) -> None:
    """Set the loss to +inf beyond a cliff, drawn between the last rate and the diverged one."""
    x = columns.log2_lr
    if columns.diverged_above is not None:
        cliff = rng.uniform(x[-1], columns.diverged_above, (len(loss), 1))
        loss[points > cliff] = np.inf
    if columns.diverged_below is not None:
        cliff = rng.uniform(columns.diverged_below, x[0], (len(loss), 1))
        loss[points < cliff] = np.inf
