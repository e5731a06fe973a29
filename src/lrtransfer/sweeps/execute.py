"""Train a round of runs and keep each result the moment it is there."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from ..executors.blocks import split_into_blocks
from ..executors.executor import Executor, Trainer
from ..runs.failure import Failure
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from ..training.outcome import Outcome
from .store import Store


@dataclass(frozen=True)
class Progress:
    """How far a round of training is.

    Attributes:
        run: The run that ended last.
        diverged: Whether it diverged.
        done: Runs ended in this round.
        total: Runs in this round.
        share: Share of the round's cost that is spent.
    """

    run: RunSpec
    diverged: bool
    done: int
    total: int
    share: float


Listener = Callable[[Progress], None]
Check = Callable[[RunSpec, Outcome], None]


def execute(
    runs: Sequence[RunSpec],
    proven: Collection[object],
    *,
    store: Store,
    trainer: Trainer,
    executor: Executor,
    listener: Listener,
    check: Check = lambda run, outcome: None,
) -> tuple[Failure, ...]:
    """Train runs, store their results, and return those that gave none.

    Arguments:
        runs: Runs that the store does not hold.
        proven: Kinds of runs (`RunSpec.cost_class`) of which it holds some.
        store: Receives every result as it comes.
        trainer: What trains them.
        executor: Where, and how many at once.
        listener: Called after every run.
        check: Called with every result once it is kept; may refuse to go on.
    """
    failures, spent = [], 0.0
    total = sum(run.relative_cost for run in runs)
    results = executor.map(trainer, split_into_blocks(runs), proven=proven)
    for done, (run, result) in enumerate(results, start=1):
        if isinstance(result, TrainedRun):
            store.add([result])
            check(run, result.outcome)
        else:
            failures.append(result)
        spent += run.relative_cost
        diverged = isinstance(result, TrainedRun) and result.outcome.diverged
        listener(Progress(run, diverged, done, len(runs), spent / total))
    return tuple(failures)
