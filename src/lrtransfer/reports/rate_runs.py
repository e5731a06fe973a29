"""The runs of one scheme, grouped by size and learning rate.

x is the learning rate as log2.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from ..statistics.table import Observation, RunTable


@dataclass(frozen=True)
class RateRuns:
    """The runs of one size at one learning rate.

    Attributes:
        size: Size n.
        x: Learning rate as log2.
        lr: Learning rate.
        runs: (seed, final loss) of every run that did not diverge, by seed.
        diverged: Number of runs that did.
    """

    size: int
    x: float
    lr: float
    runs: tuple[tuple[int, float], ...]
    diverged: int

    @property
    def losses(self) -> tuple[float, ...]:
        """The final losses of the runs that did not diverge."""
        return tuple(loss for _, loss in self.runs)

    @property
    def total(self) -> int:
        """The number of runs made."""
        return len(self.runs) + self.diverged

    @property
    def median(self) -> float:
        """The median over seeds; a diverged run counts as +inf."""
        return median([*self.losses, *[math.inf] * self.diverged])

    @property
    def mean(self) -> float | None:
        """The mean over the runs that did not diverge, or None if all did."""
        if not self.runs:
            return None
        return sum(loss / len(self.runs) for loss in self.losses)  # a sum of 1e308s overflows


def read_run_loss(row: Observation) -> float | None:
    """Return the final loss of a run, None if it diverged.

    Example:
        >>> read_run_loss(Observation("mup", 64, 0.1, 0, 2.5))
        2.5
        >>> read_run_loss(Observation("mup", 64, 9.0, 0, math.inf)) is None
        True
    """
    if row.diverged or row.loss is None or not math.isfinite(row.loss):
        return None
    return float(row.loss)


def group_by_rate(table: RunTable, scheme: str) -> tuple[RateRuns, ...]:
    """Return the runs of a scheme, by size and learning rate.

    Arguments:
        table: The runs of a study.
        scheme: The scheme.

    Example:
        >>> rows = (Observation("mup", 64, 0.25, 0, 2.5), Observation("mup", 64, 0.25, 1, None))
        >>> group_by_rate(RunTable(rows), "mup")
        (RateRuns(size=64, x=-2.0, lr=0.25, runs=((0, 2.5),), diverged=1),)
    """
    groups: dict[tuple[int, float], list[Observation]] = defaultdict(list)
    for row in table.observations:
        if row.scheme == scheme:
            groups[row.size, row.lr].append(row)
    return tuple(_summarize(*key, groups[key]) for key in sorted(groups))


def _summarize(size: int, lr: float, rows: list[Observation]) -> RateRuns:
    runs = sorted((row.seed, loss) for row in rows if (loss := read_run_loss(row)) is not None)
    return RateRuns(size, math.log2(lr), lr, tuple(runs), len(rows) - len(runs))
