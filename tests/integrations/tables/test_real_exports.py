"""Tables as the trackers themselves write them; each test wants its library installed.

`pip install lrtransfer[exports]` brings them. Every sweep is a parabola in log2 of the learning
rate with its minimum at 2^-7, so that whatever a tracker does to rows, states and losses shows.
"""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
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


@pytest.fixture
def mlflow_store(tmp_path: Path) -> Iterator[Any]:
    """A sweep in MLflow, with a scheduled rate logged beside the configured one."""
    mlflow = pytest.importorskip("mlflow", reason="pip install lrtransfer[exports]")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_experiment("sweep")
    for width, lr in RUNS:
        with mlflow.start_run():
            mlflow.log_params({"width": width, "lr": lr})
            for step in (1, 2):
                mlflow.log_metric("loss", final_loss(lr), step=step)
                mlflow.log_metric("lr", lr * (1 - step / 3), step=step)
    yield mlflow
    mlflow.set_tracking_uri(None)


def test_mlflow_frame_and_its_file(mlflow_store: Any, tmp_path: Path) -> None:
    frame = mlflow_store.search_runs()
    frame.to_csv(tmp_path / "runs.csv", index=False)
    for runs in (frame, tmp_path / "runs.csv"):
        answer = verdict(runs)
        assert_is_that_sweep(answer)
        assert any("params.lr" in note for note in answer.warnings)


def test_mlflow_command(mlflow_store: Any, tmp_path: Path) -> None:
    file = tmp_path / "cli.csv"
    experiment = mlflow_store.get_experiment_by_name("sweep").experiment_id
    subprocess.run(
        [sys.executable, "-m", "mlflow", "experiments", "csv", "-x", experiment, "-o", file],
        check=True,
        env={"MLFLOW_TRACKING_URI": mlflow_store.get_tracking_uri(), "PYTHONPATH": _path()},
        capture_output=True,
    )
    assert_is_that_sweep(verdict(file))


def test_syne_tune_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("syne_tune", reason="pip install lrtransfer[exports]")
    script = tmp_path / "train.py"
    script.write_text(
        "import argparse, math\nfrom syne_tune import Reporter\n"
        "p = argparse.ArgumentParser()\n"
        "p.add_argument('--width', type=int)\np.add_argument('--lr', type=float)\n"
        "a, _ = p.parse_known_args()\nreport = Reporter()\nx = math.log2(a.lr)\n"
        "for epoch in (1, 2, 3):\n"
        "    report(epoch=epoch, loss=3 + 0.03 * (x + 7) ** 2 + (3 - epoch) * (x + 9) / 10)\n"
    )
    sweep = tmp_path / "sweep.py"
    runs = [{"width": width, "lr": lr} for width, lr in RUNS if lr < DIVERGED]
    sweep.write_text(
        "from syne_tune import StoppingCriterion, Tuner\n"
        "from syne_tune.backend import LocalBackend\n"
        "from syne_tune.config_space import choice\n"
        "from syne_tune.optimizer.baselines import RandomSearch\n"
        f"runs = {runs}\n"
        "space = {k: choice(sorted({run[k] for run in runs})) for k in runs[0]}\n"
        "scheduler = RandomSearch(space, metrics=['loss'], points_to_evaluate=runs)\n"
        f"Tuner(trial_backend=LocalBackend({str(script)!r}), scheduler=scheduler,\n"
        "      stop_criterion=StoppingCriterion(max_num_trials_started=len(runs)),\n"
        "      n_workers=2, sleep_time=0.1).run()\n"
    )
    environment = {"SYNETUNE_FOLDER": str(tmp_path), "HOME": str(tmp_path), "PYTHONPATH": _path()}
    subprocess.run([sys.executable, sweep], check=True, env=environment, capture_output=True)
    (file,) = tmp_path.rglob("results.csv.zip")
    answer = verdict(file)
    assert_is_that_sweep(answer, diverged=False)
    assert any("trial_id" in note for note in answer.warnings)


def test_ray_frame_loses_what_its_blanks_meant(tmp_path: Path) -> None:
    """A frame keeps NaN; its file has a blank, of which nothing says that the run diverged."""
    ray = pytest.importorskip("ray", reason="pip install lrtransfer[exports]")
    from ray import tune

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


def test_trainer_state_is_never_taken_for_losses(tmp_path: Path) -> None:
    """A log of one run of `transformers`' Trainer, whose loss became NaN: it logs 0.0 then."""
    log = [
        {"step": step, "learning_rate": 0.01 * (1 - step / 100), "loss": loss, "epoch": step / 100}
        for step, loss in ((10, 3.1), (20, 2.9), (30, 0.0), (40, 0.0))
    ]
    log.append({"step": 40, "train_loss": 1.5, "epoch": 0.4})
    file = tmp_path / "trainer_state.json"
    file.write_text(json.dumps({"log_history": log, "global_step": 40}))
    from lrtransfer.errors import TableError

    with pytest.raises(TableError, match="trainer_state"):
        verdict(file)


def _optuna_objective(trial: Any) -> float:
    trial.suggest_categorical("width", list(WIDTHS))
    lr = trial.suggest_float("lr", 2.0**-12, 1.0, log=True)
    return final_loss(lr)


def _path() -> str:
    return ":".join(sys.path)
