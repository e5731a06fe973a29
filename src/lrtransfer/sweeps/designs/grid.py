"""The design that tries every rate of the grid, with every seed."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from ...statistics.evidence import open_edges
from ...statistics.transfer import Judgement
from ...study.study import Study
from ..curves import Curves
from ..plan import GridPoint, Plan
from .design import Proposal
from .edges import explain_edge, list_beyond, list_indices


@dataclass(frozen=True)
class GridDesign:
    """The whole grid, extended with all seeds where an optimum lies at its edge.

    Attributes:
        study: Its settings.
        curves: Its curves.
    """

    looks: ClassVar[int] = 1

    study: Study
    curves: Curves

    def first(self) -> Plan:
        """Return the whole grid for every curve."""
        seeds = range(self.study.seeds)
        points = tuple(GridPoint(k, s) for k, s in product(self.study.grid.indices(), seeds))
        return {
            (variant.name, size): points
            for variant in self.study.variants
            for size in self.study.measured_sizes
        }

    def next(self, plan: Plan, judgement: Judgement, *, round: int) -> Proposal:
        """Return the plan with rates beyond the edges at which optima lie."""
        extended, reasons = dict(plan), []
        for variant, answer in judgement.items():
            for size, side in open_edges(answer):
                indices = list_indices(extended[variant, size])
                beyond = list_beyond(indices, side, self.study.grid)
                if beyond:
                    seeds = range(self.study.seeds)
                    points = tuple(GridPoint(k, s) for k, s in product(beyond, seeds))
                    extended[variant, size] = (*extended[variant, size], *points)
                    reasons.append(explain_edge(self.study, (variant, size), beyond))
        return Proposal(extended, tuple(reasons))
