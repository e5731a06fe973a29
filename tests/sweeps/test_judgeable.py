"""Losses of 0 and below: refused at the first run, or judged by an absolute tolerance."""

import sys
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import ConfigError, UserError
from lrtransfer.study.load import load, parse_study
from lrtransfer.sweeps.store import read_store
from lrtransfer.sweeps.tune import review_study, run_study
from tests.sweeps.programs import write_parabola


def settings(program: Path, **changes: Any) -> dict[str, Any]:
    command = f"'{sys.executable}' '{program}' {{width}} {{lr}} {{seed}}"
    trainer = {"command": command, "loss_from": "stdout:loss (.*)"}
    study: dict[str, Any] = {"widths": (64, 128), "target": 256, "seeds": 1, "trainer": trainer}
    return study | {"grid": {"low": 2.0**-9, "high": 2.0**-3}} | changes


@pytest.mark.parametrize("lowest", [-3.0, 0.0])
def test_the_first_loss_that_no_share_can_be_taken_of_ends_the_study(
    tmp_path: Path, lowest: float
) -> None:
    program = write_parabola(tmp_path, lowest=lowest)
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"^loss: got .*tolerance_regret.*--tolerance-regret-abs"):
        run_study(load(None, settings(program)), out, workers=1)
    with read_store(out) as store:
        kept = {row.id: row for row in store.rows().values()}
    losses = [row.outcome.loss for row in kept.values()]
    assert sum(loss is not None and loss <= 0 for loss in losses) == 1  # the first of its kind
    # The same study is refused again before it trains anything,
    with pytest.raises(UserError, match=r"^loss: got "):
        run_study(load(None, settings(program)), out, workers=1)
    with read_store(out) as store:
        assert store.rows().keys() == kept.keys()
    assert review_study(out).counts.finished == len(kept)  # can be looked at,
    # and goes on with a tolerance that can judge it.
    result = run_study(load(None, settings(program, tolerance_regret_abs=0.05)), out, workers=1)
    assert result.counts.reused == len(kept)
    assert {name: answer.verdict for name, answer in result.answers.items()} == {"all": "transfers"}


def test_an_adaptive_study_narrows_a_regret_in_units_of_the_loss(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"design": "adaptive", "budget": 60, "tolerance_regret_abs": 0.05}
    verdicts = []
    for name, lowest in (("below", -3.0), ("above", 3.0)):
        program = write_parabola(tmp_path, lowest=lowest)
        study = load(None, settings(program, **changes))
        verdicts.append(run_study(study, tmp_path / name, workers=1).answers["all"].verdict)
    assert verdicts == ["transfers", "transfers"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tolerance_regret": 0.01},
            "tolerance_regret_abs: got 0.05 beside tolerance_regret = 0.01",
        ),
        (
            {"design": "adaptive", "stopping_rule": "regret=0.02"},
            "stopping_rule: got 'regret=0.02'",
        ),
        (
            {"tolerance_regret_abs": 0.0},
            "tolerance_regret_abs: got 0.0, it should be greater than 0",
        ),
        ({"tolerance_regret_abs": -1.0}, "tolerance_regret_abs: got -1.0"),
    ],
)
def test_tolerances_that_exclude_each_other_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(None, {"tolerance_regret_abs": 0.05} | changes)


@pytest.mark.parametrize("tolerance", [{}, {"tolerance_regret_abs": 0.05}])
def test_a_study_of_either_tolerance_is_written_down_and_read(tolerance: dict[str, float]) -> None:
    study = load(None, tolerance)
    assert parse_study(study.to_json()) == study
    assert ("tolerance_regret_abs" in study.to_json()) == bool(tolerance)
