"""`lrtransfer theory polynomial`: output and loss as polynomials in the learning rate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..command import Command, Json, print_json, wide_console
from ..numbers import at_least
from .options import ProblemArguments, read_width

if TYPE_CHECKING:
    from ...theory.exact.polynomial import LossPolynomial


@dataclass(frozen=True, kw_only=True)
class Polynomial(Command):
    """Show degree and coefficients of the output and the loss after t steps.

    Example: lrtransfer theory polynomial --synthetic 500,10,0.1,0 --depth 3 --steps 1
    """

    problem: ProblemArguments
    width: Annotated[str, tyro.conf.arg(metavar="inf|N")] = "inf"
    """Width; inf for the limit under μP."""
    seed: Annotated[str, tyro.conf.arg(metavar="N")] = "0"
    """Initial draw at a finite width."""
    json: Json = False

    def run(self) -> int:
        """Compute and print."""
        settings: dict[str, Any] = {
            "steps": self.problem.step_count,
            "width": read_width(self.width),
            "seed": at_least(0)("seed", self.seed),
        }
        from ...theory.exact.polynomial import loss_polynomial

        polynomial = loss_polynomial(self.problem.problem(), **settings)
        if self.json:
            print_json(as_document(polynomial))
        else:
            as_text(polynomial)
        return 0


def as_document(polynomial: "LossPolynomial") -> dict[str, Any]:
    """Return the JSON document of `theory polynomial --json`; lowest powers come first."""
    return {
        "degree_output": polynomial.degree_output,
        "degree_loss": polynomial.degree_loss,
        "output": polynomial.output.tolist(),
        "loss": polynomial.loss.tolist(),
        "radius": polynomial.radius,
        "condition": polynomial.condition,
    }


def as_text(polynomial: "LossPolynomial") -> None:
    """Print the loss's coefficients as a table, then how far they can be trusted."""
    from rich.table import Table

    table = Table("power of lr", "coefficient", title="Loss as a polynomial in the learning rate")
    for power, coefficient in enumerate(polynomial.loss):
        table.add_row(str(power), f"{coefficient:.10g}")
    console = wide_console()
    console.print(table)
    console.print(
        f"The output has degree {polynomial.degree_output}, the loss {polynomial.degree_loss}; "
        f"rounding of the coefficients grows by up to {polynomial.condition:.2g} in the loss."
    )
