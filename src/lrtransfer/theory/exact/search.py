"""The float64 search for optimal learning rates, the same for draws, limits and kernels."""

from collections.abc import Callable

from ..minima import LrInterval, Minimum, minimize
from ..regression import Numbers
from .deep_linear import Problem
from .first_step import first_step_rate

# Function from learning rates (R,) and the last step t to the end-to-end weights φ at steps 0 … t,
# shape (t + 1, R, r, k).
Trajectory = Callable[[Numbers, int], Numbers]

FIRST_STEP_MULTIPLES = 4  # upper end of the search, in optima of the linearized first step


def default_interval(problem: Problem, trajectory: Trajectory) -> LrInterval:
    """Return the default search interval: from 0 to four times the optimum of the first step.

    Raises:
        UserError: If the first step moves no output.
    """
    return 0.0, FIRST_STEP_MULTIPLES * first_step_rate(problem, lambda lrs: trajectory(lrs, 1))


def lowest_minima(
    problem: Problem, trajectory: Trajectory, *, steps: int, interval: LrInterval
) -> tuple[Minimum, ...]:
    """Return the lowest minima of the loss minus its floor after t steps, best first.

    Arguments:
        problem: Data.
        trajectory: Training at any learning rates.
        steps: t.
        interval: Learning rates to search.

    Returns:
        Minima with the loss minus its floor.
    """

    def excess(lrs: Numbers) -> Numbers:
        return problem.data.excess(trajectory(lrs, steps)[-1])

    return minimize(excess, interval)
