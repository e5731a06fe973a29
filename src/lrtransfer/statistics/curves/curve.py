"""Loss curves drawn for one size: where they end, where they are lowest, how far they rise.

x = log2 learning rate; D curves at G points.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...scaling import FloatArray
from .columns import Columns, IntArray

# In valley heights: how far the outermost rate may lie above the lowest loss for the loss to go on
# falling beyond it.
RISEN = 0.25


@dataclass(frozen=True, eq=False, kw_only=True)
class CurveDraws:
    """Draws from the posterior over the loss curve of one size.

    Attributes:
        columns: What the curve was fitted to.
        log2_lr: Points x, increasing, the rates of the columns among them; where no run diverged
            they go on beyond the rates tried; shape (G,).
        loss: Drawn losses, shape (D, G); +inf beyond a drawn cliff.
        at_columns: Where the columns are among the points, shape (K,).
        kinks: Rate x at which a curve has a kink, NaN where it has none, shape (D,).
        noise: Standard deviation of one run near the lowest loss, beside its seed's shift.
        rough: Posterior probability that the curve turns between two neighbouring rates.
    """

    columns: Columns
    log2_lr: FloatArray
    loss: FloatArray
    at_columns: IntArray
    kinks: FloatArray
    noise: float
    rough: float

    def take(self, rows: IntArray) -> "CurveDraws":
        """Return some of the draws, by their numbers."""
        return replace(self, loss=self.loss[rows], kinks=self.kinks[rows])


def turn_up(u: FloatArray, *, at: IntArray, open_below: bool, open_above: bool) -> FloatArray:
    """Keep curves from falling again beyond the rates tried once they have risen.

    Nobody measured there; but what is known of losses is that beyond an optimum they grow.

    Arguments:
        u: Curves in valley heights, shape (D, G).
        at: Where the columns are among the points, shape (K,).
        open_below: Whether the points go on below the columns.
        open_above: Whether they go on above.

    Returns:
        The curves, on an open side falling at first if at all, and growing from then on.

    Example:
        >>> u = np.array([[0.1, 0.0, 0.1, 0.3, 0.2, -0.5]])
        >>> turn_up(u, at=np.array([0, 1, 2]), open_below=False, open_above=True)
        array([[0.1, 0. , 0.1, 0.3, 0.3, 0.3]])
    """
    lowest = u[:, at[0] : at[-1] + 1].min(axis=1)
    u = u.copy()
    if open_above:
        beyond = u[:, at[-1] :]
        beyond[:] = _rise_outward(beyond, lowest)
    if open_below:
        beyond = u[:, at[0] :: -1]
        beyond[:] = _rise_outward(beyond, lowest)
    return u


def _rise_outward(beyond: FloatArray, lowest: FloatArray) -> FloatArray:
    """Return losses that fall at first, where they may at all, and then grow; outward order."""
    may_fall = beyond[:, 0] <= lowest + RISEN
    falls = np.logical_and.accumulate(np.diff(beyond, axis=1) < 0, axis=1) & may_fall[:, None]
    still = np.hstack([falls, np.zeros((len(beyond), 1), dtype=bool)])  # falls to the next point
    grown = np.maximum.accumulate(np.where(still, -np.inf, beyond), axis=1)
    return np.where(still, beyond, grown)


def cut_cliffs(
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


def find_minima(draws: CurveDraws) -> FloatArray:
    """Return x* of each drawn curve, shape (D,).

    It is the lowest point, refined by a parabola, or a kink right beside it.
    """
    x, loss = draws.log2_lr, draws.loss
    k = loss.argmin(axis=1)
    inner = np.clip(k, 1, len(x) - 2)
    rows = np.arange(len(loss))
    left, mid, right = (loss[rows, inner + i] for i in (-1, 0, 1))
    a, b = x[inner] - x[inner - 1], x[inner + 1] - x[inner]
    usable = (k == inner) & np.isfinite(left) & np.isfinite(right)
    rise, fall = np.where(usable, right - mid, 1.0) / b, np.where(usable, left - mid, 1.0) / a
    bend = np.maximum(rise + fall, np.finfo(np.float64).tiny)
    shift = (fall * b - rise * a) / (2 * bend)
    refined = x[k] + np.where(usable & (rise + fall > 0), shift, 0.0)
    kinks = draws.kinks
    is_kink = (kinks > x[inner - 1]) & (kinks < x[inner + 1])
    minima: FloatArray = np.where(is_kink, kinks, refined)
    return minima


def value_at(draws: CurveDraws, at: FloatArray) -> FloatArray:
    """Return each curve's loss at a rate of its own, for the first len(at) curves.

    Beyond the points drawn: +inf where runs diverged, else NaN.
    """
    x, loss = draws.log2_lr, draws.loss[: len(at)]
    right = np.clip(np.searchsorted(x, at), 1, len(x) - 1)
    rows = np.arange(len(loss))
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    with np.errstate(invalid="ignore"):
        value = (1 - share) * loss[rows, right - 1] + share * loss[rows, right]
    value = np.where(np.isnan(value), np.inf, value)  # beside a cliff
    beyond_low = np.inf if draws.columns.diverged_below is not None else np.nan
    beyond_high = np.inf if draws.columns.diverged_above is not None else np.nan
    values: FloatArray = np.where(at < x[0], beyond_low, np.where(at > x[-1], beyond_high, value))
    return values


def rise_at(draws: CurveDraws, at: FloatArray) -> FloatArray:
    """Return what each curve rises from its minimum to a rate of its own, as in `value_at`."""
    excess: FloatArray = value_at(draws, at) - draws.loss.min(axis=1)
    return excess
