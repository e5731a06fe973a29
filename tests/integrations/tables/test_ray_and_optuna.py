"""Tables as Ray Tune and Optuna write them (`pip install lrtransfer[tools]`)."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lrtransfer as lt

from .synthetic import is_right, notes, points

DIVERGED = 2.0**-6  # rates above it

RAY = """
import math, os, sys
import ray
from ray import tune


def train(config):
    x, width = math.log2(config["lr"]), config["width"]
    for _ in (1, 2):
        tune.report({"loss": math.nan if x > -6 else 3.5 + 0.03 * (x + 7) ** 2 + 6.4 / width})


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    space = {"width": [64, 128, 256], "lr": [2.0**x for x in range(-10, -3)]}
    frame = tune.Tuner(
        train,
        param_space={name: tune.grid_search(values) for name, values in space.items()},
        run_config=tune.RunConfig(storage_path=os.getcwd(), verbose=0),
    ).fit().get_dataframe()
    frame.to_csv("runs.csv", index=False)
    frame.to_parquet("runs.parquet", index=False)
"""


@pytest.mark.slow
def test_what_ray_loses_of_divergence_is_told(tmp_path: Path) -> None:
    pytest.importorskip("ray.tune")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    (tmp_path / "sweep.py").write_text(RAY)
    subprocess.run(
        [sys.executable, "sweep.py"], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    for name in ("runs.csv", "runs.parquet"):  # pandas writes NaN as nothing, in both
        answer = lt.verdict(tmp_path / name)
        assert len(answer.table.observations) == 15
        assert "6 rows have no loss" in notes(answer)
        assert "NaN as a blank" in notes(answer)


@pytest.mark.filterwarnings("ignore")
def test_the_frame_of_optuna_and_its_file_hold_every_trial(tmp_path: Path) -> None:
    optuna: Any = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    losses = {(width, lr): loss if lr <= DIVERGED else math.inf for width, lr, loss in points()}
    study = optuna.create_study()
    for width, lr in losses:
        study.enqueue_trial({"width": width, "lr": lr})

    def objective(trial: Any) -> float:
        width = trial.suggest_categorical("width", [64, 128, 256])
        return losses[width, trial.suggest_float("lr", 2.0**-12, 1.0, log=True)]

    study.optimize(objective, n_trials=len(losses))
    frame = study.trials_dataframe()
    frame.to_csv(tmp_path / "runs.csv")
    for runs in (frame, tmp_path / "runs.csv"):
        answer = lt.verdict(runs)
        assert is_right(answer)
        assert sum(run.diverged for run in answer.table.observations) == 6
