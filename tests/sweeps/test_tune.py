"""Studies end to end, with real worker processes."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lrtransfer.errors import StoreError, UserError
from lrtransfer.runs.digests import Digests, digests
from lrtransfer.sweeps.execute import Progress
from lrtransfer.executors.local import Failure, LocalWorkers
from lrtransfer.sweeps.plan import Run, expand, first_cells, run_settings
from lrtransfer.sweeps.result import StudyResult
from lrtransfer.sweeps.store import Row, read_store
from lrtransfer.study.study import Study, load
from lrtransfer.runs.train import train_run
from lrtransfer.sweeps.tune import review, tune

from .conftest import SMALL


@pytest.fixture(scope="module")
def finished(
    small: Study, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, StudyResult, list[Progress]]:
    directory = tmp_path_factory.mktemp("finished")
    seen: list[Progress] = []
    return directory, tune(small, directory, workers=2, listener=seen.append), seen


def results(directory: Path) -> dict[str, Any]:
    with read_store(directory) as store:
        return {name: row.result for name, row in store.rows().items()}


def test_a_study_trains_every_run_once(
    finished: tuple[Path, StudyResult, list[Progress]], small: Study
) -> None:
    directory, result, seen = finished
    assert result.counts.finished == result.counts.planned == len(results(directory)) == len(seen)
    assert result.counts.reused == 0
    assert not result.failures
    assert set(result.answers) == {"mup", "sp"}
    assert [len(result.table.curves(s)) for s in small.schemes] == [3, 3]


def test_progress_reaches_the_end(
    finished: tuple[Path, StudyResult, list[Progress]],
) -> None:
    rounds = [p for p in finished[2] if p.done == p.total]
    assert rounds
    assert all(p.share == pytest.approx(1) for p in rounds)
    assert all(0 < p.share <= 1 for p in finished[2])


def test_the_loop_gives_what_the_workers_gave(
    finished: tuple[Path, StudyResult, list[Progress]],
) -> None:
    with read_store(finished[0]) as store:
        rows = list(store.rows().values())[::9]
    for row in rows:
        outcome = train_run(row.identity)
        assert vars(outcome) == vars(row.result)


def test_running_again_trains_nothing(
    finished: tuple[Path, StudyResult, list[Progress]], small: Study
) -> None:
    directory, first, _ = finished

    def refuse(progress: Progress) -> None:
        raise AssertionError(progress)

    again = tune(small, directory, workers=2, listener=refuse)
    assert again.counts == replace(first.counts, reused=first.counts.planned)
    assert again.table == first.table
    assert repr(again.answers) == repr(first.answers)
    assert repr(review(directory).answers) == repr(first.answers)


def test_the_result_is_a_function_of_the_study_not_of_its_history(
    finished: tuple[Path, StudyResult, list[Progress]], small: Study, tmp_path: Path
) -> None:
    # Begun narrower, with one worker, then widened: the same bits in the end.
    tune(load(None, SMALL | {"widths": (16, 32)}), tmp_path, workers=1)
    before = results(tmp_path)
    result = tune(small, tmp_path, workers=2)
    assert result.counts.reused > 0
    assert result.table == finished[1].table
    assert repr(result.answers) == repr(finished[1].answers)
    assert {name: value for name, value in results(tmp_path).items() if name in before} == before


def test_review_of_an_unfinished_study_says_what_is_missing(small: Study, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: Progress) -> None:
        if progress.done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        tune(small, tmp_path, workers=1, listener=stop)
    counts = review(tmp_path).counts
    assert (counts.finished, counts.planned) == (5, 35)


def test_review_wants_a_study(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"got no readable runs.sqlite"):
        review(tmp_path)


@pytest.fixture
def run(small: Study) -> Run:
    settings = run_settings(small, small.arms[0], 48, digests(small))
    return Run(settings, scheme="mup", width=48, lr=2.0**-5, seed=0)


def test_a_failing_run_costs_that_run_only(run: Run) -> None:
    bad = replace(run, scheme="no such scheme")
    with LocalWorkers(1) as workers:
        answers = dict(workers.train([bad, run]))
    failure, row = answers[bad], answers[run]
    assert isinstance(failure, Failure)
    assert "scheme: got 'no such scheme'" in failure.reason
    assert isinstance(row, Row)


def test_a_killed_worker_costs_its_run_only_and_is_replaced(run: Run) -> None:
    long = replace(run, settings=run.settings.replace('"steps":4', '"steps":100000'))

    def kill_when_training() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
            for child in children.read_text().split():
                if seconds_used(child) > 8:
                    os.kill(int(child), signal.SIGKILL)
                    return
            time.sleep(0.1)

    if not Path("/proc/self/task").exists():
        pytest.skip("reads /proc to find the worker (Linux)")
    Thread(target=kill_when_training, daemon=True).start()
    with LocalWorkers(1) as workers:
        answers = dict(workers.train([long, run]))
    assert answers[long] == Failure(long, "its process ended with signal 9")
    assert isinstance(answers[run], Row)


def seconds_used(process: str) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_modules_in_the_users_folder_are_not_imported(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('imported')")
    monkeypatch.chdir(tmp_path)
    with LocalWorkers(1) as workers:
        ((_, answer),) = workers.train([run])
    assert isinstance(answer, Row)


def test_a_torn_answer_costs_its_run_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # A stand-in for the interpreter that dies in the middle of its first answer.
    torn = "import os, sys; sys.stdin.readline(); os.write(int(sys.argv[-1]), b'{\"res')"
    real = subprocess.Popen

    def tearing(command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        return real([command[0], "-c", torn, command[-2]], **options)

    monkeypatch.setattr(subprocess, "Popen", tearing)
    with LocalWorkers(1) as workers:
        answers = list(workers.train([run, run]))
    assert answers == [(run, Failure(run, "its process ended with exit code 0"))] * 2


def test_workers_that_cannot_start_are_one_error(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with (
        LocalWorkers(2) as workers,
        pytest.raises(UserError, match=r"exit code 3 before its first result"),
    ):
        list(workers.train([run]))


def test_edges_are_extended(small: Study, tmp_path: Path) -> None:
    # Rates far below the optimum: every loss falls with the rate, so the grid must grow upwards.
    grid = {"low": 2.0**-13, "high": 2.0**-7}
    study = load(None, SMALL | {"grid": grid, "schemes": ("sp",), "widths": (16, 32)})
    first = first_cells(study)
    result = tune(study, tmp_path, workers=2)
    planned = expand(study, first, digests=Digests("d"))
    assert result.counts.planned > len(planned)
    rates = {row.lr for row in result.table.observations}
    assert max(rates) > 2.0**-7
