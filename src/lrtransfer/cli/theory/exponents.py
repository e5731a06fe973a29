"""`lrtransfer theory exponents`: how the best learning rate scales with width."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..command import Command, Json, print_json, wide_console
from ..numbers import at_least
from .options import ProblemArguments

if TYPE_CHECKING:
    from ...theory.exact.exponents import LrScaling

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

_MEANING = {
    "features": "Features are learned",
    "kernel": "The network stays linear in its weights",
    "beyond": "The first step outgrows the initial weights",
}
_START = {
    "zero": "outputs before training vanish",
    "random": "outputs before training stay random",
    "dominant": "outputs before training outgrow the targets",
}


@dataclass(frozen=True, kw_only=True)
class Exponents(Command):
    """Tell how the best learning rate scales with width under a row of exponents.

    Example: lrtransfer theory exponents --synthetic 500,10,0.1,0 --depth 3 --steps 1 --scheme sp
    """

    problem: ProblemArguments
    draws: Annotated[str, tyro.conf.arg(metavar="N")] = "1000"
    """Draws where the limit is random."""
    seed: Annotated[str, tyro.conf.arg(metavar="N")] = "0"
    """Seed of the draws."""
    json: Json = False

    def run(self) -> int:
        """Compute and print."""
        from ...theory.exact.exponents import lr_scaling

        steps = at_least(1)("steps", self.problem.steps)
        found = lr_scaling(
            self.problem.problem(),
            steps=steps,
            draws=at_least(1)("draws", self.draws),
            seed=at_least(0)("seed", self.seed),
        )
        if self.json:
            print_json(as_document(found))
        else:
            as_text(found, steps)
        return 0


def as_document(found: "LrScaling") -> dict[str, Any]:
    """Return the JSON document of `theory exponents --json`."""
    return {
        "exponent": found.exponent,
        "limit": "deterministic" if found.is_deterministic else "random",
        "quantiles": {str(level): found.quantile(level) for level in LEVELS},
        "regime": found.regime.kind,
        "start": found.regime.start_kind,
        "start_exponent": found.regime.start,
        "moving": list(found.regime.moving),
    }


def as_text(found: "LrScaling", steps: int) -> None:
    """Print the exponent and the limit in sentences, and a random limit's quantiles as a table."""
    from rich.table import Table

    console = wide_console()
    power = "does not depend on n" if found.exponent == 0 else f"scales as n^{found.exponent:g}"
    console.print(f"The best learning rate after {steps} steps {power} as the width n grows.")
    unit = "It" if found.exponent == 0 else f"Divided by n^{found.exponent:g} it"
    if found.is_deterministic:
        console.print(f"{unit} tends to {found.quantile(0.5):.10g}.")
    else:
        console.print(f"{unit} has a random limit, which depends on the draw:")
        table = Table(*(f"{level:.0%}" for level in LEVELS), title="Quantiles")
        table.add_row(*(f"{found.quantile(level):.6g}" for level in LEVELS))
        console.print(table)
    regime = found.regime
    moving = ", ".join(regime.moving)
    console.print(f"{_MEANING[regime.kind]}; {_START[regime.start_kind]}; what moves: {moving}.")
