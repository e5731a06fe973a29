"""The runs that a study asks for: points of its curves, and the runs that stand for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..runs.run import RunSpec
from ..statistics.design import CurveKey
from ..study.grid import GridConfig
from .curves import Curves


class GridPoint(NamedTuple):
    """A learning rate and a seed, to be tried on a curve.

    Attributes:
        rate_index: Index k of the rate 2^(k / per_octave) on the lattice of the search.
        seed: Seed index, from 0.
    """

    rate_index: int
    seed: int


# The points to try on every curve.
Plan = Mapping[CurveKey, tuple[GridPoint, ...]]


@dataclass(frozen=True)
class PlannedRun:
    """A run, and what asks for it; one that schemes share is asked for by each.

    Attributes:
        variant: Name of the variant.
        size: Size along the study's axis.
        run: The run.
    """

    variant: str
    size: int
    run: RunSpec


def expand(plan: Plan, curves: Curves, lattice: GridConfig) -> tuple[PlannedRun, ...]:
    """Return the runs of a plan, the costly ones first.

    Runs that schemes share stand once for each and have the same id.
    """
    planned = [
        PlannedRun(variant, size, curves[variant, size].run(lattice.rate(index), seed))
        for (variant, size), points in plan.items()
        for index, seed in points
    ]
    # Long runs last would leave workers idle at the end.
    return tuple(sorted(planned, key=lambda p: -p.run.relative_cost))


def list_unique_runs(planned: Iterable[PlannedRun]) -> tuple[RunSpec, ...]:
    """Return the runs to be trained, each once, in order."""
    return tuple({p.run.id: p.run for p in planned}.values())
