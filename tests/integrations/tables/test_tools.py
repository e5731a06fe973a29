"""Tables made by the real libraries, as users export them (`pip install lrtransfer[tools]`)."""

import csv
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lrtransfer as lt

from .synthetic import is_right, notes, points

pytestmark = pytest.mark.filterwarnings("ignore")  # of the libraries

COLUMNS = {
    "width": [w for w, _, _ in points()],
    "lr": [lr for _, lr, _ in points()],
    "loss": [math.nan if lr > 2**-6 else x for _, lr, x in points()],
    "state": ["finished"] * 21,
}


def test_data_frames_of_pandas_are_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(COLUMNS)
    for each in (frame, frame.set_index(["width", "lr"]), frame.convert_dtypes()):
        answer = lt.verdict(each)
        assert is_right(answer)
        assert "6 runs diverged (their loss is NaN or infinite)" in answer.warnings or (
            each is not frame
        )
    frame.to_csv(tmp_path / "runs.csv")
    written = lt.verdict(tmp_path / "runs.csv")
    assert "6 rows have no loss, and count as not made" in written.warnings
    assert "pandas writes a loss of NaN as a blank" in notes(written)
    assert "status" in notes(written)


def test_a_column_name_twice_in_pandas_is_refused() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame([[64, 0.1, 3.0, 0.01]], columns=["width", "lr", "loss", "lr"])
    with pytest.raises(lt.errors.TableError, match="2 columns named 'lr'"):
        lt.verdict(frame)


def test_data_frames_of_polars_are_read() -> None:
    polars = pytest.importorskip("polars")
    answer = lt.verdict(polars.DataFrame(COLUMNS))
    assert is_right(answer)
    assert "6 runs diverged (their loss is NaN or infinite)" in answer.warnings


@pytest.mark.slow
def test_runs_of_mlflow_keep_their_cliff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow: Any = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    mlflow.set_experiment("sweep")
    for width, lr, loss in points():
        with mlflow.start_run():
            mlflow.log_params({"width": width, "lr": lr})
            mlflow.log_metric("lr", lr / 10)  # where the schedule ended
            mlflow.log_metric("val_loss", math.inf if lr > 2**-6 else loss)
    frame = mlflow.search_runs()
    frame.to_csv("runs.csv")
    for runs in (frame, "runs.csv"):
        answer = lt.verdict(runs)
        assert is_right(answer)
        assert "read lr from column 'params.lr'" in answer.warnings
        assert "6 losses are beyond 3.4e+38" in notes(answer)


TRAIN = """
import argparse, math
from syne_tune import Reporter
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int)
parser.add_argument("--lr", type=float)
run, _ = parser.parse_known_args()
report = Reporter()
for epoch in (1, 2, 4):
    final = 3.5 + 0.03 * (math.log2(run.lr) + 7) ** 2 + 6.4 / run.width
    report(epoch=epoch, loss=final + 1 / epoch - 0.25)
"""


TUNE = """
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import choice
from syne_tune.experiments import load_experiment
from syne_tune.optimizer.baselines import RandomSearch

trials = [{"width": w, "lr": 2.0**x} for w in (64, 128) for x in (-10, -8, -6, -4)]
space = {"width": choice([64, 128]), "lr": choice([2.0**x for x in range(-10, -3)])}
tuner = Tuner(
    trial_backend=LocalBackend("train.py"),
    scheduler=RandomSearch(
        space, metrics=["loss"], do_minimize=True, points_to_evaluate=trials, random_seed=0
    ),
    stop_criterion=StoppingCriterion(max_num_trials_finished=len(trials)),
    n_workers=1,
    sleep_time=0.1,
)
tuner.run()
load_experiment(tuner.name).results.to_csv("runs.csv", index=False)
"""


@pytest.mark.slow
def test_reports_of_syne_tune_are_histories(tmp_path: Path) -> None:
    pytest.importorskip("syne_tune")
    (tmp_path / "train.py").write_text(TRAIN)
    environment = {**os.environ, "SYNETUNE_FOLDER": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-c", TUNE], cwd=tmp_path, env=environment, check=True, capture_output=True
    )
    with (tmp_path / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    completed = [row for row in rows if row["epoch"] == "4"]
    assert {row["st_status"] for row in completed} == {"InProgress"}
    answer = lt.verdict(tmp_path / "runs.csv")
    found = sorted(round(run.loss or 0, 6) for run in answer.table.observations)
    assert found == sorted(round(float(row["loss"]), 6) for row in completed)
    assert "the last row of a run counts" in notes(answer)
