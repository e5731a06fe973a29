"""Edges are extended, step by step, and not for ever."""

from typing import Any

import pytest

from lrtransfer.runs.digests import Digests
from lrtransfer.statistics.answer import Optimum, SchemeAnswer
from lrtransfer.statistics.transfer import Judgement
from lrtransfer.study.load import load
from lrtransfer.sweeps.designs.design import Design, Proposal
from lrtransfer.sweeps.plan import Plan
from lrtransfer.sweeps.sweep import Sweep

GRID: dict[str, Any] = {
    "widths": (32, 64),
    "schemes": ("sp",),
    "seeds": 2,
    "grid": {"low": 2.0**-8, "high": 2.0**-2},
}
FIRST = tuple(range(-8, -1))


def judgement(low: float | None, high: float | None) -> Judgement:
    inside = Optimum(size=32, log2_lr=-5.0, low=-5.2, high=-4.8, status="ok")
    edge = Optimum(
        size=64, log2_lr=-8.0, low=low, high=high, status="ok" if low and high else "edge"
    )
    answer = SchemeAnswer(
        scheme="sp",
        verdict="inconclusive",
        reason="",
        covers="",
        regret=None,
        drift=None,
        optima=(inside, edge),
        prediction=None,
        fits=(),
        evidence=(),
    )
    return Judgement({"sp": answer}, (), {})


def design_of(**settings: Any) -> Design:
    return Sweep(load(None, GRID | settings), Digests("d")).design


def extend(design: Design, plan: Plan, low: float | None, high: float | None) -> Proposal:
    return design.next(plan, judgement(low, high), round=1)


def rates(plan: Plan, width: int) -> list[int]:
    return sorted({index for index, _ in plan["sp", width]})


def test_an_optimum_inside_asks_for_nothing() -> None:
    design = design_of()
    proposal = extend(design, design.first(), -8.1, -7.0)
    assert (proposal.plan, proposal.reasons) == (design.first(), ())


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((None, -7.0), [-10, -9, *FIRST]), ((-3.0, None), [*FIRST, -1, 0])],
)
def test_two_octaves_are_added_beyond_an_edge_with_all_seeds(
    bounds: tuple[float | None, float | None], expected: list[int]
) -> None:
    design = design_of()
    proposal = extend(design, design.first(), *bounds)
    assert rates(proposal.plan, 32) == list(FIRST)
    assert rates(proposal.plan, 64) == expected
    assert len(proposal.plan["sp", 64]) == 2 * len(expected)
    assert len(proposal.reasons) == 1
    assert "width 64" in proposal.reasons[0]


def test_both_edges_are_extended_at_once() -> None:
    design = design_of()
    proposal = extend(design, design.first(), None, None)
    assert rates(proposal.plan, 64) == [-10, -9, *FIRST, -1, 0]
    assert len(proposal.reasons) == 2


def test_finer_grids_are_extended_by_as_many_octaves() -> None:
    design = design_of(grid={"low": 0.25, "high": 1.0, "per_octave": 2})
    proposal = extend(design, design.first(), None, -1.0)
    assert rates(proposal.plan, 64)[:4] == [-8, -7, -6, -5]


def test_the_search_ends_six_octaves_out() -> None:
    design = design_of()
    plan = design.first()
    for _ in range(10):
        plan = extend(design, plan, None, -7.0).plan
    assert rates(plan, 64)[0] == -14
