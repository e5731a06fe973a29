"""How many targets the mean loss of a batch is over, and so how much it weighs among others.

The convention is that of PyTorch and of `transformers`: a loss is the mean over the targets that
are not -100. The mean over several batches, or over the parts of one, weighs each by the number of
its targets. Where every example has equally many, that is the number of examples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ..errors import BatchError

IGNORED = -100  # `ignore_index` of torch's cross-entropy
_LABELS = "labels"  # what a mapping calls them, as `transformers` does


def count_examples(batch: Any) -> int:
    """Return how many examples a batch holds: the length of its first tensor.

    Raises:
        BatchError: If there is none.
    """
    for tensor in pytree.tree_leaves(batch):
        if isinstance(tensor, torch.Tensor) and tensor.ndim:
            return len(tensor)
    raise BatchError(
        f"data.batches: got {type(batch).__name__} without a torch tensor, wanted tensors in a "
        "pair (inputs, targets), or in a mapping of keyword arguments for the model."
    )


def require_examples(batch: Any) -> None:
    """Refuse a batch without an example.

    Raises:
        BatchError: If its first tensor has no entries.
    """
    tensors = [leaf for leaf in pytree.tree_leaves(batch) if isinstance(leaf, torch.Tensor)]
    if tensors and tensors[0].numel() == 0:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise BatchError(f"batch: got tensors of shape {shapes}, wanted at least one example.")


def require_targets(batch: Any) -> None:
    """Refuse a batch of which a loss is no number, because it is the mean over nothing.

    Raises:
        BatchError: If all its targets are ignored.
    """
    targets = find_targets(batch)
    if targets is not None and _count(targets) == 0:
        raise BatchError(
            f"batch: got {targets.numel()} targets that are all {IGNORED}, which a loss ignores, "
            "wanted at least one to learn from. Leave such batches out."
        )


def find_targets(batch: Any) -> torch.Tensor | None:
    """Return the targets of a pair, or the labels of a mapping; None where there are none."""
    if isinstance(batch, Mapping):
        targets = batch.get(_LABELS)
    else:
        targets = batch[1] if isinstance(batch, Sequence) and len(batch) == 2 else None
    return targets if isinstance(targets, torch.Tensor) and targets.ndim else None


@dataclass
class BatchWeights:
    """Weights of batches in the mean of their losses, for one model and its loss.

    Attributes:
        loss: Maps a batch to its mean loss, without a gradient.
        skips_first: Whether the first target of every sequence does not count, as in a model that
            compares its outputs with the next labels; None until that makes a difference and is
            found out.
    """

    loss: Callable[[Any], float]
    skips_first: bool | None = None

    def weigh(self, batches: Sequence[Any], examples: Sequence[int]) -> Sequence[int]:
        """Return the weight of every batch; 0 of one without a target that counts.

        Arguments:
            batches: The batches.
            examples: How many examples each holds: the weights where every example has equally
                many targets.

        Raises:
            BatchError: If no target counts.
        """
        targets = [found for batch in batches if (found := find_targets(batch)) is not None]
        if len(targets) < len(batches):
            return examples
        counts = [_count(each) for each in targets]
        if all(each.ndim > 1 for each in targets):
            later = [_count(each[:, 1:]) for each in targets]
            is_same = _are_proportional(counts, later) and any(later)
            if not is_same and any(counts) and self._find_skip(batches, targets):
                counts = later
        if not any(counts):
            require_targets(batches[0])
            raise BatchError(
                f"batch: got only sequences without a target other than {IGNORED} after their "
                "first, wanted at least one to learn from."
            )
        return examples if _are_proportional(counts, examples) else counts

    def _find_skip(self, batches: Sequence[Any], targets: Sequence[torch.Tensor]) -> bool:
        """Return whether the loss leaves out the first targets: whether it depends on them."""
        if self.skips_first is None:
            batch, known = next(
                (b, t) for b, t in zip(batches, targets, strict=True) if _count(t[:, :1])
            )
            none = torch.full_like(known, IGNORED)
            first = torch.cat((known[:, :1], none[:, 1:]), dim=1)
            loss = self.loss(_with_targets(batch, first))
            # A mean over nothing is NaN, or what the loss adds to it.
            self.skips_first = loss != loss or loss == self.loss(_with_targets(batch, none))
        return self.skips_first


def _count(targets: torch.Tensor) -> int:
    """Return how many targets count; numbers that are no classes all do."""
    return targets.numel() if targets.is_floating_point() else int((targets != IGNORED).sum())


def _are_proportional(first: Sequence[int], second: Sequence[int]) -> bool:
    """Return whether one list is the other times a constant.

    Example:
        >>> _are_proportional([2, 4], [3, 6]), _are_proportional([2, 4], [3, 5])
        (True, False)
    """
    return all(a * sum(second) == b * sum(first) for a, b in zip(first, second, strict=True))


def _with_targets(batch: Any, targets: torch.Tensor) -> Any:
    if isinstance(batch, Mapping):
        return {**batch, _LABELS: targets}
    return batch[0], targets
