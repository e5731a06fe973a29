"""Train a round of runs and keep each result the moment it is there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from .local import Failure
from .plan import Run
from .store import Row, Store


@dataclass(frozen=True)
class Progress:
    """Tell how far a round of training is.

    Attributes:
        run: The run that ended last.
        diverged: Whether it diverged.
        done: Runs ended in this round.
        total: Runs in this round.
        share: Share of the round's work done.
    """

    run: Run
    diverged: bool
    done: int
    total: int
    share: float


class Workers(Protocol):
    """Train runs, wherever that may be."""

    def train(self, runs: Iterable[Run]) -> Iterator[tuple[Run, Row | Failure]]:
        """Yield runs with their rows as they finish, in no fixed order."""


Listener = Callable[[Progress], None]


def execute(
    runs: Sequence[Run], store: Store, *, workers: Workers, listener: Listener
) -> tuple[Failure, ...]:
    """Train runs, store their results, and return those that gave none.

    Arguments:
        runs: Runs that the store does not hold.
        store: Receives every result as it comes.
        workers: Trains them.
        listener: Called after every run.
    """
    failures, work = [], 0.0
    total_work = sum(run.work for run in runs)
    for done, (run, answer) in enumerate(workers.train(runs), start=1):
        if isinstance(answer, Row):
            store.add([answer])
        else:
            failures.append(answer)
        work += run.work
        diverged = isinstance(answer, Row) and answer.result.status != "finished"
        listener(Progress(run, diverged, done, len(runs), work / total_work))
    return tuple(failures)
