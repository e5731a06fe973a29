"""The settings of training: length, batch, schedule, and how steps are computed."""

import re
from typing import Annotated, Literal, Self

from pydantic import model_validator

from ..settings import OBJECT_REFERENCE, Count, Option, Positive, Settings, Share

LOSSES = ("cross-entropy", "squared-error")


class TrainingConfig(Settings):
    """Length, batch and learning-rate schedule of every run, and how steps are computed.

    A batch counts sequences (or examples) per step, computed in `accumulate` parts. `decay_share`
    is the share of the steps in which `wsd` decays; `clip` the largest norm of the gradient.
    """

    steps: Annotated[Count, Option("Training steps of every run.")] = 100
    batch: Count = 8
    accumulate: Count = 1
    warmup_share: Share = 0.08
    schedule: Literal["linear", "constant", "cosine", "wsd"] = "linear"
    decay_share: Share = 0.2
    final_factor: Share = 1e-4
    clip: Positive | None = None
    precision: Literal["float32", "bfloat16", "float64"] = "float32"
    loss: str = "cross-entropy"

    @model_validator(mode="after")
    def _require_equal_parts(self) -> Self:
        if self.batch % self.accumulate:
            raise ValueError(
                f"got batch = {self.batch} and accumulate = {self.accumulate}, wanted a batch "
                "that divides into equal parts"
            )
        if self.loss not in LOSSES and not re.fullmatch(OBJECT_REFERENCE, self.loss):
            raise ValueError(
                f"got loss = {self.loss!r}, wanted cross-entropy, squared-error or "
                "pkg.module:function"
            )
        return self
