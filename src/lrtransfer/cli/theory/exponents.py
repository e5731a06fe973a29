"""`lrtransfer theory exponents`: how the best learning rate scales with width."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from ..command import Command, print_json, wide_console
from ..options import Json, read_whole
from .problem import ProblemArguments


@dataclass(frozen=True, kw_only=True)
class ExponentsCommand(Command):
    """Show how the best learning rate scales with width under a row of exponents.

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
        from ...reports.theory.exponents import exponents_document, print_exponents
        from ...theory.exact.exponents import lr_scaling

        steps = read_whole("steps", self.problem.steps, least=1)
        scaling = lr_scaling(
            self.problem.read_problem(),
            steps=steps,
            draws=read_whole("draws", self.draws, least=1),
            seed=read_whole("seed", self.seed, least=0),
        )
        if self.json:
            print_json(exponents_document(scaling))
        else:
            print_exponents(scaling, steps, console=wide_console())
        return 0
