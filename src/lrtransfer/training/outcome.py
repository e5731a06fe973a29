"""What came of training one model. Loads no torch."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["finished", "non-finite", "worse-than-init"]


@dataclass(frozen=True)
class Outcome:
    """What came of a run: equal runs have equal outcomes, bit for bit.

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

    @property
    def diverged(self) -> bool:
        """Whether it ended in divergence."""
        return self.status != "finished"
