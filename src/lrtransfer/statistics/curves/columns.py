r"""The finite part of a loss curve, freed of what each seed adds to all of its runs.

S seeds, K learning rates; x = log2 learning rate. A seed shares initial weights and batches over
all learning rates, so it shifts a whole curve: :math:`\ell_{sk} = m_k + a_s + e_{sk}`. What is left
of the offsets :math:`a_s` in the column effects :math:`m_k` would widen every interval for
nothing; what is left in the residuals :math:`e_{sk}` is the noise.

Runs scatter more where the loss is high, up to tenfold at the wall beside divergence. The offsets
are therefore taken from the valley: a run counts the less, the higher its column lies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...scaling import FloatArray
from ..table import LossCurve

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.intp]

# Seed offsets are a priori this many noise variances wide: flat for all purposes, yet two groups
# of seeds without a common learning rate stay comparable (badly) instead of making P singular.
OFFSET_VARIANCE = 1e4
LEAST_WEIGHT = 0.01  # root of the least weight of a column
# How many times larger than in the valley the variance between seeds must be at a rate for its runs
# to be taken for noisier: with three seeds that happens by chance to one rate of a hundred.
NOISIER, NOISIEST = 6.0, 1e4  # and the most that counts
LEAST_DOF = 2.0  # of the valley, for a comparison
# Many rates far from the lowest say little of it, and cost time as the cube of their number.
MANY = 16  # rates from which those far away are thinned
FAR, SPARSE = 2.5, 1.0  # octaves from the lowest that are far, and least between rates there
VALLEY = 0.6  # quantile of the columns up to which a curve counts as its valley


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """Column effects of one size: the curve between its nearest diverged columns.

    Attributes:
        size: Size n.
        log2_lr: Rates x of the finite columns, increasing, shape (K,).
        loss: Column effects m at the mean of the seed offsets, shape (K,).
        seen: Which runs they rest on, shape (S, K).
        best_loss: The lowest column effect (where runs are missing, no lower than any run).
        squares: Squared seed residuals by column, summed over the seeds, shape (K,).
        dof: Their degrees of freedom, shape (K,).
        runs: Number of runs made at the size, those that diverged too.
        diverged_below: Nearest diverged rate to the left of the curve, or None.
        diverged_above: Nearest diverged rate to the right, or None.
    """

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    seen: BoolArray
    best_loss: float
    squares: FloatArray
    dof: FloatArray
    runs: int
    diverged_below: float | None
    diverged_above: float | None

    @property
    def seeds(self) -> int:
        """Number of seeds S with a finite loss."""
        return len(self.seen)

    @property
    def tried(self) -> FloatArray:
        """The rates of the curve and the diverged ones beside it, increasing."""
        beside = [x for x in (self.diverged_below, self.diverged_above) if x is not None]
        return np.sort(np.append(self.log2_lr, beside))

    @property
    def noise(self) -> float:
        """Standard deviation of a run beside its seed's shift; 0 with one seed."""
        dof = float(self.dof.sum())
        return math.sqrt(self.squares.sum() / dof) if dof else 0.0

    @property
    def unrest(self) -> FloatArray:
        """How many times noisier runs are than in the valley, where seeds show it; else 1, (K,)."""
        valley = self.loss <= np.quantile(self.loss, VALLEY)
        dof = float(self.dof[valley].sum())
        usual = float(self.squares[valley].sum()) / max(dof, 1.0)
        ratio = np.ones_like(self.loss)
        known = ~valley & (self.dof >= 1)
        if dof >= LEAST_DOF and usual > 0:
            ratio[known] = self.squares[known] / self.dof[known] / usual
        noisier: FloatArray = np.where(ratio > NOISIER, np.minimum(ratio, NOISIEST), 1.0)
        return np.sqrt(noisier)

    @property
    def height(self) -> float:
        """Height of the valley over most of the rates, not that of a steep side.

        Where most rates do equally well it is at least the noise, and a trace of the whole range.
        """
        m = self.loss
        least = max(1e-3 * np.ptp(m), 1e-12 * abs(m.min()), np.finfo(np.float64).tiny)
        return float(max(np.quantile(m, VALLEY) - m.min(), self.noise, least))

    def gap(self, low: float, high: float) -> float:
        """Return the widest gap between neighbouring rates tried that overlaps [low, high]."""
        tried = self.tried
        gaps = np.diff(tried)[(tried[1:] > low) & (tried[:-1] < high)]
        return float(gaps.max(initial=0.0))

    def thin(self) -> "Columns":
        """Return the columns with fewer rates far from the lowest, where there are many.

        Example:
            >>> from ..table import LossCurve
            >>> x = np.arange(-12.0, -2.9, 0.25)
            >>> curve = LossCurve(size=64, log2_lr=x, loss=3 + (x[None] + 7) ** 2)
            >>> reduce_runs(curve).thin().log2_lr[-4:]
            array([-4.5 , -4.25, -3.25, -3.  ])
        """
        x = self.log2_lr
        if len(x) <= MANY:
            return self
        lowest, kept = x[self.loss.argmin()], [0]
        for i in range(1, len(x)):
            near = min(abs(x[i] - lowest), abs(x[kept[-1]] - lowest)) <= FAR
            if near or x[i] - x[kept[-1]] >= SPARSE - 1e-9 or i == len(x) - 1:
                kept.append(i)
        return replace(
            self,
            log2_lr=x[kept],
            loss=self.loss[kept],
            seen=self.seen[:, kept],
            squares=self.squares[kept],
            dof=self.dof[kept],
        )

    def covariance(self, growth: FloatArray) -> FloatArray:
        r"""Return the covariance of `loss` in units of the noise variance of one run, (K, K).

        Arguments:
            growth: Standard deviation of a run of each column in units of σ, shape (K,).
        """
        precision = _find_precision(self.seen, growth**-2.0)
        centre = np.eye(len(growth)) - 1 / len(growth)
        # The level common to all columns moves no optimum: it keeps only the variance of a mean.
        covariance: FloatArray = centre @ np.linalg.inv(precision) @ centre + 1 / self.seen.sum()
        return covariance


def reduce_runs(curve: LossCurve) -> Columns:
    r"""Reduce the runs of one size to column effects and seed residuals.

    .. math:: P = \sum_s \Big(\mathrm{diag}(o_s) - \tfrac{\kappa}{1 + \kappa \,1^\top o_s}
              o_s o_s^\top\Big), \qquad P\,m = \sum_s \Big(o_s \ell_s -
              \tfrac{\kappa}{1 + \kappa \,1^\top o_s} o_s\, o_s^\top \ell_s\Big)

    the generalised least squares fit of :math:`\ell_{sk} = m_k + a_s + e_{sk}` with
    :math:`a_s \sim N(0, \kappa\sigma^2)` and :math:`e_{sk} \sim N(0, \sigma^2 / w_k)`, where
    :math:`o_{sk}` is :math:`w_k` where seed s has a finite loss at rate k, else 0. The weight w is
    1 in the valley and falls with the square of the height above it. A column where at least half
    of the seeds diverged is diverged; a single diverged run elsewhere is missing. Columns past the
    first diverged one, seen from the lowest mean loss, are no part of the curve.

    Arguments:
        curve: Losses of one size, shape (S, K); +inf diverged, NaN not run.

    Returns:
        The column effects. `loss` may be empty.

    Example:
        >>> import numpy as np
        >>> loss = np.array([[3.0, 2.0, 2.5, np.inf], [3.2, 2.2, 2.7, np.inf]])
        >>> curve = reduce_runs(LossCurve(size=64, log2_lr=np.arange(-9.0, -5.0), loss=loss))
        >>> curve.loss.round(3), curve.diverged_above
        (array([3.1, 2.1, 2.6]), -6.0)
    """
    present, finite = ~np.isnan(curve.loss), np.isfinite(curve.loss)
    tried = present.any(axis=0)
    diverged = tried & (2 * (present & ~finite).sum(axis=0) >= present.sum(axis=0))
    usable = tried & ~diverged
    keep, below, above = _keep_between_cliffs(curve, usable, diverged)
    rows = finite[:, keep].any(axis=1)
    seen = finite[np.ix_(rows, keep)]
    loss = np.where(seen, curve.loss[np.ix_(rows, keep)], 0.0)
    effects, squares, dof = _fit_two_way(loss, seen)
    if curve.error is not None:
        # The standard error of a loss that is a mean counts as one residual of its noise.
        errors = np.where(seen, curve.error[np.ix_(rows, keep)], np.nan)
        squares = squares + np.nansum(errors**2, axis=0)
        dof = dof + np.isfinite(errors).sum(axis=0)
    return Columns(
        size=curve.size,
        log2_lr=curve.log2_lr[keep],
        loss=effects,
        seen=seen,
        best_loss=float(max(effects.min(), loss[seen].min())) if keep.any() else math.inf,
        squares=squares,
        dof=dof,
        runs=int(present.sum()),
        diverged_below=below,
        diverged_above=above,
    )


def seed_noise(curves: Sequence[LossCurve]) -> float | None:
    """Return the standard deviation of a run's loss between seeds, pooled over curves.

    What a seed adds to all its runs alike is not counted. None with one seed.

    Example:
        >>> loss = np.array([[3.0, 2.0, 2.5], [3.2, 2.2, 2.7]])
        >>> seed_noise([LossCurve(64, np.arange(3.0), loss)]) < 1e-4
        True
    """
    reduced = [reduce_runs(curve) for curve in curves]
    dof = sum(float(columns.dof.sum()) for columns in reduced)
    return math.sqrt(sum(float(c.squares.sum()) for c in reduced) / dof) if dof else None


def _keep_between_cliffs(
    curve: LossCurve, usable: BoolArray, diverged: BoolArray
) -> tuple[BoolArray, float | None, float | None]:
    """Return the usable columns between the nearest diverged ones, and the rates of these two."""
    x = curve.log2_lr
    if not usable.any():  # rates that are too large diverge: only an upper bound is known
        return usable, None, float(x[diverged].min()) if diverged.any() else None
    finite = np.isfinite(curve.loss)
    total = np.where(finite, curve.loss, 0.0).sum(axis=0)
    mean = np.where(usable, total / np.maximum(finite.sum(axis=0), 1), np.inf)
    best = x[np.argmin(mean)]
    below = max((float(v) for v in x[diverged & (x < best)]), default=None)
    above = min((float(v) for v in x[diverged & (x > best)]), default=None)
    keep = usable & (x > (-np.inf if below is None else below))
    return keep & (x < (np.inf if above is None else above)), below, above


def _find_precision(seen: BoolArray, weights: FloatArray) -> FloatArray:
    """Return P of `reduce_runs`, shape (K, K)."""
    o = seen * weights
    shrink = OFFSET_VARIANCE / (1 + OFFSET_VARIANCE * o.sum(axis=1))
    precision: FloatArray = np.diag(o.sum(axis=0)) - (o.T * shrink) @ o
    return precision


def _fit_two_way(loss: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return m, and squared residuals with their degrees of freedom, all of shape (K,)."""
    seeds, count = seen.shape
    if count == 0:
        return np.empty(0), np.empty(0), np.empty(0)
    level = loss.sum() / seen.sum()
    y = seen * (loss - level)
    weights = _weigh_columns(y.sum(axis=0) / seen.sum(axis=0))
    o = seen * weights
    shrink = OFFSET_VARIANCE / (1 + OFFSET_VARIANCE * o.sum(axis=1))
    by_seed = y @ weights
    pull = weights * y.sum(axis=0) - o.T @ (shrink * by_seed)
    effects = np.linalg.solve(_find_precision(seen, weights), pull)
    offsets = shrink * (by_seed - o @ effects)
    rest = seen * (y - effects - offsets[:, None])
    total = float(seen.sum())
    free = max(0.0, total - count - seeds + 1)
    squares = (rest**2).sum(axis=0) if free else np.zeros(count)
    dof = (seen.sum(axis=0) - 1) * (free / (total - count) if free else 0.0)
    return effects + level + offsets.mean(), squares, dof


def _weigh_columns(mean: FloatArray) -> FloatArray:
    """Return weights w, shape (K,): 1 in the valley, falling where the curve is steep."""
    above = mean - mean.min()
    height = np.quantile(above, VALLEY)
    if height == 0:
        return np.ones_like(mean)
    weights: FloatArray = np.clip(height / np.maximum(above, height), LEAST_WEIGHT, 1.0) ** 2
    return weights
