"""The float64 search for optimal learning rates, the same for draws, limits and kernels."""

from collections.abc import Callable

from ..minima import LrInterval, Minimum, minimize
from ..regression import Numbers
from .deep_linear import Problem
from .first_step import first_step_rate

# From learning rates (R,) and the last step t to the end-to-end weights φ at steps 0 … t,
# shape (t + 1, R, r, k).
Trajectory = Callable[[Numbers, int], Numbers]

FIRST_STEP_MULTIPLES = 4  # multiples of the linearized first step's optimum that are searched


def usual_interval(problem: Problem, path: Trajectory) -> LrInterval:
    """Return the learning rates to search: from 0 to four times the first step's optimum.

    Raises:
        UserError: If the first step moves no output.
    """
    return 0.0, FIRST_STEP_MULTIPLES * first_step_rate(problem, lambda lrs: path(lrs, 1))


def lowest_minima(
    problem: Problem, path: Trajectory, *, steps: int, interval: LrInterval
) -> tuple[Minimum, ...]:
    """Return the lowest minima of the loss above its floor after t steps, best first."""

    def excess(lrs: Numbers) -> Numbers:
        return problem.data.excess(path(lrs, steps)[-1])

    return minimize(excess, interval)
