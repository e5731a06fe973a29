"""Tasks: the batches that a run trains on, its loss, and the batches held out.

Held-out batches depend on neither seed nor width.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from ..data.corpus import Corpus
from ..data.digits import LabelledExamples
from ..data.windows import even_windows, random_windows
from ..errors import BatchError
from ..randomness import seed_of
from .objective import Batch, Loss, cross_entropy, evaluate
from .targets import count_examples

_EVALUATION_BATCH = 64
_FEW = 64  # windows that tell divergence from progress, measured before and after
HELD_OUT_BATCH = 64  # examples of a user's own held-out batches, whatever the training's batch


class Task(Protocol):
    """Batches to train on, batches held out, and their loss."""

    def batches(self, *, steps: int, seed: int) -> Iterator[Any]:
        """Yield the batch of every step."""

    def held_out(self, *, few: bool = False) -> Iterable[tuple[Any, int]]:
        """Return held-out batches with their examples; a few suffice to see divergence."""

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """Return the mean loss of a batch."""

    def example(self) -> Any:
        """Return a batch as the model is called with it, small where it can be."""


@dataclass(frozen=True)
class NextToken:
    """Next-token prediction: B windows of T + 1 tokens a step, from random places of a text.

    Attributes:
        corpus: The text.
        batch: Windows B of a step.
        context: Tokens T that the model sees.
        held_out_tokens: Tokens that the held-out loss is a mean over.
        objective: Loss of an output (B, T, V) and its targets (B, T).
        vocabulary: Number V of tokens that the model knows, where that is known.
    """

    corpus: Corpus
    batch: int
    context: int
    held_out_tokens: int
    objective: Loss = cross_entropy
    vocabulary: int | None = None

    def batches(self, *, steps: int, seed: int) -> Iterator[torch.Tensor]:
        """Yield the windows of every step, each of shape (B, T + 1).

        Raises:
            BatchError: If the model does not know one of the tokens.
        """
        generator = np.random.default_rng(seed_of("batches", seed))
        for _ in range(steps):
            windows = random_windows(
                self.corpus.train,
                count=self.batch,
                length=self.context + 1,
                generator=generator,
            )
            yield self._check_vocabulary(torch.from_numpy(windows))

    def loss(self, model: nn.Module, batch: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of the windows' next tokens, by default cross-entropy in nats."""
        return evaluate(model, (batch[:, :-1], batch[:, 1:]), self.objective)[1]

    def held_out(self, *, few: bool = False) -> Iterable[tuple[torch.Tensor, int]]:
        """Return windows spread evenly over the held-out text, and how many they are."""
        every = max(1, len(self._held_out) // _FEW) if few else 1
        windows = self._held_out[::every]
        return ((part, len(part)) for part in torch.split(windows, _EVALUATION_BATCH))

    def example(self) -> torch.Tensor:
        """Return the tokens of two windows."""
        return self._held_out[:2, :-1]

    @cached_property
    def _held_out(self) -> torch.Tensor:
        windows = even_windows(
            self.corpus.held_out,
            count=math.ceil(self.held_out_tokens / self.context),
            length=self.context + 1,
        )
        return self._check_vocabulary(torch.from_numpy(windows))

    def _check_vocabulary(self, windows: torch.Tensor) -> torch.Tensor:
        if self.vocabulary is not None and windows.max() >= self.vocabulary:
            raise BatchError(
                f"data: got the token {int(windows.max())}, wanted tokens below the model's "
                f"vocabulary, {self.vocabulary}. Give the model the vocabulary of the data."
            )
        return windows


@dataclass(frozen=True)
class Classes:
    """Classification: B labelled examples a step, all of them once before any comes again.

    Attributes:
        train: Examples to train on.
        test: Examples held out.
        batch: Examples B of a step.
        objective: Loss of an output (B, classes) and its targets (B).
    """

    train: LabelledExamples
    test: LabelledExamples
    batch: int
    objective: Loss = cross_entropy

    def batches(self, *, steps: int, seed: int) -> Iterator[Batch]:
        """Yield inputs and targets of every step."""
        generator = np.random.default_rng(seed_of("batches", seed))
        order = np.zeros(0, dtype=np.int64)
        for _ in range(steps):
            while len(order) < self.batch:
                order = np.concatenate((order, generator.permutation(len(self.train.targets))))
            picked, order = order[: self.batch], order[self.batch :]
            yield _pair(self.train, picked)

    def held_out(self, *, few: bool = False) -> Iterable[tuple[Batch, int]]:
        """Return all held-out examples at once."""
        count = len(self.test.targets)
        return [(_pair(self.test, np.arange(count)), count)]

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss of the examples."""
        return evaluate(model, batch, self.objective)[1]

    def example(self) -> Batch:
        """Return two of the examples."""
        return _pair(self.test, np.arange(2))


def _pair(data: LabelledExamples, indices: np.ndarray) -> Batch:
    return torch.from_numpy(data.inputs[indices]), torch.from_numpy(data.targets[indices])


@dataclass(frozen=True)
class UserBatches:
    """Batches from a function of the user's own.

    Attributes:
        function: Called as `function(split, seed=, batch=)` with split `train` or `held_out`; it
            yields pairs (inputs, targets), or mappings of the model's keyword arguments.
        batch: Handed to it for training; HELD_OUT_BATCH is for the held-out batches.
        limit: Held-out batches taken, at most.
        objective: Loss of an output and the targets (the mapping); None for that which the model
            returns, or cross-entropy.
    """

    function: Callable[..., Iterable[Batch]]
    batch: int
    limit: int
    objective: Loss | None = None

    def batches(self, *, steps: int, seed: int) -> Iterator[Batch]:
        """Yield the batch of every step.

        Raises:
            BatchError: If they end too soon.
        """
        count = 0
        for batch in islice(self._call("train", seed, self.batch), steps):
            count += 1
            yield batch
        if count < steps:
            raise BatchError(
                f"data.batches: got {count} training batches, wanted one for each of {steps} "
                "steps. Go round again, or ask for fewer steps."
            )

    def held_out(self, *, few: bool = False) -> Iterable[tuple[Batch, int]]:
        """Return the held-out batches, each with the number of its examples."""
        return self._held_out

    def loss(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Return the mean loss of a batch."""
        return evaluate(model, batch, self.objective)[1]

    def example(self) -> Batch:
        """Return a held-out batch."""
        return self._held_out[0][0]

    @cached_property
    def _held_out(self) -> list[tuple[Batch, int]]:
        batches = islice(self._call("held_out", 0, HELD_OUT_BATCH), self.limit)
        weighted = [(batch, count_examples(batch)) for batch in batches]
        if not weighted:
            raise BatchError("data.batches: got no held-out batch, wanted at least one.")
        return weighted

    def _call(self, split: str, seed: int, batch: int) -> Iterable[Batch]:
        try:
            parts = iter(self.function(split, seed=seed, batch=batch))
        except TypeError as error:
            raise BatchError(
                f"data.batches: got {error}, wanted a function that is called as "
                "batches('train', seed=0, batch=8) and gives batches one after the other."
            ) from error
        return (_to_plain(part) for part in parts)


def _to_plain(batch: Any) -> Batch:
    """Return a batch as a tuple or a dict, in which torch finds the tensors."""
    if isinstance(batch, Mapping):
        return dict(batch)
    return tuple(batch) if isinstance(batch, list) else batch
