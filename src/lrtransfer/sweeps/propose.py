"""Which runs to add next, given what is known: the one arrow back from the statistics.

An optimum at the end of the rates tried is only a bound; rates are added beyond it until it has
neighbours on both sides, or until the search has gone far enough to say so.
"""

from collections.abc import Mapping

from ..statistics.answer import SchemeAnswer
from ..statistics.evidence import open_edges
from .plan import Cells
from .study import GridConfig

STEP_OCTAVES = 2  # added at once: an optimum just outside gets a neighbour on its other side
REACH_OCTAVES = 6  # beyond the first grid; farther out the study's grid is wrong, not short


def extend_edges(cells: Cells, answers: Mapping[str, SchemeAnswer], grid: GridConfig) -> Cells:
    """Return the cells with rates added where an optimum lies at an edge.

    Equal to `cells` when every optimum is inside its grid or as far out as the search goes.
    """
    extended = dict(cells)
    for scheme, answer in answers.items():
        for width, side in open_edges(answer):
            extended[scheme, width] = _extend(cells[scheme, width], side, grid)
    return extended


def _extend(indices: tuple[int, ...], side: str, grid: GridConfig) -> tuple[int, ...]:
    first, step = grid.indices(), STEP_OCTAVES * grid.per_octave
    reach = REACH_OCTAVES * grid.per_octave
    if side == "low":
        low = max(indices[0] - step, first[0] - reach)
        return (*range(low, indices[0]), *indices)
    high = min(indices[-1] + step, first[-1] + reach)
    return (*indices, *range(indices[-1] + 1, high + 1))
