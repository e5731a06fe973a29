"""A time budget for computations that may take too long."""

import time
from dataclasses import dataclass


class OutOfBudgetError(Exception):
    """An exact answer that would take longer than its time budget."""


@dataclass(frozen=True)
class Deadline:
    """End of a time budget.

    Attributes:
        at: Seconds of `time.monotonic`; by default never.
    """

    at: float = float("inf")

    def check(self) -> None:
        """Raise OutOfBudgetError if the deadline has passed."""
        if time.monotonic() > self.at:
            raise OutOfBudgetError
