"""`lrtransfer theory`: one subcommand per question."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from ...errors import UserError
from ..command import Command
from .curve import CurveCommand
from .exponents import ExponentsCommand
from .fluctuation import FluctuationCommand
from .optimum import OptimumCommand
from .polynomial import PolynomialCommand

Question = (
    Annotated[OptimumCommand, tyro.conf.subcommand("optimum")]
    | Annotated[CurveCommand, tyro.conf.subcommand("curve")]
    | Annotated[PolynomialCommand, tyro.conf.subcommand("polynomial")]
    | Annotated[FluctuationCommand, tyro.conf.subcommand("fluctuation")]
    | Annotated[ExponentsCommand, tyro.conf.subcommand("exponents")]
)


@dataclass(frozen=True)
class TheoryCommand(Command):
    """Compute learning rates of deep linear networks exactly, at finite and infinite width.

    Example: lrtransfer theory curve --synthetic 500,10,0.1,0 --depth 3 --steps 5 --lrs 0:2:9
    """

    question: Question

    def run(self) -> int:
        """Run the subcommand."""
        try:
            return self.question.run()
        except MemoryError:
            raise UserError(
                "theory: got a problem that needs more memory than there is, wanted a smaller one. "
                "Lower --steps, --depth, --width or the number of learning rates."
            ) from None
