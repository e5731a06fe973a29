"""The runs of one scheme, gathered by width and learning rate.

A cell is one (width, learning rate); x is the learning rate as log2.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from ..statistics.table import Observation, RunTable


@dataclass(frozen=True)
class Cell:
    """Hold the runs of one width at one learning rate.

    Attributes:
        width: Width n.
        x: Learning rate as log2.
        lr: Learning rate.
        runs: (seed, final loss) of every run that finished, by seed.
        diverged: Number of runs that did not.
    """

    width: int
    x: float
    lr: float
    runs: tuple[tuple[int, float], ...]
    diverged: int

    @property
    def losses(self) -> tuple[float, ...]:
        """The final losses of the runs that finished."""
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
        """The mean over the runs that finished, or None if none did."""
        if not self.runs:
            return None
        return sum(loss / len(self.runs) for loss in self.losses)  # a sum of 1e308s overflows


def finished(row: Observation) -> bool:
    """Return whether a run ended with a loss that may be compared.

    Example:
        >>> finished(Observation("mup", 64, 0.1, 0, 2.5))
        True
        >>> finished(Observation("mup", 64, 9.0, 0, None, diverged=True))
        False
    """
    return not row.diverged and row.loss is not None and math.isfinite(row.loss)


def gather(table: RunTable, scheme: str) -> tuple[Cell, ...]:
    """Return the cells of a scheme, by width and learning rate.

    Arguments:
        table: The runs of a study.
        scheme: The scheme whose runs are wanted.

    Example:
        >>> rows = (Observation("mup", 64, 0.25, 0, 2.5), Observation("mup", 64, 0.25, 1, None))
        >>> gather(RunTable(rows), "mup")
        (Cell(width=64, x=-2.0, lr=0.25, runs=((0, 2.5),), diverged=1),)
    """
    groups: dict[tuple[int, float], list[Observation]] = defaultdict(list)
    for row in table.observations:
        if row.scheme == scheme:
            groups[row.size, row.lr].append(row)
    return tuple(_cell(*key, groups[key]) for key in sorted(groups))


def _cell(width: int, lr: float, rows: list[Observation]) -> Cell:
    runs = sorted(
        (row.seed, float(row.loss)) for row in rows if finished(row) and row.loss is not None
    )
    return Cell(width, math.log2(lr), lr, tuple(runs), len(rows) - len(runs))
