"""Tables as Ray Tune and Optuna write them (`pip install lrtransfer[tools]`).

Every sweep is a parabola in log2 of the learning
rate with its minimum at 2^-7, so that whatever a tracker does to rows, states and losses shows.
"""

import math
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.interface import Answer, verdict

WIDTHS, EXPONENTS = (64, 128), range(-10, -3)
RUNS = [(width, 2.0**x) for width in WIDTHS for x in EXPONENTS]
DIVERGED = 2.0**-4  # at both widths

pytestmark = pytest.mark.slow  # minutes for all of them


def final_loss(lr: float) -> float:
    return 3 + 0.03 * (math.log2(lr) + 7) ** 2 if lr < DIVERGED else math.inf


def assert_is_that_sweep(answer: Answer, *, diverged: bool = True) -> None:
    """Assert that every run is there, with the right rate and loss, and that two diverged."""
    rows = answer.table.observations
    assert len(rows) == len(RUNS) - (0 if diverged else len(WIDTHS))
    assert {row.size for row in rows} == set(WIDTHS)
    assert sum(row.diverged for row in rows) == (len(WIDTHS) if diverged else 0)
    for row in rows:
        assert row.diverged or row.loss == pytest.approx(final_loss(row.lr))
    for optimum in answer.answers["all"].optima:
        assert optimum.log2_lr == pytest.approx(-7, abs=0.2)


def test_ray_frame_loses_what_its_blanks_meant(tmp_path: Path) -> None:
    """A frame keeps NaN; its file has a blank, of which nothing says that the run diverged."""
    ray: Any = pytest.importorskip("ray", reason="pip install lrtransfer[tools]")
    tune = ray.tune

    def train(config: dict[str, Any]) -> None:
        loss = final_loss(config["lr"])
        for _ in (1, 2):
            tune.report({"loss": loss if math.isfinite(loss) else math.nan})

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        results = tune.Tuner(
            train,
            param_space={
                "width": tune.grid_search(list(WIDTHS)),
                "lr": tune.grid_search([2.0**x for x in EXPONENTS]),
            },
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        ).fit()
    finally:
        ray.shutdown()
    frame = results.get_dataframe()
    assert_is_that_sweep(verdict(frame))
    frame.to_csv(tmp_path / "runs.csv", index=False)
    answer = verdict(tmp_path / "runs.csv")
    assert_is_that_sweep(answer, diverged=False)
    assert any("blank" in note and "NaN" in note for note in answer.warnings)


def test_optuna_frame_and_its_file(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    study = optuna.create_study()
    for width, lr in RUNS:
        study.enqueue_trial({"width": width, "lr": lr})
    study.optimize(_optuna_objective, n_trials=len(RUNS))
    frame = study.trials_dataframe()
    frame.to_csv(tmp_path / "runs.csv")
    # Optuna keeps an infinite loss, so nothing is lost.
    for runs in (frame, tmp_path / "runs.csv"):
        assert_is_that_sweep(verdict(runs))


def _optuna_objective(trial: Any) -> float:
    trial.suggest_categorical("width", list(WIDTHS))
    lr = trial.suggest_float("lr", 2.0**-12, 1.0, log=True)
    return final_loss(lr)
