"""The executor of this machine with real worker processes, which fail, die and are killed."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer.errors import UserError
from lrtransfer.executors.blocks import split_into_blocks
from lrtransfer.executors.engines import Engines
from lrtransfer.executors.executor import Result
from lrtransfer.executors.local import LocalProcesses
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import TrainedRun
from lrtransfer.runs.run import RunSpec
from lrtransfer.study.study import Study
from lrtransfer.sweeps.tune import run_study
from lrtransfer.training.engines.loop import Loop
from tests.studies import run_of


@pytest.fixture
def run(small: Study) -> RunSpec:
    return run_of(small, 48, lr=2.0**-5)


def train(*runs: RunSpec, workers: int = 1) -> list[Result]:
    with LocalProcesses(workers) as executor:
        return list(executor.map(Engines(), split_into_blocks(runs)))


def test_a_failing_run_costs_that_run_only(run: RunSpec) -> None:
    bad = replace(run, scheme="no such scheme")
    results = dict(train(bad, run))
    failure, trained = results[bad], results[run]
    assert isinstance(failure, Failure)
    assert "scheme: got 'no such scheme'" in failure.reason
    assert isinstance(trained, TrainedRun)
    assert trained.provenance.engine == Loop.name


def test_modules_in_the_users_folder_are_not_imported(
    run: RunSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    ((_, result),) = train(run)
    assert isinstance(result, TrainedRun)


def test_a_torn_answer_costs_its_run_only(run: RunSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in for the interpreter that dies in the middle of its first answer.
    # It announces 16 bytes, as a pickled answer begins, and writes three.
    torn = "import os, sys; sys.stdin.read(9); os.write(int(sys.argv[-1]), bytes(3) + b'\\x10abc')"
    real = subprocess.Popen

    def tearing(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        return real([command[0], "-c", torn, command[-1]], **options)

    monkeypatch.setattr(subprocess, "Popen", tearing)
    other = replace(run, seed=1)
    end = "its process ended with exit code 0"
    assert train(run, other) == [(run, Failure(run, end)), (other, Failure(other, end))]


def test_workers_that_cannot_start_are_one_error(
    run: RunSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with pytest.raises(UserError, match=r"exit code 3 before its first result"):
        train(run, workers=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="wants a machine without CUDA")
def test_a_device_that_is_not_there_is_found_before_anything_is_written(
    small: Study, tmp_path: Path
) -> None:
    study = small.model_copy(update={"device": "cuda"})
    with pytest.raises(UserError, match=r"device: got 'cuda', on which torch computes nothing"):
        run_study(study, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


def test_a_block_of_many_runs_is_trained_by_one_worker(run: RunSpec) -> None:
    runs = [replace(run, seed=seed) for seed in (0, 1, 2)]
    bad = replace(run, scheme="no such scheme")
    (block,) = split_into_blocks([runs[0], bad, *runs[1:]], size=4)
    assert block == (runs[0], bad, *runs[1:])
    with LocalProcesses(1) as executor:
        results = list(executor.map(Engines(), [block]))
    assert [spec for spec, _ in results] == list(block)
    kinds = [type(result) for _, result in results]
    assert kinds == [TrainedRun, Failure, TrainedRun, TrainedRun]
