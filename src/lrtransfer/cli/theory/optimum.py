"""`lrtransfer theory optimum`: the learning rate of the lowest loss after t steps."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.markup import escape

from ...errors import UserError
from ..command import Command, Json, print_json, wide_console
from ..numbers import at_least, number
from ..tune import option
from .options import ProblemArguments, read_width
from .rates import read_interval

if TYPE_CHECKING:
    from ...theory.exact.deep_linear import Problem
    from ...theory.exact.finite_optimum import FiniteOptima
    from ...theory.exact.optimum import LimitOptimum

_UNIQUE = {
    True: "The minimiser is unique: the assumption of Theorem 3 holds for these data.",
    False: "The minimiser is not unique: the assumption of Theorem 3 fails for these data.",
    None: "Whether the minimiser is unique stays open: the assumption of Theorem 3 is undecided.",
}


@dataclass(frozen=True, kw_only=True)
class Optimum(Command):
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
        width, seeds = read_width(self.width), at_least(1)("seeds", self.seeds)
        steps = at_least(1)("steps", self.problem.steps)  # at step 0 every rate has the same loss
        interval = None if self.interval is None else read_interval(self.interval)
        budget = _positive("budget", self.budget)
        problem = self.problem.problem()
        if width is None:
            self._limit(problem, steps, interval, budget)
        else:
            self._finite(problem, steps, interval, width, seeds)
        return 0

    def _limit(
        self, problem: "Problem", steps: int, interval: tuple[float, float] | None, budget: float
    ) -> None:
        from ...theory.exact.optimum import limit_optimum

        found = limit_optimum(problem, steps=steps, interval=interval, budget=budget)
        if self.json:
            print_json(limit_document(found))
        else:
            limit_text(found, steps)

    def _finite(
        self,
        problem: "Problem",
        steps: int,
        interval: tuple[float, float] | None,
        width: int,
        seeds: int,
    ) -> None:
        from ...theory.exact.finite_optimum import finite_optima

        found = finite_optima(problem, width=width, steps=steps, seeds=seeds, interval=interval)
        if self.json:
            print_json(finite_document(found))
        else:
            finite_text(found, steps)


def _positive(key: str, text: str) -> float:
    value = number(key, text)
    if not 0 < value < float("inf"):
        raise UserError(f"{key}: got {text!r}, wanted a positive number.")
    return value


def limit_document(found: "LimitOptimum") -> dict[str, Any]:
    """Return the JSON document of `theory optimum --width inf --json`."""
    return {
        "minimisers": [asdict(minimiser) for minimiser in found.minimisers],
        "unique": found.unique,
        "certified": found.certified,
        "complete": found.complete,
        "interval": list(found.interval),
        "method": found.method,
        "lr": found.lr,
    }


def limit_text(found: "LimitOptimum", steps: int) -> None:
    """Print the enclosures as a table, then what they mean."""
    from rich.table import Table

    table = Table("from", "to", "loss", title=f"Best learning rates after {steps} steps, n → ∞")
    for minimiser in found.minimisers:
        table.add_row(f"{minimiser.low:.15g}", f"{minimiser.high:.15g}", f"{minimiser.loss:.6g}")
    console = wide_console()
    console.print(table)
    console.print(_UNIQUE[found.unique])
    how = "Certified" if found.certified else "Not certified, computed in float64"
    low, high = found.interval
    console.print(f"{how} on {low:.6g} … {high:.6g} ({escape(found.method)}).")
    if not found.complete:
        console.print("Lower losses beyond that interval are not excluded.")


def finite_document(found: "FiniteOptima") -> dict[str, Any]:
    """Return the JSON document of `theory optimum --width N --json`."""
    return {
        "width": found.width,
        "lrs": found.lrs.tolist(),
        "losses": found.losses.tolist(),
        "mean": found.mean,
        "sd": found.sd,
        "limit": found.limit,
        "bias": found.bias,
    }


def finite_text(found: "FiniteOptima", steps: int) -> None:
    """Print the optimum of each seed, then how they lie about the limit."""
    from rich.table import Table

    title = f"Best learning rate after {steps} steps at width {found.width:,}"
    table = Table("seed", "lr", "loss", title=title)
    for seed, (lr, loss) in enumerate(zip(found.lrs, found.losses, strict=True)):
        table.add_row(str(seed), f"{lr:.6g}", f"{loss:.6g}")
    console = wide_console()
    console.print(table)
    spread = "" if found.sd is None else f", standard deviation {found.sd:.3g} between seeds"
    console.print(f"Mean {found.mean:.6g}{spread}.")
    if found.limit is None:
        console.print("There is no one limit to compare with.")
    else:
        console.print(f"The limit is {found.limit:.6g}; the mean differs by {found.bias:+.3g}.")
