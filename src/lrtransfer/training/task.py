"""Next-token prediction on a text: the batches of a run and the held-out loss.

B sequences of T tokens a step. Held-out windows depend on neither seed nor width.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..data.corpus import Corpus
from ..data.windows import even_windows, random_windows
from ..randomness import seed_of

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class NextToken:
    """Set the task: which text, how much of it per step, how much is held out."""

    corpus: Corpus
    batch: int
    context: int
    held_out_tokens: int

    def batches(self, *, steps: int, seed: int) -> Iterator[torch.Tensor]:
        """Yield the windows of every step, each of shape (B, T + 1)."""
        generator = np.random.default_rng(seed_of("batches", seed))
        for _ in range(steps):
            windows = random_windows(
                self.corpus.train,
                count=self.batch,
                length=self.context + 1,
                generator=generator,
            )
            yield torch.from_numpy(windows)

    def loss(self, model: nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy in nats of the windows' next tokens."""
        logits = model(windows[:, :-1])
        return F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())

    def held_out_loss(self, model: nn.Module, *, windows: slice = slice(None)) -> float:
        """Return the mean cross-entropy in nats on the held-out windows, or on a slice of them."""
        held_out = self._held_out[windows]
        model.eval()
        with torch.no_grad():
            parts = torch.split(held_out, _EVALUATION_BATCH)
            total = sum(len(part) * self.loss(model, part).item() for part in parts)
        model.train()
        return total / len(held_out)

    @cached_property
    def _held_out(self) -> torch.Tensor:
        windows = even_windows(
            self.corpus.held_out,
            count=math.ceil(self.held_out_tokens / self.context),
            length=self.context + 1,
        )
        return torch.from_numpy(windows)
