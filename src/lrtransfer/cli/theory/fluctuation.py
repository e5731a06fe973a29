"""`lrtransfer theory fluctuation`: spread and bias of the best learning rate at finite widths."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import tyro

from ..command import Command, print_json, wide_console
from ..options import Json, option, read_list, read_whole
from .problem import ProblemArguments
from .rates import read_interval


@dataclass(frozen=True, kw_only=True)
class FluctuationCommand(Command):
    """Measure how spread and bias of the best learning rate fall with width, under μP.

    Example: lrtransfer theory fluctuation --synthetic 500,10,0.1,0 --depth 3 --steps 1
    """

    problem: ProblemArguments
    widths: Annotated[str, tyro.conf.arg(metavar="N,…")] = "64,128,256,512"
    """At least three widths."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "40"
    """Pairs of initial draws, V and −V, at each width."""
    interval: Annotated[str | None, option("A,B")] = None
    """Interval to search; by default around the limit."""
    band: Annotated[str | None, option("N")] = None
    """Width for which to print the band that holds 95 % of draws; by default the largest."""
    json: Json = False

    def run(self) -> int:
        """Measure and print."""
        settings: dict[str, Any] = {
            "steps": read_whole("steps", self.problem.steps, least=1),
            "widths": read_list("widths", self.widths, partial(read_whole, least=1)),
            "seeds": read_whole("seeds", self.seeds, least=2),
            "interval": None if self.interval is None else read_interval(self.interval),
        }
        width = None if self.band is None else read_whole("band", self.band, least=1)
        from ...reports.theory.fluctuation import fluctuation_document, print_fluctuation
        from ...theory.exact.fluctuation import fluctuation

        result = fluctuation(self.problem.read_problem(), **settings)
        width = width or result.scatters[-1].width
        if self.json:
            print_json(fluctuation_document(result, width))
        else:
            print_fluctuation(result, width, console=wide_console())
        return 0
