"""Time for answers that may be out of reach."""

import time
from dataclasses import dataclass


class OutOfBudgetError(Exception):
    """The answer would take longer than allowed."""


@dataclass(frozen=True)
class Deadline:
    """Say until when to compute, in seconds of `time.monotonic`."""

    at: float = float("inf")

    def check(self) -> None:
        """Raise OutOfBudgetError once it has passed."""
        if time.monotonic() > self.at:
            raise OutOfBudgetError
