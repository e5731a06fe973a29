"""`lrtransfer theory optimum`: the learning rate of the lowest loss after t steps."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from ...errors import UserError
from ..command import Command, print_json, wide_console
from ..options import Json, option, read_number, read_whole
from .problem import ProblemArguments, read_width
from .rates import read_interval

if TYPE_CHECKING:
    from ...theory.exact.deep_linear import Problem


@dataclass(frozen=True, kw_only=True)
class OptimumCommand(Command):
    """Find the learning rate of the lowest loss after t steps.

    Example: lrtransfer theory optimum --synthetic 500,10,0.1,0 --depth 3 --steps 5
    """

    problem: ProblemArguments
    width: Annotated[str, tyro.conf.arg(metavar="inf|N")] = "inf"
    """Width; inf for the limit."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "10"
    """Initial draws at a finite width."""
    interval: Annotated[str | None, option("A,B")] = None
    """Interval to search; by default one that reaches as far as the loss can be lowest."""
    budget: Annotated[str, tyro.conf.arg(metavar="SECONDS")] = "30"
    """Time for certification in the limit."""
    json: Json = False

    def run(self) -> int:
        """Search and print."""
        width, seeds = read_width(self.width), read_whole("seeds", self.seeds, least=1)
        # At step 0 every learning rate has the same loss.
        steps = read_whole("steps", self.problem.steps, least=1)
        interval = None if self.interval is None else read_interval(self.interval)
        budget = _read_positive("budget", self.budget)
        problem = self.problem.read_problem()
        if width is None:
            self._find_limit(problem, steps, interval, budget)
        else:
            self._find_finite(problem, steps, interval, width, seeds)
        return 0

    def _find_limit(
        self, problem: "Problem", steps: int, interval: tuple[float, float] | None, budget: float
    ) -> None:
        from ...reports.theory.optimum import limit_optimum_document, print_limit_optimum
        from ...theory.exact.optimum import limit_optimum

        optimum = limit_optimum(problem, steps=steps, interval=interval, budget=budget)
        if self.json:
            print_json(limit_optimum_document(optimum))
        else:
            print_limit_optimum(optimum, steps, console=wide_console())

    def _find_finite(
        self,
        problem: "Problem",
        steps: int,
        interval: tuple[float, float] | None,
        width: int,
        seeds: int,
    ) -> None:
        from ...reports.theory.optimum import finite_optima_document, print_finite_optima
        from ...theory.exact.finite_optimum import finite_optima

        optima = finite_optima(problem, width=width, steps=steps, seeds=seeds, interval=interval)
        if self.json:
            print_json(finite_optima_document(optima))
        else:
            print_finite_optima(optima, steps, console=wide_console())


def _read_positive(key: str, text: str) -> float:
    value = read_number(key, text)
    if not 0 < value < float("inf"):
        raise UserError(f"{key}: got {text!r}, wanted a positive number.")
    return value
