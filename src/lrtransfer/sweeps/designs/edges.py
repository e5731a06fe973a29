"""Rates beyond the ends of those tried.

An optimum at the end of the rates tried is only a bound: rates are added beyond it until it has
neighbours on both sides, or until the search has gone far enough to say so.
"""

import math
from collections.abc import Iterable, Sequence

from ...statistics.answer import Side
from ...statistics.axis import AXES
from ...statistics.design import CurveKey
from ...statistics.notation import format_power
from ...study.grid import GridConfig
from ...study.study import Study
from ..plan import GridPoint

STEP_OCTAVES = 2  # added at once: an optimum just outside gets a neighbour on its other side
REACH_OCTAVES = 6  # beyond the first grid; farther out the study's grid is wrong, not short


def list_indices(points: Iterable[GridPoint]) -> list[int]:
    """Return the lattice indices of the rates tried, increasing."""
    return sorted({index for index, _ in points})


def list_beyond(indices: Sequence[int], side: Side, grid: GridConfig) -> list[int]:
    """Return the lattice indices up to two octaves beyond an edge, as far as the search goes.

    Arguments:
        indices: Those tried, increasing.
        side: Which edge.
        grid: The first grid.

    Example:
        >>> list_beyond([-8, -7, -6], "high", GridConfig(low=2.0**-8, high=2.0**-6))
        [-5, -4]
    """
    first, step = grid.indices(), STEP_OCTAVES * grid.per_octave
    reach = REACH_OCTAVES * grid.per_octave
    if side == "low":
        return list(range(max(indices[0] - step, first[0] - reach), indices[0]))
    return list(range(indices[-1] + 1, min(indices[-1] + step, first[-1] + reach) + 1))


def explain_edge(study: Study, key: CurveKey, indices: Iterable[int]) -> str:
    """Return why rates were added to a curve."""
    variant, size = key
    lattice = study.search.lattice
    rates = ", ".join(format_power(math.log2(lattice.rate(index))) for index in indices)
    return (
        f"{variant}, {AXES[study.along].name} {size}: {rates}, because the optimum may lie beyond "
        "the rates tried"
    )
