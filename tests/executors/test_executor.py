"""What every executor and every worker keeps to, whatever trains; no models are trained here."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lrtransfer.executors.blocks import Block, split_into_blocks
from lrtransfer.executors.engines import Engines, EngineWorker
from lrtransfer.executors.executor import Result, Trainer
from lrtransfer.executors.local import LocalProcesses
from lrtransfer.executors.programs import Programs
from lrtransfer.runs.digests import Digests
from lrtransfer.runs.failure import Failure
from lrtransfer.runs.result import Provenance, TrainedRun
from lrtransfer.runs.run import ProgramSettings, RunSpec
from lrtransfer.study.program import Program
from lrtransfer.study.study import Study
from lrtransfer.training.outcome import Outcome
from tests.studies import run_of


def train(run: RunSpec) -> TrainedRun:
    provenance = Provenance(engine="scripted", seconds=0.0)
    return TrainedRun(run.id, run.identity, Outcome("finished", 1.0, ()), provenance)


@dataclass(eq=False)
class Scripted:
    """A trainer whose workers answer at once what a script says of the n-th try of a run."""

    script: Callable[[RunSpec, int], TrainedRun | Failure] = lambda run, tries: train(run)
    patience: float = 3
    retries: int = 0
    dies: bool = False
    tries: Counter[str] = field(default_factory=Counter)
    workers: "list[ScriptedWorker]" = field(default_factory=list)

    def open(self) -> "ScriptedWorker":
        self.workers.append(ScriptedWorker(self))
        return self.workers[-1]


@dataclass(eq=False)
class ScriptedWorker:
    trainer: Scripted
    answers: None = None
    is_alive: bool = True
    is_closed: bool = False
    block: Block = ()

    def start(self, block: Block) -> None:
        assert not self.is_closed
        self.block = block

    def has_ended(self) -> bool:
        return True

    def results(self) -> Sequence[Result]:
        self.is_alive = not self.trainer.dies
        self.trainer.tries.update(run.id for run in self.block)
        script, tries = self.trainer.script, self.trainer.tries
        return [(run, script(run, tries[run.id])) for run in self.block]

    def terminate(self) -> None:
        pass

    def close(self, deadline: float) -> None:
        self.is_closed = True


@pytest.fixture
def runs(small: Study) -> list[RunSpec]:
    run = run_of(small, 48, digests=Digests("d"))
    return [replace(run, seed=seed) for seed in range(6)]


def fail(run: RunSpec, *, may_pass: bool = False) -> Failure:
    return Failure(run, "it failed", may_pass)


def test_only_a_failure_that_may_pass_is_tried_again_and_only_so_often(
    runs: list[RunSpec],
) -> None:
    passing, crashing, wrong, good = runs[:4]

    def script(run: RunSpec, tries: int) -> TrainedRun | Failure:
        if run == good or (run == passing and tries == 3):
            return train(run)
        return fail(run, may_pass=run != wrong)

    trainer = Scripted(script, patience=float("inf"), retries=2)
    with LocalProcesses(2) as executor:
        results = list(executor.map(trainer, split_into_blocks(runs[:4])))
    assert len(results) == 4
    kinds = {run: type(result) for run, result in results}
    assert kinds == {passing: TrainedRun, crashing: Failure, wrong: Failure, good: TrainedRun}
    assert [trainer.tries[run.id] for run in runs[:4]] == [3, 3, 1, 1]


def test_a_run_of_a_block_is_tried_again_alone(runs: list[RunSpec]) -> None:
    trainer = Scripted(
        lambda run, tries: fail(run, may_pass=True) if (run.seed, tries) == (1, 1) else train(run),
        retries=1,
    )
    with LocalProcesses(1) as executor:
        results = list(executor.map(trainer, split_into_blocks(runs, size=6)))
    assert sorted(run.seed for run, _ in results) == list(range(6))
    assert trainer.tries == {run.id: 2 if run.seed == 1 else 1 for run in runs}


def test_a_kind_that_only_fails_is_given_up_and_others_go_on(runs: list[RunSpec]) -> None:
    others = [replace(run, width=32) for run in runs]
    trainer = Scripted(lambda run, tries: fail(run) if run.width == 48 else train(run))
    with LocalProcesses(1) as executor:
        results = list(executor.map(trainer, split_into_blocks([*runs, *others])))
    assert Counter(type(result) for _, result in results) == {Failure: 3, TrainedRun: 6}


def test_a_kind_with_a_result_is_not_given_up(runs: list[RunSpec]) -> None:
    trainer = Scripted(lambda run, tries: train(run) if run.seed == 0 else fail(run))
    with LocalProcesses(1) as executor:
        assert len(list(executor.map(trainer, split_into_blocks(runs)))) == len(runs)


def test_so_many_workers_are_opened_and_used_again(runs: list[RunSpec]) -> None:
    trainer = Scripted()
    with LocalProcesses(2) as executor:
        for _ in range(2):
            list(executor.map(trainer, split_into_blocks(runs)))
        assert len(trainer.workers) == 2
        assert not any(worker.is_closed for worker in trainer.workers)
    assert all(worker.is_closed for worker in trainer.workers)


def test_a_dead_worker_is_closed_and_replaced(runs: list[RunSpec]) -> None:
    trainer = Scripted(dies=True)
    with LocalProcesses(1) as executor:
        assert len(list(executor.map(trainer, split_into_blocks(runs)))) == len(runs)
        assert [worker.is_closed for worker in trainer.workers] == [True] * len(runs)


def test_workers_train_for_the_trainer_that_opened_them_alone(runs: list[RunSpec]) -> None:
    one, other = Scripted(), Scripted()
    with LocalProcesses(1) as executor:
        for trainer in (one, other):
            list(executor.map(trainer, split_into_blocks(runs)))
        assert sum(one.tries.values()) == sum(other.tries.values()) == len(runs)
        assert [worker.is_closed for worker in one.workers] == [True]


def test_an_interrupt_while_a_worker_is_closed_leaves_no_other_open(runs: list[RunSpec]) -> None:
    class Interrupting(ScriptedWorker):
        def has_ended(self) -> bool:
            raise KeyboardInterrupt

        def close(self, deadline: float) -> None:
            super().close(deadline)
            raise KeyboardInterrupt

    class Trainer(Scripted):
        def open(self) -> ScriptedWorker:
            self.workers.append(Interrupting(self))
            return self.workers[-1]

    trainer = Trainer()
    with pytest.raises(KeyboardInterrupt), LocalProcesses(3) as executor:
        list(executor.map(trainer, split_into_blocks(runs)))
    assert [worker.is_closed for worker in trainer.workers] == [True] * 3


def make_programs(small: Study, folder: Path) -> tuple[Trainer, RunSpec]:
    program = Program(command="echo loss 2.5", loss_from="stdout:loss (.*)")
    settings = ProgramSettings(program=program, values={})
    return Programs(program, folder), RunSpec(settings, "all", 64, 0.5, 0)


def make_engines(small: Study, folder: Path) -> tuple[Trainer, RunSpec]:
    return Engines(), run_of(small)


@pytest.mark.parametrize("make", [make_engines, make_programs])
def test_a_worker_answers_every_run_of_a_block_and_ends_when_it_is_closed(
    small: Study, tmp_path: Path, make: Callable[[Study, Path], tuple[Trainer, RunSpec]]
) -> None:
    trainer, run = make(small, tmp_path)
    block = tuple(replace(run, seed=seed) for seed in range(3))
    worker = trainer.open()
    for _ in range(2):  # one block after the other
        worker.start(block)
        deadline = time.monotonic() + 120
        while not worker.has_ended():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        results = worker.results()
        assert [spec for spec, _ in results] == list(block)
        for spec, trained in results:
            assert isinstance(trained, TrainedRun)
            assert (trained.id, trained.identity) == (spec.id, spec.identity)
        assert worker.is_alive
    for _ in range(2):  # again is no error
        worker.terminate()
        worker.close(time.monotonic())


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc (Linux)")
def test_a_worker_that_cannot_be_started_leaves_no_pipe_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no process")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no process"):
        EngineWorker(Engines())
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_program_that_hears_no_request_to_end_is_killed_when_the_waiting_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Program(command="trap '' TERM; sleep 300", loss_from="stdout:(.*)", shell=True)
    run = RunSpec(ProgramSettings(program=program, values={}), "all", 64, 0.5, 0)
    worker = Programs(program, tmp_path).open()
    worker.start((run,))
    assert worker._process is not None
    process = worker._process.process
    wait = process.wait

    def interrupt(timeout: float | None = None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        return wait()

    monkeypatch.setattr(process, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        worker.close(time.monotonic() + 60)
    assert process.returncode == -9
