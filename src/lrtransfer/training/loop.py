"""The plain training loop: one model, its optimizers, one step after the other.

It is the oracle against which every faster engine is checked.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..errors import BatchError
from .objective import evaluating
from .task import Task, examples

Status = Literal["finished", "non-finite", "worse-than-init"]
Precision = Literal["float32", "bfloat16", "float64"]


@dataclass(frozen=True)
class Outcome:
    """State what came of a run.

    Attributes:
        status: `finished`; `non-finite` when a loss was NaN or infinite; `worse-than-init` when
            the held-out loss ended above where it began, or as good as there after the training
            loss had doubled: what is left is a model that died. The last two are divergence.
        loss: Held-out loss after the last step; None when not finite.
        curve: Training loss at each step taken, before the step.
    """

    status: Status
    loss: float | None
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Setting:
    """Set how the steps are computed.

    Attributes:
        device: Where, such as `cpu` or `cuda`.
        precision: `float32`; `bfloat16` for products in that type and all else in float32
            (autocast); `float64`.
        accumulate: Equal parts in which a batch is computed, their gradients added.
        clip: Largest norm of the gradient of all tensors; None for any.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    accumulate: int = 1
    clip: float | None = None

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model, before its optimizers are made, and return it."""
        model.to(self.device)
        return model.double() if self.precision == "float64" else model

    def moved(self, batch: Any) -> Any:
        """Return a batch on the device."""
        double = self.precision == "float64"

        def move(tensor: torch.Tensor) -> torch.Tensor:
            moved = tensor.to(self.device)
            return moved.double() if double and moved.is_floating_point() else moved

        return pytree.tree_map_only(torch.Tensor, move, batch)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which losses are computed."""
        if self.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    def parts(self, batch: Any) -> Iterator[Any]:
        """Yield the parts of a batch; what is not as long as it belongs to every part.

        Raises:
            BatchError: If the batch does not divide.
        """
        if self.accumulate == 1:
            yield batch
            return
        count = examples(batch)
        if count % self.accumulate:
            raise BatchError(
                f"training.accumulate: got {self.accumulate} for a batch of {count} examples, "
                "wanted parts of equal size."
            )
        leaves, spec = pytree.tree_flatten(batch)
        split = [self._split(leaf, count) for leaf in leaves]
        for part in zip(*split, strict=True):
            yield pytree.tree_unflatten(list(part), spec)

    def _split(self, leaf: Any, count: int) -> Sequence[Any]:
        if not isinstance(leaf, torch.Tensor) or leaf.ndim == 0 or len(leaf) != count:
            return [leaf] * self.accumulate
        return torch.chunk(leaf, self.accumulate)


PLAIN = Setting()

# A run whose training loss rose to SPIKE times its first one and whose held-out loss did not come
# down to ALIVE times its first one has died; slow runs have no spike.
SPIKE, ALIVE = 2.0, 0.99


def train(
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    task: Task,
    *,
    steps: int,
    seed: int,
    schedule: Callable[[int], float],
    setting: Setting = PLAIN,
) -> Outcome:
    """Train a model in place and return the outcome.

    Arguments:
        model: An initialised model, placed as `setting` says.
        optimizers: Their groups hold the peak learning rates.
        task: The data and the loss.
        steps: Number of steps T.
        seed: Names the stream of batches.
        schedule: Maps step t to the factor of the peak rates.
        setting: How the steps are computed.
    """
    before = held_out_loss(model, task, setting=setting, few=True)
    schedulers = [torch.optim.lr_scheduler.LambdaLR(o, schedule) for o in optimizers]
    curve: list[float] = []
    for batch in task.batches(steps=steps, seed=seed):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss = _backward(model, task, batch, setting)
        if not math.isfinite(loss):
            return Outcome("non-finite", None, tuple(curve))
        curve.append(loss)
        if setting.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), setting.clip)
        for optimizer in optimizers:
            optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    after = held_out_loss(model, task, setting=setting, few=True)
    final = held_out_loss(model, task, setting=setting)
    if not math.isfinite(final):
        return Outcome("non-finite", None, tuple(curve))
    has_diverged = after > before or (after > ALIVE * before and max(curve) > SPIKE * abs(curve[0]))
    return Outcome("worse-than-init" if has_diverged else "finished", final, tuple(curve))


def _backward(model: nn.Module, task: Task, batch: Any, setting: Setting) -> float:
    """Add the gradients of a batch to the tensors and return its loss."""
    total = 0.0
    for part in setting.parts(setting.moved(batch)):
        with setting.autocast():
            loss = task.loss(model, part) / setting.accumulate
        total += loss.item()
        if not math.isfinite(total):
            return total
        loss.backward()
    return total


def held_out_loss(
    model: nn.Module,
    task: Task,
    *,
    setting: Setting = PLAIN,
    few: bool = False,
) -> float:
    """Return the mean loss of the held-out batches, or of a few of them."""
    total, weight = 0.0, 0
    with evaluating(model), setting.autocast():
        for batch, count in task.held_out(few=few):
            total += count * task.loss(model, setting.moved(batch)).item()
            weight += count
    return total / weight
