"""Where runs are trained: the protocols of executors, trainers and workers.

Two ideas are kept apart. A *trainer* is what trains: our engines in a process that loads torch, or
the user's program. An *executor* is where, and how many at once. Any trainer runs on any executor:

- `local.LocalProcesses(4).map(engines.Engines(device="cpu"), blocks)` keeps four processes of this
  machine, each of which trains block after block;
- `local.LocalProcesses(2).map(programs.Programs(directory), blocks)` runs the user's program, two
  at a time, one process for each run;
- an executor on a cluster opens the same workers on other machines, and nothing of them changes.

The unit of both is a *block* (`blocks`): runs of one kind, one or many.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Protocol

from ..runs.failure import Failure
from ..runs.result import TrainedRun
from ..runs.run import RunSpec
from .blocks import Block

GRACE_SECONDS = 5.0  # between asking processes to end and ending them

Result = tuple[RunSpec, TrainedRun | Failure]


class Worker(Protocol):
    """Processes of this machine that train one block at a time."""

    @property
    def answers(self) -> Connection | None:
        """A pipe that is readable when the block has ended; None if only `has_ended` tells."""

    @property
    def is_alive(self) -> bool:
        """Whether it can take another block."""

    def start(self, block: Block) -> None:
        """Begin to train a block."""

    def has_ended(self) -> bool:
        """Return whether the block has ended, well or not."""

    def results(self) -> Sequence[Result]:
        """Return what came of every run of the block that has ended.

        Raises:
            UserError: If no run can be trained at all.
        """

    def terminate(self) -> None:
        """Ask the processes to end."""

    def close(self, deadline: float) -> None:
        """Wait until the processes have ended; end them by force at the deadline.

        Arguments:
            deadline: A time of `time.monotonic`.
        """


class Trainer(Protocol):
    """What trains blocks, in workers that it opens on the machine where it is asked to."""

    @property
    def patience(self) -> float:
        """Runs of a kind that may fail before any gave a result; then the rest is not tried."""

    @property
    def retries(self) -> int:
        """How often a run whose failure may pass is tried again."""

    def open(self) -> Worker:
        """Return a new worker."""


class Executor(Protocol):
    """A place for workers: this machine, or others."""

    def map(
        self, trainer: Trainer, blocks: Iterable[Block], *, proven: Collection[object] = ()
    ) -> Iterator[Result]:
        """Yield what came of the runs of all blocks as they end, in no fixed order.

        A worker that dies costs the block it was training; another takes its place. Workers of
        another trainer are ended first.

        Arguments:
            trainer: What trains them.
            blocks: In the order in which they are to be trained.
            proven: Kinds (`RunSpec.cost_class`) of which some run gave a result before.

        Raises:
            UserError: If no run can be trained at all.
        """
