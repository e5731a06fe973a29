r"""What it costs to use a small size's optimum at a larger one, and the verdict on it.

With :math:`\hat x` the optimum of the base size and f a loss curve drawn for the large one,

.. math:: r = \frac{f(\hat x) - \min_x f(x)}{\ell_{best}}, \qquad p = P(r \le \text{tolerance}),

where :math:`\ell_{best}` is the lowest mean loss measured at the large size. With a tolerance in
units of the loss the verdict is that on :math:`r\,\ell_{best}`, a difference, so that losses may
have any sign and a constant added to all of them changes nothing.

"Transfers" needs p >= .95, "does not transfer" p <= .01: the minimum of a wiggly curve lies too
low, which inflates the regret of a flat valley, so that the bad news needs the stronger evidence.
The interval of the regret ends at these two quantiles, so that verdict and interval never disagree.

Where the rate used was itself tried, the interval also holds what that measured: no verdict
contradicts a loss that is in the table.

The verdict is on the rate used, a number, whatever it estimates. What the base's true optimum costs
is less certain, since a new sweep of the base may find it elsewhere: the same quantile with
:math:`\hat x` drawn from where that optimum may be is stated beside it.

A table that grows is judged several times. Its *looks*, as group-sequential analysis calls them,
share the error of one verdict: with k looks the quantiles are .01 / k and 1 - .05 / k (Bonferroni).

References:
    Jennison & Turnbull (1999), Group Sequential Methods with Applications to Clinical Trials.
"""

from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray
from .answer import HIGH_QUANTILE, LOW_QUANTILE, TAIL, Optimum, Regret, Side, VerdictName
from .axis import AXES, Axis, AxisName
from .curves.columns import Columns
from .curves.curve import CurveDraws, find_minima, value_at
from .curves.fit import SizeFit
from .curves.optimum import allow_corner
from .notation import format_percent, format_power

FINE_RATES = 4  # rates tried from which the regret has an upper bound
TRIED = 0.1  # octaves: no farther from a rate tried, a rate was tried
DEPTH = 0.05  # share of the depth that a corner may have that counts


@dataclass(frozen=True)
class Decision:
    """Verdict, the sentence that explains it, and the regret it rests on, if any."""

    verdict: VerdictName
    reason: str
    regret: Regret | None = None


@dataclass(frozen=True, kw_only=True)
class RateUsed:
    """Learning rate that would be used: one rate, or all from `low` to `high` that it may be.

    Attributes:
        size: Size it is the optimum of.
        log2_lr: The rate; of a bounded optimum, that of the lowest loss.
        low: Least rate it may be, -inf if not bounded.
        high: Largest rate it may be.
        draws: Where the true optimum may be, of which the rate is the estimate, shape (D,).
    """

    size: int
    log2_lr: float
    low: float
    high: float
    draws: FloatArray | None = None

    @classmethod
    def exactly(cls, size: int, log2_lr: float) -> "RateUsed":
        """Return the optimum of a size, known exactly."""
        return cls(size=size, log2_lr=log2_lr, low=log2_lr, high=log2_lr)

    @property
    def exact(self) -> bool:
        """Whether one rate is meant."""
        return self.low == self.high

    def describe(self, axis: Axis) -> str:
        """Name the rate at the start of a sentence."""
        if self.exact:
            bound = format_power(self.log2_lr)
        elif np.isinf(self.low):
            bound = f"<= {format_power(self.high)}"
        else:
            bound = f">= {format_power(self.low)}"
        return f"The optimum of {axis.name} {self.size} ({bound})"


def carry_over(base: SizeFit) -> RateUsed | None:
    """Return the rate that the optimum of a size tells to use, as far as it is known, if at all."""
    optimum = base.optimum
    x, low, high = optimum.log2_lr, optimum.low, optimum.high
    if x is None or base.draws is None or (low is None and high is None):
        return None
    if optimum.status == "ok":
        return RateUsed(size=optimum.size, log2_lr=x, low=x, high=x, draws=find_minima(base.draws))
    return RateUsed(
        size=optimum.size,
        log2_lr=x,
        low=-np.inf if low is None else low,
        high=np.inf if high is None else high,
    )


def decide_transfer(
    used: RateUsed,
    destination: SizeFit,
    *,
    tolerance: float,
    at_target: bool,
    absolute: bool = False,
    looks: int = 1,
    axis: AxisName = "width",
) -> Decision:
    """Decide whether the optimum of one size may be used at another.

    Arguments:
        used: The rate; where it is only bounded, the verdict can be "does not transfer" alone:
            when no rate within the bound is good enough, taking for granted that the loss does
            not fall again beyond the rates tried.
        destination: Fit of the size where it would be used.
        tolerance: Largest regret, as a share of the best loss, of a rate that transfers.
        at_target: Whether `destination` is the target itself.
        absolute: Whether the tolerance is in units of the loss.
        looks: How many verdicts on growing tables share the error of one.
        axis: What is varied, for the reason's words.

    Returns:
        The verdict with its reason.
    """
    words = AXES[axis]
    rate, where = used.describe(words), f"at {words.name} {destination.columns.size}"
    if not at_target:
        where += f", the {words.largest} measured"
    if _diverges(used, destination):
        return Decision("does not transfer", f"{rate} diverges {where}.")
    if destination.draws is None:
        return Decision("inconclusive", f"Fewer than 2 learning rates gave a finite loss {where}.")
    in_loss_units = counts_in_loss(destination.columns, tolerance, absolute=absolute)
    if absolute and not in_loss_units:
        tolerance /= destination.columns.best_loss
    regret = _measure_regret(
        used, destination, tolerance=tolerance, looks=looks, in_loss_units=in_loss_units
    )
    if not np.isfinite(regret.estimate):
        gap = f"lies between the last rate that trained and the first that diverged {where}"
        costs = regret.low is not None and regret.low > tolerance
        verdict: VerdictName = "does not transfer" if costs else "inconclusive"
        return Decision(verdict, f"{rate} {gap}.")
    verdict, reason = _state_verdict(regret)
    allowed = f"{write_cost(tolerance, regret)} is allowed"
    return Decision(verdict, f"{rate} {reason} {where}; {allowed}.", regret)


def _measure_regret(
    used: RateUsed, destination: SizeFit, *, tolerance: float, looks: int, in_loss_units: bool
) -> Regret:
    """Return the regret on the drawn curves; infinite where half of them have diverged."""
    draws = destination.draws
    assert draws is not None
    low, high = LOW_QUANTILE / looks, 1 - (1 - HIGH_QUANTILE) / looks
    regrets = draw_regrets(used, draws, in_loss_units=in_loss_units)
    depth = draw_depths(draws, in_loss_units=in_loss_units)
    least, estimate, _ = _take_quantiles(regrets, low, high)
    most = _take_quantiles(regrets + depth, low, high)[-1]
    outside = _find_outside(used, destination.columns)
    if np.isfinite(estimate) and (outside is not None or may_be_best(used, destination.optimum)):
        least = 0.0
    seen = _find_measured(used, destination.columns, in_loss_units=in_loss_units)
    if seen is not None:
        least, most = min(least, seen), max(most, seen)
    bounded = outside is None and _bounds_regret(used, destination, most)
    elsewhere = draw_regrets(used, draws, in_loss_units=in_loss_units, true=True)
    worst = _take_quantiles(elsewhere + depth, low, high)[-1]
    return Regret(
        size=destination.optimum.size,
        measured=True,
        estimate=estimate,
        low=least,
        high=most if bounded else None,
        tolerance=tolerance,
        log2_lr=used.log2_lr,
        best_loss=destination.columns.best_loss,
        outside=outside,
        low_quantile=low,
        high_quantile=high,
        in_loss_units=in_loss_units,
        high_of_optimum=max(worst, most) if bounded and np.isfinite(worst) else None,
    )


def _find_measured(used: RateUsed, columns: Columns, *, in_loss_units: bool) -> float | None:
    """Return what runs at the rate used measured it to cost, None if it was not tried."""
    away = np.abs(columns.log2_lr - used.log2_lr)
    if not used.exact or away.min() > TRIED:
        return None
    cost = float(columns.loss[away.argmin()] - columns.loss.min())
    return cost if in_loss_units else cost / columns.best_loss


def _take_quantiles(regrets: FloatArray, low: float, high: float) -> tuple[float, float, float]:
    least, middle, most = np.quantile(regrets, (low, 0.5, high), method="inverted_cdf")
    return float(least), float(middle), float(most)


def counts_in_loss(columns: Columns, tolerance: float, *, absolute: bool) -> bool:
    """Tell whether regrets at a size are counted in units of the loss, not as shares of the best.

    Arguments:
        columns: Runs of the size.
        tolerance: Largest regret of a rate that transfers.
        absolute: Whether it is in units of the loss: then losses may have any sign.
    """
    return absolute and columns.best_loss <= tolerance


def _bounds_regret(used: RateUsed, destination: SizeFit, high: float) -> bool:
    """Tell whether enough is known of rate and curve for the regret to have an upper bound."""
    is_fine = destination.optimum.status == "ok" and len(destination.columns.tried) >= FINE_RATES
    return used.exact and is_fine and bool(np.isfinite(high))


def _state_verdict(regret: Regret) -> tuple[VerdictName, str]:
    if regret.outside is not None:
        return "inconclusive", "lies outside the learning rates tried"
    unit = "in units of the loss" if regret.in_loss_units else "of the best loss"
    low = 0.0 if regret.low is None else regret.low
    if low > regret.tolerance:
        return "does not transfer", f"costs at least {write_cost(low, regret)} {unit}"
    if regret.high is None:
        cost = write_cost(regret.estimate, regret)
        return "inconclusive", f"costs {cost} {unit}, or more,"
    high = write_cost(regret.high, regret)
    if regret.high <= regret.tolerance:
        return "transfers", f"costs at most {high} {unit}"
    return "inconclusive", f"costs between {write_cost(low, regret)} and {high} {unit}"


def write_cost(number: float, regret: Regret) -> str:
    """Return one of the numbers of a regret as people read it."""
    return f"{number:.3g}" if regret.in_loss_units else format_percent(number)


def may_be_best(used: RateUsed, optimum: Optimum) -> bool:
    """Return whether the rate used may be the optimum itself."""
    low, high = optimum.low, optimum.high
    return (low is None or used.high >= low) and (high is None or used.low <= high)


def draw_regrets(
    used: RateUsed, draws: CurveDraws, *, in_loss_units: bool = False, true: bool = False
) -> FloatArray:
    """Return the regret on each drawn curve.

    Arguments:
        used: The rate; where it is only bounded, the cheapest within the bound. Beyond the points
            drawn, the nearest one stands for it.
        draws: Curves of the size where it would be used.
        in_loss_units: Return them in units of the loss instead.
        true: Return those of the optimum of which the rate is an estimate, wherever it may be.

    Returns:
        Regrets as shares of the best loss measured, shape (D,); +inf beyond a drawn cliff.
    """
    x, loss = draws.log2_lr, draws.loss
    tried = draws.columns.tried
    low, high = (float(np.clip(v, tried[0], tried[-1])) for v in (used.low, used.high))
    if true and used.draws is not None:
        rates = np.clip(np.resize(used.draws, len(loss)), x[0], x[-1])
        at_rate = value_at(draws, rates)
    elif used.exact:
        at_rate = value_at(draws, np.full(len(loss), low))
    else:
        at_rate = loss[:, (x >= low) & (x <= high)].min(axis=1)
    unit = 1.0 if in_loss_units else draws.columns.best_loss
    regrets: FloatArray = (at_rate - loss.min(axis=1)) / unit
    return regrets


def draw_depths(draws: CurveDraws, *, in_loss_units: bool = False) -> FloatArray:
    """Return how much lower than each drawn curve the truth may be, if it has a corner.

    Curves round a corner off. Half of what they rise from their minimum as far to either side as a
    corner may move it is taken for its depth; a side beyond a cliff is left out.

    Arguments:
        draws: Curves of the size.
        in_loss_units: Return them in units of the loss instead of shares of the best.

    Returns:
        Depths, shape (D,).
    """
    minima, lowest = find_minima(draws), draws.loss.min(axis=1)
    low, high = np.quantile(minima, (TAIL, 1 - TAIL))
    corner = allow_corner(draws, float(low), float(high))
    rises = np.stack([value_at(draws, minima + side) - lowest for side in (-corner, corner)])
    usable = np.isfinite(rises)
    total = np.where(usable, rises, 0.0).sum(axis=0)
    unit = 1.0 if in_loss_units else draws.columns.best_loss
    depths: FloatArray = DEPTH * total / np.maximum(usable.sum(axis=0), 1) / unit
    return depths


def _diverges(used: RateUsed, destination: SizeFit) -> bool:
    """Tell whether every rate that may be meant diverged while another one trained."""
    column = destination.columns
    above, below = column.diverged_above, column.diverged_below
    if not len(column.log2_lr):
        return False
    return (above is not None and used.low >= above) or (below is not None and used.high <= below)


def _find_outside(used: RateUsed, column: Columns) -> Side | None:
    """Return the side on which the rate lies beyond the rates tried, where nothing diverged."""
    if column.diverged_above is None and used.low > column.log2_lr[-1]:
        return "high"
    if column.diverged_below is None and used.high < column.log2_lr[0]:
        return "low"
    return None
