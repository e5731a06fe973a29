"""The plain training loop: one model, its optimizers, one step after the other.

It is the oracle against which every faster engine is checked.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from ..objective import backward, evaluating
from ..outcome import Outcome
from ..step_options import PLAIN, StepOptions
from ..targets import BatchWeights, count_examples
from ..task import Task
from .engine import TrainingJob

# A run whose training loss rose to SPIKE times its first one and whose held-out loss did not come
# down to ALIVE times its first one has died; slow runs have no spike.
SPIKE, ALIVE = 2.0, 0.99


class Loop:
    """The engine that takes every run and trains one after the other."""

    name = "loop"

    def takes(self, job: TrainingJob) -> bool:
        """Return whether it can train a job: always."""
        return True

    def train(self, block: Sequence[TrainingJob]) -> Iterator[Outcome]:
        """Yield the outcome of every job, in order."""
        for job in block:
            # No name holds the model: it is freed before the next one is made.
            yield train(
                *job.start(),
                job.task,
                steps=job.steps,
                seed=job.seed,
                schedule=job.schedule,
                options=job.options,
            )


def train(
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    task: Task,
    *,
    steps: int,
    seed: int,
    schedule: Callable[[int], float],
    options: StepOptions = PLAIN,
) -> Outcome:
    """Train a model in place and return the outcome.

    Arguments:
        model: An initialised model, prepared as `options` say.
        optimizers: Their groups hold the peak learning rates.
        task: The data and the loss.
        steps: Number of steps T.
        seed: Names the stream of batches.
        schedule: Maps step t to the factor of the peak rates.
        options: How the steps are computed.
    """
    before = held_out_loss(model, task, options=options, few=True)
    schedulers = [torch.optim.lr_scheduler.LambdaLR(o, schedule) for o in optimizers]
    curve, weights = list[float](), _weights(model, task, options)
    for batch in task.batches(steps=steps, seed=seed):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = _backward(model, task, batch, options, weights)
        if not math.isfinite(loss):
            return Outcome("non-finite", None, tuple(curve))
        curve.append(loss)
        if options.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), options.clip)
        for optimizer in optimizers:
            optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    after = held_out_loss(model, task, options=options, few=True)
    final = held_out_loss(model, task, options=options)
    if not math.isfinite(final):
        return Outcome("non-finite", None, tuple(curve))
    has_diverged = after > before or (after > ALIVE * before and max(curve) > SPIKE * abs(curve[0]))
    return Outcome("worse-than-init" if has_diverged else "finished", final, tuple(curve))


def _backward(
    model: nn.Module, task: Task, batch: Any, options: StepOptions, weights: BatchWeights
) -> float:
    """Add the gradients of a batch to the tensors and return its loss."""
    total = 0.0
    for part, share in _split(options.move(batch), options, weights):
        with options.autocast():
            loss = task.loss(model, part) / share
        total += loss.item()
        if not math.isfinite(total):
            weights.weigh([part], [count_examples(part)])  # a mean over no target is no divergence
            return total
        backward(loss)
    return total


def _split(batch: Any, options: StepOptions, weights: BatchWeights) -> Iterator[tuple[Any, float]]:
    """Yield the parts of a batch that have a target, and by what their mean losses are divided."""
    parts = list(options.split(batch))
    if len(parts) == 1:
        yield parts[0], 1.0
        return
    shares = weights.weigh(parts, [count_examples(part) for part in parts])
    for part, share in zip(parts, shares, strict=True):
        if share:
            yield part, sum(shares) / share


def held_out_loss(
    model: nn.Module,
    task: Task,
    *,
    options: StepOptions = PLAIN,
    few: bool = False,
) -> float:
    """Return the mean loss of the held-out batches, or of a few of them."""
    batches, examples = zip(*task.held_out(few=few), strict=True)
    weights = _weights(model, task, options).weigh(batches, examples)
    total = 0.0
    with evaluating(model), options.autocast():
        for batch, weight in zip(batches, weights, strict=True):
            if weight:
                total += weight * task.loss(model, options.move(batch)).item()
    return total / sum(weights)


def _weights(model: nn.Module, task: Task, options: StepOptions) -> BatchWeights:
    """Return how batches weigh, by losses that leave model and random streams as they are."""

    def loss(batch: Any) -> float:
        with torch.random.fork_rng(devices=[]), evaluating(model), options.autocast():
            return task.loss(model, options.move(batch)).item()

    return BatchWeights(loss)
