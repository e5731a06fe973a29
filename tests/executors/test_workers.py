"""What the code of a model does to the process that trains it costs that run, and no other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lrtransfer.executors.blocks import split_into_blocks
from lrtransfer.executors.engines import Engines
from lrtransfer.executors.executor import Result
from lrtransfer.executors.local import LocalProcesses
from lrtransfer.executors.pace import Pace
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import TrainedRun
from lrtransfer.runs.run import RunSpec
from tests.executors.bad_models import MODELS, run_of_model


@pytest.fixture
def own(write_module: Callable[[str], str]) -> str:
    return write_module(MODELS)


def train(*runs: RunSpec, engines: Engines | None = None, workers: int = 1) -> list[Result]:
    with LocalProcesses(workers) as executor:
        return list(executor.map(engines or Engines(), split_into_blocks(runs)))


def train_bad(
    own: str, *builds: str, engines: Engines | None = None
) -> dict[str, TrainedRun | Failure]:
    """Return what came of bad runs, between good ones, which are trained."""
    bad = {run_of_model(own, build, bad=True): build for build in builds}
    good = [replace(run_of_model(own, builds[0], bad=False), seed=seed) for seed in range(2)]
    results = dict(train(good[0], *bad, good[1], engines=engines))
    assert all(isinstance(results[run], TrainedRun) for run in good)
    return {bad[run]: result for run, result in results.items() if run in bad}


LAST_LINES = {
    "exits_0": "its process ended with exit code 0",
    "exits_3": "its process ended with exit code 3",
    "interrupts": "KeyboardInterrupt: from the code",
    "interrupts_in_training": "KeyboardInterrupt: from the code",
    "stops": "Stop: enough",
    "quits": "SystemExit: 0",
    "closes": "its process closed the pipe that results come on",
    "closes_in_training": "its process closed the pipe that results come on",
    "closes_and_opens": "its process closed the pipe that results come on",
    "killed_twice": "its process ended with signal 9",
    "crashed_twice": "its process ended with signal 11",
    "memory_twice": "MemoryError: no room",
}


def check_last_lines(own: str, *builds: str) -> None:
    results = train_bad(own, *builds)
    assert set(results) == set(builds)
    for build, result in results.items():
        assert isinstance(result, Failure), build
        assert result.reason.splitlines()[-1] == LAST_LINES[build]


def test_what_ends_its_process_costs_its_run_alone(own: str) -> None:
    check_last_lines(own, "exits_3", "interrupts_in_training")


@pytest.mark.slow
def test_whatever_ends_its_process_costs_its_run_alone(own: str) -> None:
    check_last_lines(own, *LAST_LINES)
    assert not [path for path in Path().glob("taken-*") if path.stat().st_size]
    for deed in ("kill", "crash", "run_out_of_memory"):  # tried once more, and not again
        assert len(list(Path().glob(f"{deed}-2-*"))) == 2


@pytest.mark.slow
def test_a_run_whose_worker_died_or_had_no_memory_is_tried_once_more(own: str) -> None:
    results = train_bad(own, "killed_once", "crashed_once", "memory_once")
    assert all(isinstance(result, TrainedRun) for result in results.values())


def test_what_is_printed_goes_to_a_file_and_closed_streams_are_opened_again(
    own: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engines = Engines(directory=tmp_path)
    builds = ("closes_streams", "floods", "says_and_crashes")
    results = train_bad(own, *builds, engines=engines)
    assert isinstance(results["closes_streams"], TrainedRun)
    assert isinstance(results["floods"], TrainedRun)
    assert capfd.readouterr() == ("", "")
    crashed = results["says_and_crashes"]
    assert isinstance(crashed, Failure)
    flood, words = sorted((tmp_path / "runs").glob("*.txt"), key=lambda path: -path.stat().st_size)
    assert flood.stat().st_size > 800_000
    assert words.read_text() == "a last word\n"
    end = f"its process ended with signal 11; all it printed: {words}"
    assert crashed.reason == f"    a last word\n{end}"


@pytest.mark.parametrize(
    "build",
    [
        "forks_and_raises",
        pytest.param("forks_and_returns", marks=pytest.mark.slow),
        pytest.param("forks_and_exits", marks=pytest.mark.slow),
        pytest.param("forks_and_returns_late", marks=pytest.mark.slow),
    ],
)
def test_only_the_workers_own_process_answers(own: str, build: str) -> None:
    # Losses were those of other runs, and nothing was said.
    rates, seeds = (2.0**-4, 2.0**-5), (0, 1)

    def list_runs(build: str) -> list[RunSpec]:
        run = run_of_model(own, build, bad=True)
        return [replace(run, lr=lr, seed=seed) for lr in rates for seed in seeds]

    results = dict(train(*list_runs(build), *list_runs("plain")))
    outcomes = [
        [
            result.outcome
            for run in list_runs(name)
            if isinstance(result := results[run], TrainedRun)
        ]
        for name in (build, "plain")
    ]
    assert len(set(outcomes[1])) == 4
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("build", ["hangs", pytest.param("hangs_hard", marks=pytest.mark.slow)])
def test_a_run_that_hangs_is_ended_and_others_go_on(own: str, build: str) -> None:
    failure = train_bad(own, build, engines=Engines(timeout=4.0))[build]
    assert isinstance(failure, Failure)
    wanted = "took longer than 4 s, and was ended; --timeout gives another limit"
    assert failure.reason == wanted


def test_without_a_limit_given_one_comes_from_runs_of_its_kind(own: str) -> None:
    run, pace = run_of_model(own, "plain", bad=False), Pace()
    pace.note(run, 30.0)
    assert pace.describe_excess(run, taken=299.0, silent=299.0) is None
    assert pace.describe_excess(run, taken=301.0, silent=0.0) is not None
    pace.note(run, 20.0)  # the longest counts
    assert pace.describe_excess(run, taken=299.0, silent=0.0) is None
    other = replace(run, width=8)
    assert pace.describe_excess(other, taken=5000.0, silent=599.0) is None
    assert pace.describe_excess(other, taken=700.0, silent=601.0) == "made no step for 600 s"
