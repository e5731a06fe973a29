"""The files to start from run as they stand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lrtransfer.sweeps.study import load
from lrtransfer.sweeps.trainer import arguments, read_loss


def call(*arguments: str, at: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "lrtransfer", *arguments]
    return subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("init")
    done = call("init", "mine", at=directory)
    assert done.returncode == 0, done.stderr
    assert "lrtransfer tune study.toml" in done.stdout
    return directory / "mine"


def test_the_study_is_a_study(written: Path) -> None:
    study = load(written / "study.toml", {})
    assert study.schemes == ("mup", "sp")
    assert study.base_width == 64


def test_the_script_trains_as_the_study_calls_it(written: Path) -> None:
    trainer = load(written / "study.toml", {}).trainer
    assert trainer is not None
    values = {"width": "128", "lr": "0.004", "seed": "0", "scheme": "mup", "out": str(written)}
    # By the interpreter that has lrtransfer: its environment need not be activated.
    subprocess.run(arguments(trainer, values), cwd=written, env={}, check=True)
    loss = read_loss(trainer.loss_from, values, written / "output.txt")
    assert isinstance(loss, float)
    assert loss < 2.3  # guessing one of ten classes costs log 10


@pytest.mark.slow
def test_the_study_runs_as_it_stands(written: Path) -> None:
    done = call("tune", "study.toml", "--workers", "2", "--json", at=written)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["runs"]["finished"] == answer["runs"]["planned"]
    assert not answer["warnings"]
    assert {o["status"] for s in answer["schemes"].values() for o in s["optima"]} == {"ok"}


def test_nothing_is_overwritten(written: Path) -> None:
    (written / "train.py").write_text("mine")
    done = call("init", ".", at=written)
    assert done.returncode == 2
    assert "study.toml: got a file that is there already" in done.stderr
    assert (written / "train.py").read_text() == "mine"


def test_json_names_the_files(tmp_path: Path) -> None:
    done = call("init", "--json", at=tmp_path)
    assert json.loads(done.stdout) == {"files": ["study.toml", "train.py"]}


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call("init", "file", at=tmp_path)
    assert done.returncode == 2
    assert "wanted a folder to write into" in done.stderr
