"""Finite losses that no curve explains: failed runs that were recorded as if they had ended.

A run that blew up may be recorded with the loss where it came to rest, or with a number chosen to
say so, such as 1e6. Such a loss lies on no curve through the others and would bend every fit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..scaling import FloatArray
from .axis import AXES, AxisName
from .curves.columns import BoolArray
from .table import LossCurve

# A loss is off the curve if it exceeds the lowest by more than JUMP times what the curve has risen
# to before it, and by more than LEAST_SHARE of the lowest. A steep but real wall rises in steps: on
# 1,500 runs of public sweeps, up to 170 times the best loss, none was marked.
JUMP, LEAST_SHARE = 8.0, 0.3
# With a tolerance in units of the loss, whose zero means nothing then, LEAST_SHARE is as many
# tolerances as it is of the usual one, 1 %.
LEAST_TOLERANCES = 30.0
# So many rates must show how far the curve rises before a jump can be told from a slope.
LEAST_RATES = 3
NEARBY = 1.0  # octaves


@dataclass(frozen=True, kw_only=True)
class FailedRuns:
    """Runs of one size whose finite losses are off its curve.

    Attributes:
        scheme: Name of the scheme.
        size: Size n.
        log2_lr: Their learning rates, increasing, each once.
        losses: Lowest and highest loss among them.
        runs: How many they are.
    """

    scheme: str
    size: int
    log2_lr: tuple[float, ...]
    losses: tuple[float, float]
    runs: int


def exclude_failures(
    scheme: str, curves: Iterable[LossCurve], *, absolute_tolerance: float | None = None
) -> tuple[tuple[LossCurve, ...], tuple[FailedRuns, ...]]:
    """Take the failed runs of a scheme out of its curves.

    Arguments:
        scheme: Name of the scheme.
        curves: One loss curve per size.
        absolute_tolerance: Largest regret of a rate that transfers, where it is in units of the
            loss: then losses may have any sign.

    Returns:
        The curves with failed runs as diverged (+inf), or, at rates below the lowest loss, where a
        large learning rate is no reason to fail, as not made (NaN); and what was taken out.

    Example:
        >>> import numpy as np
        >>> loss = np.array([[3.3, 3.1, 3.0, 3.1, 6.7, 6.7]])
        >>> curve = LossCurve(size=64, log2_lr=np.arange(-10.0, -4.0), loss=loss)
        >>> (cleaned,), (failed,) = exclude_failures("mup", [curve])
        >>> cleaned.loss[0, -2:], failed.log2_lr
        (array([inf, inf]), (-6.0, -5.0))
    """
    cleaned, failures = [], []
    for curve in curves:
        off = find_failures(curve, absolute_tolerance=absolute_tolerance)
        if off.any():
            failures.append(_describe(scheme, curve, off))
            best = np.nanargmin(_typical_losses(curve.loss, off))
            lower = np.arange(len(curve.log2_lr)) < best
            curve = replace(curve, loss=np.where(off, np.where(lower, np.nan, np.inf), curve.loss))
        cleaned.append(curve)
    return tuple(cleaned), tuple(failures)


def find_failures(curve: LossCurve, *, absolute_tolerance: float | None = None) -> BoolArray:
    r"""Find the finite losses that lie on no curve through the others.

    With :math:`m_k` the median loss at rate k, b the rate of the lowest, and U the rates passed so
    far, walking up from b, rate k is off the curve if

    .. math:: m_k - m_b > 8 \max_{j \in U} (m_j - m_b), \qquad m_k - m_b > 0.3\, |m_b|,

    and U has three rates or more; then it does not join U. Where several rates above b record
    exactly the same loss, which no training does, U is only what lies as near to b as rate k, give
    or take an octave: what training too slowly costs at far lower rates says nothing of them.

    Below b a loss may rise as steeply without a failure, where training hardly moves: there, rates
    off the curve count as failed only if a still lower rate is on it. A single run at a rate on the
    curve is held to the same bounds.

    Arguments:
        curve: Losses of one size, shape (S, K).
        absolute_tolerance: The tolerance, where it is in units of the loss: 30 of it take the place
            of :math:`0.3\, |m_b|`.

    Returns:
        Which runs failed, shape (S, K).

    Example:
        >>> import numpy as np
        >>> loss = np.array([[3.3, 3.1, 3.0, 3.1, 1e6]])
        >>> find_failures(LossCurve(size=64, log2_lr=np.arange(-10.0, -5.0), loss=loss))
        array([[False, False, False, False,  True]])
    """
    finite = np.isfinite(curve.loss)
    typical = _typical_losses(curve.loss, ~finite)
    rates = np.flatnonzero(np.isfinite(typical))
    if len(rates) <= LEAST_RATES:
        return np.zeros_like(finite)
    best = int(rates[typical[rates].argmin()])
    least = LEAST_SHARE * abs(float(typical[best]))
    if absolute_tolerance is not None:
        least = LEAST_TOLERANCES * absolute_tolerance
    valley = _Valley(curve.log2_lr, typical, best, least)
    left = [int(k) for k in rates[::-1] if k < valley.best]
    right = [int(k) for k in rates if k > valley.best]
    above = valley.walk(right, passed=[*left, valley.best])
    below = valley.walk(left, passed=[valley.best, *(k for k in right if k not in above)])
    lowest = min(k for k in rates if k not in below)
    failed = above | {k for k in below if k > lowest}
    on_curve = [k for k in rates if k not in failed | below]
    off = finite & valley.is_off(curve.loss, valley.excess[on_curve].max())
    off[:, sorted(below - failed)] = False  # a slope, for all that is known
    off[:, sorted(failed)] = finite[:, sorted(failed)]
    return off


def describe_failures(failures: Sequence[FailedRuns], *, axis: AxisName) -> tuple[str, ...]:
    """Say which runs failed, one line per scheme and size.

    Example:
        >>> failed = FailedRuns(scheme="sp", size=64, log2_lr=(-6.0,), losses=(6.7, 6.7), runs=1)
        >>> describe_failures([failed], axis="width")[0][:62]
        '1 run of scheme sp at width 64 has a finite loss that no curve'
    """
    return tuple(describe_failed(failed, f"{AXES[axis].name} {failed.size}") for failed in failures)


def describe_failed(failed: FailedRuns, place: str) -> str:
    """Say which runs failed at one place, such as "width 64"."""
    rates = ", ".join(f"{2**x:.6g}" for x in failed.log2_lr)
    low, high = (f"{loss:.6g}" for loss in failed.losses)
    run, have = (("run", "has a finite loss"), ("runs", "have finite losses"))[failed.runs > 1]
    return (
        f"{failed.runs} {run} of scheme {failed.scheme} at {place} {have} that no "
        f"curve explains ({low if low == high else f'{low} to {high}'} at learning rate {rates}): "
        "counted as failed, as if the loss were nan"
    )


def _typical_losses(loss: FloatArray, left_out: BoolArray) -> FloatArray:
    """Return the median loss of each rate, shape (K,); NaN where half or more are left out."""
    made = ~np.isnan(loss)
    used = made & ~left_out
    typical = np.full(loss.shape[1], np.nan)
    for k in np.flatnonzero(2 * used.sum(axis=0) > made.sum(axis=0)):
        typical[k] = np.median(loss[used[:, k], k])
    return typical


@dataclass(frozen=True, eq=False)
class _Valley:
    """A curve of median losses about its lowest.

    Attributes:
        log2_lr: Learning rates, increasing, shape (K,).
        loss: Median losses, shape (K,); NaN where there is none.
        best: Index of the lowest.
        least: What a loss off the curve exceeds the lowest by, at least.
    """

    log2_lr: FloatArray
    loss: FloatArray
    best: int
    least: float

    @property
    def excess(self) -> FloatArray:
        """What the losses exceed the lowest by, shape (K,)."""
        excess: FloatArray = self.loss - self.loss[self.best]
        return excess

    def is_off(self, loss: FloatArray, rise: float) -> BoolArray:
        """Return which losses are off a curve that rises so far above its lowest point."""
        lowest = self.loss[self.best]
        off: BoolArray = loss - lowest > max(JUMP * rise, self.least)
        return off

    def walk(self, outward: Sequence[int], *, passed: Sequence[int]) -> set[int]:
        """Return the rates off the curve, walking outward from those already passed."""
        on, off = list(passed), set[int]()
        distance = np.abs(self.log2_lr - self.log2_lr[self.best])
        for k in outward:
            is_repeated = k > self.best and (self.loss[outward] == self.loss[k]).sum() > 1
            reach = distance[k] + NEARBY if is_repeated else np.inf
            rise = max(self.excess[j] for j in on if distance[j] <= reach)
            if len(on) >= LEAST_RATES and self.is_off(self.loss[k], rise):
                off.add(k)
            else:
                on.append(k)
        return off


def _describe(scheme: str, curve: LossCurve, off: BoolArray) -> FailedRuns:
    losses = curve.loss[off]
    return FailedRuns(
        scheme=scheme,
        size=curve.size,
        log2_lr=tuple(float(x) for x in curve.log2_lr[off.any(axis=0)]),
        losses=(float(losses.min()), float(losses.max())),
        runs=int(off.sum()),
    )
