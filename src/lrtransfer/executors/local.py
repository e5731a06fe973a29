"""The executor of this machine: so many workers at once. Loads no torch."""

import os
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import wait
from typing import Self

from .agenda import Agenda
from .blocks import Block
from .executor import GRACE_SECONDS, Result, Trainer, Worker

POLL_SECONDS = 0.05  # between looks at workers that do not tell when they have ended


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalProcesses:
    """Workers on this machine, opened when first needed and ended with the context."""

    def __init__(self, count: int) -> None:
        """Allow so many workers at once; open none yet."""
        self._count = count
        self._trainer: Trainer | None = None  # whose workers are open
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []

    def __enter__(self) -> Self:
        """Open no worker yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """End all processes, whatever they are doing."""
        self._end_workers()

    def map(
        self, trainer: Trainer, blocks: Iterable[Block], *, proven: Collection[object] = ()
    ) -> Iterator[Result]:
        """Yield what came of the runs of all blocks as they end, in no fixed order.

        A worker that dies costs the block it was training; another takes its place. What is tried
        again, and what is given up, is the agenda's to say. Workers of another trainer are ended
        first.

        Arguments:
            trainer: What trains them.
            blocks: In the order in which they are to be trained.
            proven: Kinds (`RunSpec.cost_class`) of which some run gave a result before.

        Raises:
            UserError: If no run can be trained at all.
        """
        if trainer != self._trainer:
            self._end_workers()
            self._trainer = trainer
        agenda = Agenda(blocks, retries=trainer.retries, patience=trainer.patience, proven=proven)
        self._engage(trainer, agenda)
        while self._busy:
            for worker in self._wait_for_ended():
                results = worker.results()
                self._release(worker)
                final = [(run, result) for run, result in results if agenda.settle(run, result)]
                self._engage(trainer, agenda)
                yield from final

    def _end_workers(self) -> None:
        workers = (*self._idle, *self._busy)
        self._idle, self._busy = [], []
        for worker in workers:
            worker.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        with ExitStack() as closing:
            for worker in workers:
                closing.push(partial(_close, worker, deadline))

    def _engage(self, trainer: Trainer, agenda: Agenda) -> None:
        """Let idle workers, and new ones as far as there may be more, begin what waits."""
        while len(self._busy) < self._count and (block := agenda.take()):
            worker = self._idle.pop() if self._idle else trainer.open()
            self._busy.append(worker)
            worker.start(block)

    def _wait_for_ended(self) -> list[Worker]:
        """Return the workers whose blocks have ended, as soon as there are any."""
        wait([worker.answers for worker in self._busy if worker.answers], timeout=POLL_SECONDS)
        return [worker for worker in self._busy if worker.has_ended()]

    def _release(self, worker: Worker) -> None:
        self._busy.remove(worker)
        if worker.is_alive:
            self._idle.append(worker)
        else:
            worker.close(time.monotonic())


def _close(worker: Worker, deadline: float, interrupt: object, *_: object) -> None:
    """Close a worker, at once where a second interrupt ended the waiting for another."""
    worker.close(deadline if interrupt is None else time.monotonic())
