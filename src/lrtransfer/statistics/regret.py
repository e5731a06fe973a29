r"""What it costs to use the narrow size's optimum at a wider one, and the verdict on it.

With :math:`\hat x` the optimum of the base size and f a loss curve drawn for the wide one,

.. math:: r = \frac{f(\hat x) - \min_x f(x)}{\ell_{best}}, \qquad p = P(r \le \text{tolerance}),

where :math:`\ell_{best}` is the lowest mean loss measured at the wide size. "Transfers" needs
p >= .95, "does not transfer" p <= .01: the minimum of a wiggly curve lies too low, which inflates
the regret of a flat valley, so that the bad news needs the stronger evidence. The interval of the
regret ends at these two quantiles, so that verdict and interval never disagree.
"""

from dataclasses import dataclass

import numpy as np

from .answer import Optimum, Regret, Side, VerdictName
from .axis import AXES, Axis, AxisName
from .columns import Columns
from .curve import CurveDraws
from .optimum import FINE_RATES, SizeFit
from .table import FloatArray

LOW, HIGH = 0.01, 0.95  # quantiles of the regret


@dataclass(frozen=True)
class Decision:
    """State a verdict, the sentence that explains it, and the regret it rests on, if any."""

    verdict: VerdictName
    reason: str
    regret: Regret | None = None


@dataclass(frozen=True)
class RateUsed:
    """Hold the optimum that would be used: one rate, or everything from `low` to `high`.

    Attributes:
        size: Size it is the optimum of.
        log2_lr: The rate; of a bounded optimum, that of the lowest loss.
        low: Least rate it may be, -inf if not bounded.
        high: Largest rate it may be.
    """

    size: int
    log2_lr: float
    low: float
    high: float

    @property
    def exact(self) -> bool:
        """Whether one rate is meant."""
        return self.low == self.high

    def named(self, axis: Axis) -> str:
        """Name the rate at the start of a sentence."""
        bound = power(self.log2_lr)
        if not self.exact:
            bound = f"<= {power(self.high)}" if np.isinf(self.low) else f">= {power(self.low)}"
        return f"The optimum of {axis.name} {self.size} ({bound})"


def rate_used(optimum: Optimum) -> RateUsed | None:
    """Return what is known of the rate that the optimum of a size tells to use, if anything."""
    x, low, high = optimum.log2_lr, optimum.low, optimum.high
    if x is None or (low is None and high is None):
        return None
    if optimum.status == "ok":
        return RateUsed(optimum.size, x, x, x)
    return RateUsed(
        optimum.size, x, -np.inf if low is None else low, np.inf if high is None else high
    )


def decide(
    used: RateUsed,
    wide: SizeFit,
    *,
    tolerance: float,
    at_target: bool,
    looks: int = 1,
    axis: AxisName = "width",
) -> Decision:
    """Decide whether the optimum of one size may be used at another.

    Arguments:
        used: The rate; where it is only bounded, the verdict can be "does not transfer" alone:
            when no rate within the bound is good enough, taking for granted that the loss does
            not fall again beyond the rates tried.
        wide: Fit of the size where it would be used.
        tolerance: Largest regret, as a share of the best loss, of a rate that transfers.
        at_target: Whether `wide` is the target itself.
        looks: How many verdicts on growing tables share the error of one.
        axis: What is varied, for the reason's words.

    Returns:
        The verdict with its reason.
    """
    words = AXES[axis]
    rate, where = used.named(words), f"at {words.name} {wide.columns.size}"
    if not at_target:
        where += f", the {words.most} measured"
    if _diverges(used, wide):
        return Decision("does not transfer", f"{rate} diverges {where}.")
    if wide.draws is None:
        return Decision("inconclusive", f"Fewer than 3 learning rates gave a finite loss {where}.")
    regrets = regret_draws(used, wide.draws)
    quantiles = LOW / looks, 1 - (1 - HIGH) / looks
    low, estimate, high = (
        float(q)
        for q in np.quantile(regrets, (quantiles[0], 0.5, quantiles[1]), method="inverted_cdf")
    )
    if not np.isfinite(estimate):
        gap = f"lies {where} between the last rate that trained and the first that diverged"
        return Decision(
            "does not transfer" if low > tolerance else "inconclusive", f"{rate} {gap}."
        )
    optimum, outside = wide.optimum, _outside(used, wide.columns)
    if outside is not None or (low <= tolerance and may_be_best(used, optimum)):
        low = 0.0
    bounded = (
        used.exact
        and outside is None
        and optimum.status == "ok"
        and len(wide.columns.tried) >= FINE_RATES
        and np.isfinite(high)
    )
    regret = Regret(
        size=optimum.size,
        measured=True,
        estimate=estimate,
        low=low,
        high=high if bounded else None,
        quantiles=quantiles,
        tolerance=tolerance,
        log2_lr=used.log2_lr,
        best_loss=wide.columns.best_loss,
        outside=outside,
    )
    verdict, reason = _verdict(regret, low)
    return Decision(verdict, f"{rate} {reason} {where}; {percent(tolerance)} is allowed.", regret)


def _verdict(regret: Regret, low: float) -> tuple[VerdictName, str]:
    if regret.outside is not None:
        return "inconclusive", "lies outside the learning rates tried"
    if low > regret.tolerance:
        return "does not transfer", f"costs at least {percent(low)} of the best loss"
    if regret.high is None:
        return "inconclusive", f"costs {percent(regret.estimate)} of the best loss, or more,"
    if regret.high <= regret.tolerance:
        return "transfers", f"costs at most {percent(regret.high)} of the best loss"
    return "inconclusive", (
        f"costs between {percent(low)} and {percent(regret.high)} of the best loss"
    )


def may_be_best(used: RateUsed, optimum: Optimum) -> bool:
    """Return whether the rate used may be the optimum itself."""
    low, high = optimum.low, optimum.high
    return (low is None or used.high >= low) and (high is None or used.low <= high)


def regret_draws(used: RateUsed, draws: CurveDraws) -> FloatArray:
    """Return the regret on each drawn curve.

    Arguments:
        used: The rate; where it is only bounded, the cheapest within the bound. Beyond the points
            drawn, the nearest one stands for it.
        draws: Curves of the size where it would be used.

    Returns:
        Regrets as shares of the best loss measured, shape (D,); +inf beyond a drawn cliff.
    """
    x, loss = draws.log2_lr, draws.loss
    low, high = (float(np.clip(v, x[0], x[-1])) for v in (used.low, used.high))
    if used.exact:
        at_rate = _interpolated(low, x, loss)
    else:
        at_rate = loss[:, (x >= low) & (x <= high)].min(axis=1)
    regrets: FloatArray = (at_rate - loss.min(axis=1)) / draws.columns.best_loss
    return regrets


def power(log2_lr: float) -> str:
    """Return a learning rate as a power of two.

    Example:
        >>> power(-6.0), power(-6.283)
        ('2^-6', '2^-6.28')
    """
    return f"2^{_shorten(log2_lr, 2)}"


def percent(share: float) -> str:
    """Return a share as a percentage for people.

    Example:
        >>> percent(0.01), percent(0.0494), percent(2.3), percent(4e-5)
        ('1 %', '4.94 %', '230 %', '0.004 %')
    """
    size = 100 * abs(share)
    digits = 3 if size < 0.01 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{_shorten(100 * share, digits)} %"


def _shorten(number: float, digits: int) -> str:
    """Write a number with at most so many decimals, and no zeros at their end."""
    text = f"{round(number, digits) + 0.0:.{digits}f}"  # + 0.0: no "-0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _interpolated(at: float, x: FloatArray, loss: FloatArray) -> FloatArray:
    """Return the drawn losses at one rate, +inf next to a cliff, shape (D,)."""
    right = int(np.searchsorted(x, at))
    if x[right] == at:
        return loss[:, right]
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    value: FloatArray = (1 - share) * loss[:, right - 1] + share * loss[:, right]
    return value


def _diverges(used: RateUsed, wide: SizeFit) -> bool:
    """Tell whether every rate that may be meant diverged while another trained."""
    column = wide.columns
    above, below = column.diverged_above, column.diverged_below
    if not len(column.log2_lr):
        return False
    return (above is not None and used.low >= above) or (below is not None and used.high <= below)


def _outside(used: RateUsed, column: Columns) -> Side | None:
    """Return the side on which the rate lies beyond the rates tried, where nothing diverged."""
    if column.diverged_above is None and used.low > column.log2_lr[-1]:
        return "high"
    if column.diverged_below is None and used.high < column.log2_lr[0]:
        return "low"
    return None
