r"""The finite part of a loss curve, freed of what each seed adds to all of its runs.

S seeds, K learning rates; x = log2 learning rate. A seed shares initial weights and batches over
all learning rates, so it shifts a whole curve: :math:`\ell_{sk} = m_k + a_s + e_{sk}`. What is left
of the offsets :math:`a_s` in the column effects :math:`m_k` would widen every interval for
nothing; what is left in the residuals :math:`e_{sk}` is the noise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...scaling import FloatArray
from ..table import LossCurve

BoolArray = npt.NDArray[np.bool_]

# Seed offsets are a priori this many noise variances wide: flat for all purposes, yet two groups
# of seeds without a common learning rate stay comparable (badly) instead of making P singular.
OFFSET_VARIANCE = 1e4
# How much a residual of another size counts beside one of the size itself: sizes differ in
# noise, but a size with one seed has no residuals.
POOLING = 0.3


@dataclass(frozen=True)
class Residuals:
    """Sum of squared seed residuals, in squared loss units, with its degrees of freedom."""

    sum_of_squares: float
    dof: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """Column effects of one size: the curve between its nearest diverged columns.

    Attributes:
        size: Size n.
        log2_lr: Rates x of the finite columns, increasing, shape (K,).
        loss: Column effects m at the mean of the seed offsets, shape (K,).
        covariance: Covariance of `loss` in units of the noise variance of one run, shape (K, K).
        best_loss: The lowest column effect (where runs are missing, no lower than any run).
        residuals: What the column effects and the seed offsets leave.
        seeds: Number of seeds S with a finite loss.
        runs: Number of runs made at the size, those that diverged too.
        span: Octaves from the lowest to the highest rate tried, diverged or not.
        diverged_below: Nearest diverged rate to the left of the curve, or None.
        diverged_above: Nearest diverged rate to the right, or None.
    """

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    covariance: FloatArray
    best_loss: float
    residuals: Residuals
    seeds: int
    runs: int
    span: float
    diverged_below: float | None
    diverged_above: float | None

    @property
    def tried(self) -> FloatArray:
        """The rates of the curve and the diverged ones beside it, increasing."""
        beside = [x for x in (self.diverged_below, self.diverged_above) if x is not None]
        return np.sort(np.append(self.log2_lr, beside))

    def gap(self, low: float, high: float) -> float:
        """Return the widest gap between neighbouring rates tried that overlaps [low, high]."""
        tried = self.tried
        gaps = np.diff(tried)[(tried[1:] > low) & (tried[:-1] < high)]
        return float(gaps.max(initial=0.0))


def reduce_runs(curve: LossCurve) -> Columns:
    r"""Reduce the runs of one size to column effects and seed residuals.

    .. math:: P = \sum_s \Big(\mathrm{diag}(o_s) - \tfrac{\kappa}{1 + \kappa n_s} o_s o_s^\top\Big),
              \qquad P\,m = \sum_s \Big(o_s \ell_s - \tfrac{\kappa}{1 + \kappa n_s}
              o_s\, o_s^\top \ell_s\Big)

    the generalised least squares fit of :math:`\ell_{sk} = m_k + a_s + e_{sk}` with
    :math:`a_s \sim N(0, \kappa\sigma^2)`, where :math:`o_s \in \{0, 1\}^K` marks the
    :math:`n_s` finite runs of seed s. A column where at least half of the seeds diverged is
    diverged; a single diverged run elsewhere is missing. Columns past the first diverged one,
    seen from the lowest mean loss, are no part of the curve.

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
    effects, covariance, residuals = _fit_two_way(loss, seen)
    if curve.error is not None:
        residuals = _add_errors(residuals, curve.error[np.ix_(rows, keep)][seen])
    return Columns(
        size=curve.size,
        log2_lr=curve.log2_lr[keep],
        loss=effects,
        covariance=covariance,
        best_loss=float(max(effects.min(), loss[seen].min())) if keep.any() else math.inf,
        residuals=residuals,
        seeds=len(seen),
        runs=int(present.sum()),
        span=float(np.ptp(curve.log2_lr[tried])) if tried.any() else 0.0,
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
    residuals = [reduce_runs(curve).residuals for curve in curves]
    dof = sum(r.dof for r in residuals)
    return math.sqrt(sum(r.sum_of_squares for r in residuals) / dof) if dof else None


def pool_residuals(sizes: Sequence[Columns], index: int) -> Residuals:
    """Return the residuals of one size (by index) with a discounted share of all the others'."""
    weight = [1.0 if i == index else POOLING for i in range(len(sizes))]
    return Residuals(
        sum(w * c.residuals.sum_of_squares for w, c in zip(weight, sizes, strict=True)),
        sum(w * c.residuals.dof for w, c in zip(weight, sizes, strict=True)),
    )


def _add_errors(residuals: Residuals, errors: FloatArray) -> Residuals:
    """Count the standard error of a loss that is a mean as one residual of its noise."""
    known = errors[np.isfinite(errors)]
    return Residuals(residuals.sum_of_squares + float((known**2).sum()), residuals.dof + known.size)


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


def _fit_two_way(loss: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray, Residuals]:
    """Return m and its covariance, shapes (K,) and (K, K), and the residuals of `reduce_runs`."""
    seeds, count = seen.shape
    if count == 0:
        return np.empty(0), np.empty((0, 0)), Residuals(0.0, 0.0)
    o = seen.astype(np.float64)
    level = loss.sum() / o.sum()
    y = o * (loss - level)
    shrink = OFFSET_VARIANCE / (1 + OFFSET_VARIANCE * o.sum(axis=1))
    precision = np.diag(o.sum(axis=0)) - (o.T * shrink) @ o
    effects = np.linalg.solve(precision, y.sum(axis=0) - o.T @ (shrink * y.sum(axis=1)))
    offsets = shrink * (y - o * effects).sum(axis=1)
    rest = y - o * (effects + offsets[:, None])
    # The level common to all columns moves no optimum: it keeps only the variance of a mean.
    centre = np.eye(count) - 1 / count
    covariance = centre @ np.linalg.inv(precision) @ centre + 1 / o.sum()
    dof = max(0.0, float(o.sum()) - count - seeds + 1)
    residuals = Residuals(float((rest**2).sum()) if dof else 0.0, dof)
    return effects + level + offsets.mean(), covariance, residuals
