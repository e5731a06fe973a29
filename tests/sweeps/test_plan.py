"""Runs: their identity, what they share, what adding to a study leaves valid."""

import json
from typing import Any

import pytest

from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.plan import PlannedRun, list_unique_runs
from tests.studies import SMALL, first_runs


def runs(**changes: Any) -> tuple[PlannedRun, ...]:
    return first_runs(load(None, {**SMALL, **changes}))


def ids(planned: tuple[PlannedRun, ...]) -> set[str]:
    return {p.run.id for p in planned}


def test_runs_at_the_base_width_are_shared_by_all_schemes(small: Study) -> None:
    planned = runs()
    # 2 schemes x 3 widths x 7 rates; the base width's 7 are trained once.
    assert len(planned) == 42
    assert len(list_unique_runs(planned)) == 35
    shared = [p for p in planned if p.run.width == small.base_width]
    assert {p.variant for p in shared} == {"mup", "sp"}
    assert {p.run.scheme for p in shared} == {"base"}


def test_schemes_that_scale_depth_share_nothing_where_the_depth_differs() -> None:
    def shared(**changes: Any) -> set[str]:
        planned = runs(schemes=("completep", "mup"), **changes)
        return {p.variant for p in planned if p.run.scheme == "base"}

    assert shared() == {"completep", "mup"}
    assert shared(parametrization={"base_depth": 1}) == {"completep", "mup"}  # the model's own
    assert shared(parametrization={"base_depth": 2}) == {"mup"}


@pytest.mark.parametrize(
    "addition",
    [
        {"widths": (16, 32, 48, 64)},
        {"seeds": 2},
        {"grid": {"low": 2.0**-9, "high": 2.0**-1}},
        {"schemes": ("sp", "mup")},
        {"name": "another"},
        {"target": 128},
        {"tolerance_regret": 0.05},
    ],
)
def test_additions_leave_finished_runs_valid(addition: dict[str, Any]) -> None:
    assert ids(runs()) <= ids(runs(**addition))


@pytest.mark.parametrize(
    "change",
    [
        {"study_seed": 1},
        {"training": {"steps": 5, "batch": 2}},
        {"model": {"depth": 2, "context": 16}},
        {"optimizer": {"eps": 1e-8}},
        {"data": {"held_out_tokens": 1024}},
        {"base_width": 32},
    ],
)
def test_what_determines_a_result_is_in_its_identity(change: dict[str, Any]) -> None:
    assert not ids(runs()) & ids(runs(**change))


def test_what_names_no_run_and_nothing_else_stays_out_of_the_identity() -> None:
    # A new setting of a study is part of a run's identity unless it is listed here on purpose.
    settings = runs()[0].run.settings.document
    names_no_run = {
        "name", "widths", "target", "along", "sizes", "width", "schemes", "vary", "seeds",
        "tolerance_regret", "tolerance_regret_abs", "grid", "design", "stopping_rule", "budget",
        "confirm", "device", "timeout",
        "trainer",
    }  # fmt: skip
    digests = {"data_digest", "code_digest"}
    assert set(settings) == set(Study.model_fields) - names_no_run | digests


def test_the_identity_of_a_programs_run_is_the_program() -> None:
    trainer = {"command": "train {width} {lr}", "loss_from": "stdout:(.*)", "timeout": 5.0}
    study = load(None, {"widths": (64, 128), "target": 256, "seeds": 1, "trainer": trainer})
    assert first_runs(study)[0].run.settings.document == {
        "trainer": {"command": "train {width} {lr}", "loss_from": "stdout:(.*)", "shell": False}
    }


def test_another_text_gives_other_runs(small: Study) -> None:
    other = first_runs(small, "e")
    assert not ids(runs()) & ids(other)


def test_identity_is_canonical_json_of_everything() -> None:
    identity = json.loads(runs()[0].run.identity)
    assert set(identity) == {"semantics", "settings", "scheme", "width", "lr", "seed"}
    assert identity["settings"]["data_digest"] == "d"


def test_golden_id() -> None:
    # If this moves, finished runs of users are trained again: bug, or raise SEMANTICS and say so.
    run = next(p.run for p in runs() if (p.run.width, p.run.lr, p.variant) == (48, 2.0**-7, "mup"))
    assert run.id == "6b35776afa846105f3df3a47dd37f34e"


def test_costly_runs_come_first() -> None:
    widths = [p.run.width for p in runs()]
    assert widths == sorted(widths, reverse=True)
