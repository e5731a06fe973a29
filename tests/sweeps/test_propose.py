"""Edges are extended, step by step, and not for ever."""

import pytest

from lrtransfer.statistics.answer import Optimum, SchemeAnswer
from lrtransfer.sweeps.plan import Cells
from lrtransfer.sweeps.propose import extend_edges
from lrtransfer.sweeps.study import GridConfig

GRID = GridConfig(low=2.0**-8, high=2.0**-2)
FIRST = tuple(range(-8, -1))


def answer(low: float | None, high: float | None) -> dict[str, SchemeAnswer]:
    inside = Optimum(32, -5.0, -5.2, -4.8, "ok")
    edge = Optimum(64, -8.0, low, high, "ok" if low and high else "edge")
    return {
        "sp": SchemeAnswer(
            "sp", "inconclusive", "", "", None, None, (inside, edge), None, fits=(), evidence=()
        )
    }


CELLS = {("sp", 32): FIRST, ("sp", 64): FIRST}


def test_an_optimum_inside_asks_for_nothing() -> None:
    assert extend_edges(CELLS, answer(-8.1, -7.0), GRID) == CELLS


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [((None, -7.0), (-10, -9, *FIRST)), ((-3.0, None), (*FIRST, -1, 0))],
)
def test_two_octaves_are_added_beyond_an_edge(
    bounds: tuple[float | None, float | None], wanted: tuple[int, ...]
) -> None:
    extended = extend_edges(CELLS, answer(*bounds), GRID)
    assert extended == {("sp", 32): FIRST, ("sp", 64): wanted}


def test_finer_grids_are_extended_by_as_many_octaves() -> None:
    grid = GridConfig(low=0.25, high=1.0, per_octave=2)
    cells = {("sp", 32): (-4, -3, -2, -1, 0), ("sp", 64): (-4, -3, -2, -1, 0)}
    assert extend_edges(cells, answer(None, -1.0), grid)["sp", 64][:4] == (-8, -7, -6, -5)


def test_the_search_ends_six_octaves_out() -> None:
    cells: Cells = CELLS
    for _ in range(10):
        cells = extend_edges(cells, answer(None, -7.0), GRID)
    assert cells["sp", 64][0] == -14
