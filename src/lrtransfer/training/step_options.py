"""How the steps of a training are computed: device, precision, parts of a batch, clipping."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.utils import _pytree as pytree

from ..errors import BatchError
from .targets import count_examples

Precision = Literal["float32", "bfloat16", "float64"]


@dataclass(frozen=True)
class StepOptions:
    """How the steps are computed.

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

    def prepare(self, model: nn.Module) -> nn.Module:
        """Move a model, before its optimizers are made, and return it."""
        model.to(self.device)
        return model.double() if self.precision == "float64" else model

    def move(self, batch: Any) -> Any:
        """Return a batch on the device."""
        double = self.precision == "float64"

        def move_tensor(tensor: torch.Tensor) -> torch.Tensor:
            there = tensor.to(self.device)
            return there.double() if double and there.is_floating_point() else there

        return pytree.tree_map_only(torch.Tensor, move_tensor, batch)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which losses are computed."""
        if self.precision != "bfloat16":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    def split(self, batch: Any) -> Iterator[Any]:
        """Yield the parts of a batch; what is not as long as it belongs to every part.

        Raises:
            BatchError: If the batch does not divide.
        """
        if self.accumulate == 1:
            yield batch
            return
        count = count_examples(batch)
        if count % self.accumulate:
            raise BatchError(
                f"training.accumulate: got {self.accumulate} for a batch of {count} examples, "
                "wanted parts of equal size."
            )
        leaves, spec = pytree.tree_flatten(batch)
        columns = [self._split_leaf(leaf, count) for leaf in leaves]
        for part in zip(*columns, strict=True):
            yield pytree.tree_unflatten(list(part), spec)

    def _split_leaf(self, leaf: Any, count: int) -> Sequence[Any]:
        if not isinstance(leaf, torch.Tensor) or leaf.ndim == 0 or len(leaf) != count:
            return [leaf] * self.accumulate
        return torch.chunk(leaf, self.accumulate)


PLAIN = StepOptions()
