"""`lrtransfer theory curve`: the loss of each learning rate at every step."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from ..command import Command, print_json, wide_console
from ..options import Json, read_whole
from .problem import ProblemArguments, read_width
from .rates import read_rates


@dataclass(frozen=True, kw_only=True)
class CurveCommand(Command):
    """Show the loss of learning rates at steps 0 … t.

    Example: lrtransfer theory curve --synthetic 500,10,0.1,0 --depth 3 --steps 5 --lrs 0:2:9
    """

    problem: ProblemArguments
    lrs: Annotated[str, tyro.conf.arg(metavar="LR,…|LOW:HIGH:COUNT")]
    """Learning rates, such as 0.1,0.2,2^-3, or a range; write --lrs=-0.1 for negative ones."""
    width: Annotated[str, tyro.conf.arg(metavar="inf|N")] = "inf"
    """Width; inf for the limit under μP."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "1"
    """Initial draws at a finite width."""
    json: Json = False

    def run(self) -> int:
        """Compute and print."""
        from ...reports.theory.curve import curve_document, print_curve
        from ...theory.exact.curve import loss_curve

        steps, width = self.problem.step_count, read_width(self.width)
        curve = loss_curve(
            self.problem.read_problem(),
            read_rates(self.lrs),
            steps=steps,
            width=width,
            seeds=read_whole("seeds", self.seeds, least=1),
        )
        if self.json:
            print_json(curve_document(curve))
        else:
            print_curve(curve, width, console=wide_console())
        return 0
