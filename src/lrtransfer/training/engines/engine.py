"""What trains: the protocol of engines, and the job that they are given.

An engine turns a block of jobs into outcomes. Where it runs, and how many at once, is another
idea, that of `lrtransfer.executors`: any engine runs on any executor. For example:

- the plain loop (`loop.Loop`) takes every job and trains one after the other;
- an engine that stacks the models of a block takes jobs whose models have equal shapes, and trains
  them in one pass;
- an engine of deep linear networks takes jobs with such a model, and computes their losses without
  training one step after the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from ..outcome import Outcome
from ..step_options import StepOptions
from ..task import Task


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingJob:
    """One run as an engine sees it.

    Attributes:
        start: Makes the model, initialised and on its device, and the optimizers, whose groups hold
            the peak learning rates; all random streams begin anew.
        task: The data and the loss.
        steps: Number of steps T.
        seed: Names the stream of batches.
        schedule: Maps step t to the factor of the peak rates.
        options: How the steps are computed.
    """

    start: Callable[[], tuple[nn.Module, Sequence[torch.optim.Optimizer]]]
    task: Task
    steps: int
    seed: int
    schedule: Callable[[int], float]
    options: StepOptions


class Engine(Protocol):
    """A way to train blocks of jobs; every one gives the outcomes of the plain loop."""

    @property
    def name(self) -> str:
        """What stands in the provenance of its runs."""

    def takes(self, job: TrainingJob) -> bool:
        """Return whether it can train a job."""

    def train(self, block: Sequence[TrainingJob]) -> Iterator[Outcome]:
        """Yield the outcome of every job, in order."""
