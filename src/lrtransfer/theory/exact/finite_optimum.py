"""The optimal learning rate of each draw at width n, without a grid of learning rates."""

from dataclasses import dataclass, replace

import numpy as np

from ...errors import UserError
from ...scaling import FloatArray
from ..largest import require_bearable
from ..minima import LrInterval, Minimum
from ..regression import Numbers
from ..schemes import ABC_SCHEMES
from .deep_linear import Problem
from .finite_width import Weights, draw_weights, finite_trajectory
from .optimum import limit_optimum
from .search import default_interval, lowest_minima


@dataclass(frozen=True, eq=False)
class FiniteOptima:
    """Optimal learning rates of all draws at one width.

    Attributes:
        width: n.
        lrs: Optimal learning rates, shape (S,).
        losses: Losses there, shape (S,).
        limit: Optimum in the limit under μP; None under other schemes, or if it has several.
    """

    width: int
    lrs: FloatArray
    losses: FloatArray
    limit: float | None

    @property
    def mean(self) -> float:
        """Mean of the optima."""
        return float(self.lrs.mean())

    @property
    def sd(self) -> float | None:
        """Standard deviation between draws; None for a single one."""
        return float(self.lrs.std(ddof=1)) if len(self.lrs) > 1 else None

    @property
    def bias(self) -> float | None:
        """Mean minus the limit; None without a limit."""
        return None if self.limit is None else self.mean - self.limit


def finite_optima(
    problem: Problem, *, width: int, steps: int, seeds: int, interval: LrInterval | None = None
) -> FiniteOptima:
    """Return the learning rate of the lowest loss after t steps, draw by draw.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        width: n.
        steps: t, at least 1.
        seeds: Number S of draws.
        interval: Learning rates to search; by default from 0 to four times the optimum of the
            draw's linearized first step, or as far as the limit is searched.

    Returns:
        The optimum of every draw, and that of the limit under μP.

    Raises:
        UserError: If there is no optimum, or an argument is out of range.

    Example:
        >>> problem = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=2)
        >>> optima = finite_optima(problem, width=256, steps=1, seeds=20)
        >>> round(optima.limit, 12), abs(optima.bias) < optima.sd < 0.05
        (0.2, True)
    """
    require_bearable(width=width, steps=steps, seeds=seeds)
    if min(width, steps, seeds) < 1:
        raise UserError(
            f"optimum: got width={width}, steps={steps}, seeds={seeds}, wanted each at least 1."
        )
    limit, reach = None, 0.0
    if problem.scheme == ABC_SCHEMES["mup"]:
        optimum = limit_optimum(problem, steps=steps, interval=interval)
        limit = None if optimum.unique is False else optimum.lr
        reach = optimum.interval[1]
    draws = (draw_weights(problem, width=width, seed=seed) for seed in range(seeds))
    best = [
        draw_optimum(problem, weights, steps=steps, interval=interval, reach=reach)
        for weights in draws
    ]
    return FiniteOptima(
        width=width,
        lrs=np.array([minimum.lr for minimum in best]),
        losses=np.array([minimum.loss for minimum in best]),
        limit=limit,
    )


def draw_optimum(
    problem: Problem,
    weights: Weights,
    *,
    steps: int,
    interval: LrInterval | None = None,
    reach: float = 0.0,
) -> Minimum:
    """Return the lowest minimum of one draw's loss after t steps.

    Arguments:
        problem: Data, depth, parametrization, optimizer.
        weights: The draw.
        steps: t, at least 1.
        interval: Learning rates to search; by default from 0 to four times the optimum of the
            linearized first step.
        reach: Least upper end of the default interval.

    Returns:
        The learning rate and its loss.
    """

    def trajectory(lrs: Numbers, steps: int) -> Numbers:
        return finite_trajectory(problem, weights, lrs, steps=steps)

    if interval is None:
        low, high = default_interval(problem, trajectory)
        interval = (low, max(high, reach))
    best = lowest_minima(problem, trajectory, steps=steps, interval=interval)[0]
    return replace(best, loss=best.loss + problem.data.floor)
