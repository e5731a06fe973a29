"""Studies end to end, with real worker processes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.errors import StoreError
from lrtransfer.reports.html import render
from lrtransfer.reports.study_page import make_report
from lrtransfer.runs.run import parse_identity
from lrtransfer.runs.train import train_run
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.execute import Progress
from lrtransfer.sweeps.result import StudyResult
from lrtransfer.sweeps.store import read_store
from lrtransfer.sweeps.tune import review_study, run_study
from tests.studies import SMALL, first_runs


@pytest.fixture(scope="module")
def finished(
    small: Study, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, StudyResult, list[Progress]]:
    directory = tmp_path_factory.mktemp("finished")
    seen: list[Progress] = []
    return directory, run_study(small, directory, workers=2, listener=seen.append), seen


def results(directory: Path) -> dict[str, Any]:
    with read_store(directory) as store:
        return {name: run.outcome for name, run in store.rows().items()}


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
        assert train_run(parse_identity(row.identity)) == row.outcome


def test_running_again_trains_nothing(
    finished: tuple[Path, StudyResult, list[Progress]], small: Study
) -> None:
    directory, first, _ = finished

    def refuse(progress: Progress) -> None:
        raise AssertionError(progress)

    again = run_study(small, directory, workers=2, listener=refuse)
    assert again.counts == replace(first.counts, reused=first.counts.planned)
    assert again.table == first.table
    assert repr(again.answers) == repr(first.answers)
    assert repr(review_study(directory).answers) == repr(first.answers)


def test_the_result_is_a_function_of_the_study_not_of_its_history(
    finished: tuple[Path, StudyResult, list[Progress]], small: Study, tmp_path: Path
) -> None:
    # Begun narrower, with one worker, then widened: the same bits in the end.
    run_study(load(None, SMALL | {"widths": (16, 32)}), tmp_path, workers=1)
    before = results(tmp_path)
    result = run_study(small, tmp_path, workers=2)
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
        run_study(small, tmp_path, workers=1, listener=stop)
    review = review_study(tmp_path)
    assert (review.counts.finished, review.counts.planned) == (5, 35)
    # Runs of one width allow no answer; the page says what is missing.
    assert not review.answers
    assert "30 of 35 runs are missing" in render(make_report(review))


def test_review_wants_a_study(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"got no readable runs.sqlite"):
        review_study(tmp_path)


def test_edges_are_extended(small: Study, tmp_path: Path) -> None:
    # Rates far below the optimum: every loss falls with the rate, so the grid must grow upwards.
    grid = {"low": 2.0**-13, "high": 2.0**-7}
    study = load(None, SMALL | {"grid": grid, "schemes": ("sp",), "widths": (16, 32)})
    result = run_study(study, tmp_path, workers=2)
    assert result.counts.planned > len(first_runs(study))
    rates = {row.lr for row in result.table.observations}
    assert max(rates) > 2.0**-7
