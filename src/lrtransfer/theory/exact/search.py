"""The float64 search for optimal learning rates, the same for draws, limits and kernels."""

from collections.abc import Callable

from ..minima import Interval, Minimum, minimize
from ..regression import Numbers
from .deep_linear import Problem
from .first_step import first_step_rate

# From learning rates (R,) and the last step t to the end-to-end weights φ at steps 0 … t,
# shape (t + 1, R, r, k).
Path = Callable[[Numbers, int], Numbers]

REACH = 4  # multiples of the linearized first step's optimum that are searched


def usual_interval(problem: Problem, path: Path) -> Interval:
    """Return the learning rates to search: from 0 to four times the first step's optimum.

    Raises:
        UserError: If the first step moves no output.
    """
    return 0.0, REACH * first_step_rate(problem, lambda lrs: path(lrs, 1))


def lowest_minima(
    problem: Problem, path: Path, *, steps: int, interval: Interval
) -> tuple[Minimum, ...]:
    """Return the lowest minima of the loss above its floor after t steps, best first."""

    def excess(lrs: Numbers) -> Numbers:
        return problem.data.excess(path(lrs, steps)[-1])

    return minimize(excess, interval)
