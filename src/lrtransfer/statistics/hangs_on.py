r"""What a verdict hangs on: what might as well have come out otherwise, and would turn it.

- **The draws.** Curves are drawn at random, D of them, so that a quantile of the regret has a Monte
  Carlo error. With :math:`r_{(k)}` the ordered draws, the q-quantile lies between
  :math:`r_{(l)}` and :math:`r_{(u)}` with 95 %, where l and u are the 2.5 % and 97.5 % quantiles of
  Binomial(D, q). The rate used, a median of drawn minima, has such an error, too. If the interval,
  taken at the rate and widened to the quantile at the ends of that error, holds the tolerance,
  other draws may give another verdict.
- **The rate used.** It is an estimate of the base's optimum, and another sweep may find another.
- **The interval.** An open verdict hangs on the end of the interval that lies on the other side of
  the tolerance than the estimate.

References:
    David & Nagaraja (2003), Order Statistics, section 7.1.
"""

import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from ..scaling import FloatArray
from .answer import Evidence, Regret, VerdictName
from .axis import Axis
from .curves.fit import SizeFit
from .notation import format_power
from .regret import (
    Decision,
    RateUsed,
    carry_over,
    draw_depths,
    draw_regrets,
    may_be_best,
    write_cost,
)

BEYOND = 0.025  # share of the Monte Carlo distribution beyond either end


def say_what_it_hangs_on(
    decision: Decision,
    base: SizeFit | None,
    destination: SizeFit | None,
    *,
    evidence: Sequence[Evidence],
    words: Axis,
) -> str | None:
    """Return what a verdict hangs on, in words.

    Arguments:
        decision: The verdict.
        base: Fit of the size whose optimum was used.
        destination: Fit of the size where it was used.
        evidence: Runs that would settle an open answer.
        words: Words for the axis.

    Returns:
        One clause per thing, the draws first; None for a verdict that nothing of this would turn,
        or that rests on no regret.
    """
    regret = decision.regret
    if regret is None or base is None or destination is None or destination.draws is None:
        return None
    parts = [
        *_name_draws(decision.verdict, regret, base, destination),
        *_name_optimum(decision.verdict, regret, base, words),
        *_name_end(decision.verdict, regret, evidence),
    ]
    return "; ".join(parts) or None


def bound_quantile(draws: FloatArray, share: float) -> tuple[float, float]:
    """Return the 95 % Monte Carlo interval of a quantile of draws.

    Arguments:
        draws: Draws, shape (D,).
        share: The quantile, between 0 and 1.

    Returns:
        Its ends; infinite where there are too few draws beyond the quantile for an end.

    Example:
        >>> bound_quantile(np.arange(1.0, 101.0), 0.5)
        (40.0, 61.0)
        >>> bound_quantile(np.arange(1.0, 101.0), 0.01)
        (-inf, 4.0)
    """
    low, high = _bound_rank(len(draws), share)
    ordered = np.sort(draws)
    first = float(ordered[low - 1]) if low >= 1 else -math.inf
    last = float(ordered[high - 1]) if high <= len(draws) else math.inf
    return first, last


@cache
def _bound_rank(count: int, share: float) -> tuple[int, int]:
    """Return l and u, counted from 1: P(Bin < l) <= 2.5 %, P(Bin >= u) <= 2.5 %."""
    k = np.arange(count + 1)
    logs = np.array([
        math.lgamma(count + 1) - math.lgamma(i + 1) - math.lgamma(count - i + 1)
        for i in range(count + 1)
    ])
    below = np.cumsum(np.exp(logs + k * math.log(share) + (count - k) * math.log1p(-share)))
    # below[i] = P(Bin <= i)
    low = int(np.searchsorted(below, BEYOND, side="right"))
    high = int(np.searchsorted(below, 1 - BEYOND, side="left")) + 1
    return low, high


def _name_draws(
    verdict: VerdictName, regret: Regret, base: SizeFit, destination: SizeFit
) -> Iterator[str]:
    """Yield which quantile lies at the tolerance, for all that the draws can tell."""
    used, draws = carry_over(base), destination.draws
    if used is None or draws is None or regret.outside is not None:
        return
    depths = draw_depths(draws, in_loss_units=regret.in_loss_units)
    costs = [
        draw_regrets(rate, draws, in_loss_units=regret.in_loss_units) for rate in _vary_rate(used)
    ]
    ends = []
    if verdict == "transfers" or (verdict == "inconclusive" and regret.high is not None):
        ends.append((regret.high_quantile, [cost + depths for cost in costs]))
    if verdict == "does not transfer" or not may_be_best(used, destination.optimum):
        ends.append((regret.low_quantile, costs))
    for share, (drawn, *others) in ends:
        quantiles = [float(np.quantile(one, share, method="inverted_cdf")) for one in others]
        bounds = (*bound_quantile(drawn, share), *quantiles)
        low, high = min(bounds), max(bounds)
        if low <= regret.tolerance < high:
            most = write_cost(high, regret) if math.isfinite(high) else "more than can be said"
            between = f"{write_cost(max(low, 0.0), regret)} and {most}"
            yield (
                f"on the random draws: the {100 * share:.3g} % quantile of the regret lies between "
                f"{between}, for all that {len(drawn)} draws can tell, and "
                f"{write_cost(regret.tolerance, regret)} is allowed"
            )


def _vary_rate(used: RateUsed) -> list[RateUsed]:
    """Return the rate used, and where other draws might have had it."""
    if not used.exact or used.draws is None:
        return [used]
    ends = bound_quantile(used.draws, 0.5)
    shifts = [end - float(np.median(used.draws)) for end in ends if math.isfinite(end)]
    return [used, *(RateUsed.exactly(used.size, used.log2_lr + shift) for shift in shifts)]


def _name_optimum(
    verdict: VerdictName, regret: Regret, base: SizeFit, words: Axis
) -> Iterator[str]:
    """Yield that the rate holds as it stands, where the optimum it estimates may cost too much."""
    optimum, worst = base.optimum, regret.high_of_optimum
    low, high = optimum.low, optimum.high
    if verdict != "transfers" or low is None or high is None:
        return
    if worst is not None and worst <= regret.tolerance:
        return
    cost = "might diverge" if worst is None else f"would cost up to {write_cost(worst, regret)}"
    yield (
        f"on the rate used: it holds for {format_power(regret.log2_lr)} as it stands; the optimum "
        f"of {words.name} {optimum.size} is known to ± {(high - low) / 2:.2g} octaves only, and in "
        f"its place {cost}"
    )


def _name_end(verdict: VerdictName, regret: Regret, evidence: Sequence[Evidence]) -> Iterator[str]:
    """Yield which end of an open interval lies across the tolerance, and what narrows it."""
    if verdict != "inconclusive" or regret.high is None or regret.low is None:
        return
    allowed = f"{write_cost(regret.tolerance, regret)} allowed"
    estimate = write_cost(regret.estimate, regret)
    if regret.estimate <= regret.tolerance:
        line = (
            f"on the upper end of the regret, {write_cost(regret.high, regret)}: the estimate, "
            f"{estimate}, lies within the {allowed}"
        )
    else:
        line = (
            f"on the lower end of the regret, {write_cost(regret.low, regret)}: the estimate, "
            f"{estimate}, lies beyond the {allowed}"
        )
    yield f"{line}; what sharpens it: {evidence[0].action}" if evidence else line
