"""A study made ready: its design, its runs, and what is refused before anything is trained."""

from typing import Any

import pytest

from lrtransfer.errors import ConfigError
from lrtransfer.executors.local import count_cores
from lrtransfer.runs.digests import Digests
from lrtransfer.study.load import load
from lrtransfer.sweeps.designs.adaptive import AdaptiveDesign
from lrtransfer.sweeps.designs.grid import GridDesign
from lrtransfer.sweeps.plan import list_unique_runs
from lrtransfer.sweeps.sweep import Sweep, prepare_sweep
from lrtransfer.sweeps.tune import count_workers

PROGRAM: dict[str, Any] = {
    "trainer": {"command": "train {width} {lr} {seed}", "loss_from": "stdout:(.*)"},
    "widths": (64, 128),
    "target": 256,
}


@pytest.mark.parametrize(("name", "design"), [("grid", GridDesign), ("adaptive", AdaptiveDesign)])
def test_the_design_is_the_one_asked_for(name: str, design: type) -> None:
    assert isinstance(prepare_sweep(load(None, PROGRAM | {"design": name})).design, design)


def test_a_budget_that_does_not_pay_the_first_round_is_refused() -> None:
    study = load(None, PROGRAM | {"design": "adaptive", "budget": 3})
    with pytest.raises(ConfigError, match=r"budget: got 3 runs, wanted at least 10 .*first round"):
        prepare_sweep(study)


def test_runs_lie_on_the_lattice_of_the_search() -> None:
    sweep = Sweep(load(None, PROGRAM | {"design": "adaptive"}), Digests())
    plan = sweep.design.first()
    rates = {planned.run.lr for planned in sweep.expand(plan)}
    lattice = sweep.study.search.lattice
    assert rates == {lattice.rate(index) for points in plan.values() for index, _ in points}


def test_a_run_that_schemes_share_is_trained_once_and_asked_for_by_each() -> None:
    sweep = Sweep(load(None, {}), Digests())
    planned = sweep.expand(sweep.design.first())
    at_base = [p for p in planned if p.size == 32]
    assert len(at_base) == 2 * len(list_unique_runs(at_base))


def test_one_worker_trains_where_cores_are_not_the_limit() -> None:
    assert count_workers(load(None, {}), None) == count_cores()
    assert count_workers(load(None, {"device": "cuda"}), None) == 1
    assert count_workers(load(None, PROGRAM), None) == 1
    assert count_workers(load(None, PROGRAM), 3) == 3
    with pytest.raises(ConfigError, match="workers: got 0, wanted a whole number, at least 1"):
        count_workers(load(None, {}), 0)
