"""`lrtransfer theory polynomial`: output and loss as polynomials in the learning rate."""

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from ..command import Command, print_json, wide_console
from ..options import Json, read_whole
from .problem import ProblemArguments, read_width


@dataclass(frozen=True, kw_only=True)
class PolynomialCommand(Command):
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
            "seed": read_whole("seed", self.seed, least=0),
        }
        from ...reports.theory.polynomial import polynomial_document, print_polynomial
        from ...theory.exact.polynomial import loss_polynomial

        polynomial = loss_polynomial(self.problem.read_problem(), **settings)
        if self.json:
            print_json(polynomial_document(polynomial))
        else:
            print_polynomial(polynomial, console=wide_console())
        return 0
