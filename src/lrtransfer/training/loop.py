"""The plain training loop: one model, one optimizer, one step after the other.

It is the oracle against which every faster engine is checked.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from .task import NextToken

Status = Literal["finished", "non-finite", "worse-than-init"]

# Divergence is told from progress by margins far above the noise of a few held-out windows.
_PROGRESS_WINDOWS = slice(0, None, 16)


@dataclass(frozen=True)
class Outcome:
    """State what came of a run.

    Attributes:
        status: `finished`; `non-finite` when a loss was NaN or infinite; `worse-than-init` when
            the held-out loss ended above where it began. The last two are divergence.
        loss: Held-out loss after the last step; None when not finite.
        curve: Training loss at each step taken, before the step.
    """

    status: Status
    loss: float | None
    curve: tuple[float, ...]


def train(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    task: NextToken,
    *,
    steps: int,
    seed: int,
    schedule: Callable[[int], float],
) -> Outcome:
    """Train a model in place and return the outcome.

    Arguments:
        model: An initialised model.
        optimizer: Its groups hold the peak learning rates.
        task: The data and the loss.
        steps: Number of steps T.
        seed: Names the stream of batches.
        schedule: Maps step t to the factor of the peak rates.
    """
    before = task.held_out_loss(model, windows=_PROGRESS_WINDOWS)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    curve: list[float] = []
    for windows in task.batches(steps=steps, seed=seed):
        loss = task.loss(model, windows)
        if not torch.isfinite(loss):
            return Outcome("non-finite", None, tuple(curve))
        curve.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    after = task.held_out_loss(model, windows=_PROGRESS_WINDOWS)
    final = task.held_out_loss(model)
    if not math.isfinite(final):
        return Outcome("non-finite", None, tuple(curve))
    return Outcome("worse-than-init" if after > before else "finished", final, tuple(curve))
