"""What every design keeps to: plans only grow, say why, repeat, and end."""

from typing import Any

import pytest

from lrtransfer.runs.digests import Digests
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge
from lrtransfer.study.load import load
from lrtransfer.sweeps.plan import GridPoint, Plan
from lrtransfer.sweeps.sweep import Sweep

DESIGNS: dict[str, dict[str, Any]] = {
    "grid": {},
    "adaptive, regret": {"design": "adaptive", "budget": 60},
    "adaptive, octaves": {"design": "adaptive", "budget": 60, "stopping_rule": "octaves=1"},
}
BEST = -1.0  # log2 of the best rate, above the first grid


@pytest.fixture(params=DESIGNS)
def sweep(request: pytest.FixtureRequest) -> Sweep:
    settings = {"seeds": 2, "grid": {"low": 2.0**-8, "high": 2.0**-3}, "widths": (32, 64, 128)}
    return Sweep(load(None, settings | DESIGNS[request.param]), Digests("d"))


def judge_plan(sweep: Sweep, plan: Plan) -> Judgement:
    lattice = sweep.study.search.lattice
    rows = (
        Observation(
            scheme=variant,
            size=size,
            lr=lattice.rate(index),
            seed=seed,
            loss=3 + (index / lattice.per_octave - BEST) ** 2 / 16 + 0.001 * seed,
        )
        for (variant, size), points in plan.items()
        for index, seed in points
    )
    study = sweep.study
    return judge(
        RunTable(tuple(rows)),
        target=study.target,
        base=study.base_size,
        tolerance=study.search.tolerance,
        looks=sweep.design.looks,
    )


def test_a_design_begins_with_points_of_the_lattice_for_every_curve(sweep: Sweep) -> None:
    plan = sweep.design.first()
    study, indices = sweep.study, sweep.study.search.lattice.indices()
    expected = {(v.name, n) for v in study.variants for n in study.measured_sizes}
    assert set(plan) == expected
    for points in plan.values():
        assert all(isinstance(point, GridPoint) for point in points)
        assert {index for index, _ in points} <= set(indices)
        assert {min(points)[0], max(points)[0]} == {indices[0], indices[-1]}
        assert len(set(points)) == len(points)
    assert sweep.design.first() == plan
    assert sweep.design.looks >= 1


def test_a_design_adds_only_says_why_repeats_itself_and_ends(sweep: Sweep) -> None:
    plan, design = sweep.design.first(), sweep.design
    for round in range(1, 40):
        judgement = judge_plan(sweep, plan)
        proposal = design.next(plan, judgement, round=round)
        assert design.next(plan, judgement, round=round) == proposal
        assert set(proposal.plan) == set(plan)
        for key, points in proposal.plan.items():
            assert points[: len(plan[key])] == plan[key]
            assert len(set(points)) == len(points)
        if proposal.plan == plan:
            break
        assert proposal.reasons
        plan = proposal.plan
    else:
        raise AssertionError("it never ends")
    # The optimum lies above the first rates: every design followed it there.
    assert max(index for points in plan.values() for index, _ in points) > max(
        sweep.study.search.lattice.indices()
    )
