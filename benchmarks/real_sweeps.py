"""Find the sweeps in tables of real runs: learning rates at several sizes, all else being equal.

A table is a CSV file with a run per row: columns `lr` and `loss`, one for what grows (see `AXIS`),
`seed` where runs were repeated, and settings. Rows that agree in every setting make up a sweep.
"""

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrtransfer.statistics.axis import AxisName, check_axis

AXIS = {  # columns whose values are sizes, the most telling first
    "params": "params",
    "width": "width",
    "depth": "depth",
    "tokens": "tokens",
    "steps": "steps",
    "batch": "batch_size",
}
FOLLOWS = {  # columns that change along an axis and are no settings of it
    "params": {"width", "depth", "model"},
    "width": {"params", "model"},
    "depth": {"params", "model"},
    "tokens": {"steps", "chinchilla"},
    "steps": {"tokens", "chinchilla"},
    "batch": {"steps"},
}
MIN_SIZES = 4  # one is left out, and a trend with a bend needs three
NEAR = 0.05  # ratios within this share of each other are one setting
_RUN = {"lr", "loss", "seed"}

Row = Mapping[str, str]


@dataclass(frozen=True)
class Run:
    """One training run; a loss of NaN or infinity is one that diverged."""

    size: int
    lr: float
    loss: float


@dataclass(frozen=True)
class Sweep:
    """Runs that differ in size and learning rate alone."""

    title: str
    axis: str
    runs: tuple[Run, ...]

    @property
    def sizes(self) -> list[int]:
        """Sizes, increasing."""
        return sorted({run.size for run in self.runs})

    @property
    def along(self) -> AxisName:
        """The product's name of the axis."""
        return check_axis(self.axis, "benchmarks.real_sweeps")

    def rows(self, sizes: Sequence[int]) -> list[dict[str, float]]:
        """Return the runs of some sizes, repeats numbered as seeds."""
        seen: defaultdict[tuple[int, float], int] = defaultdict(int)
        rows = []
        for run in self.runs:
            if run.size in sizes:
                seed = seen[run.size, run.lr]
                seen[run.size, run.lr] += 1
                rows.append({self.along: run.size, "lr": run.lr, "loss": run.loss, "seed": seed})
        return rows


def find_sweeps(
    path: Path, *, along: str | None = None, within: Sequence[str] | None = None
) -> Iterator[Sweep]:
    """Yield the sweeps of a table that have at least `MIN_SIZES` sizes.

    Arguments:
        path: The table.
        along: Axis to look along; by default every one whose column the table has.
        within: Columns, or ratios `a/b` of two, that are equal in a sweep; by default all but
            those of the run and those that follow from the axis.
    """
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    found: set[frozenset[int]] = set()  # a sweep that two axes find counts once
    for axis, column in AXIS.items():
        if along not in (None, axis) or not table or column not in table[0]:
            continue
        settings = list_settings(table[0], axis) if within is None else within
        for key, chosen in group(table, settings):
            rows = [table[number] for number in chosen]
            runs = tuple(read_runs(rows, column))
            if count_sizes(runs) >= MIN_SIZES and frozenset(chosen) not in found:
                found.add(frozenset(chosen))
                yield Sweep(f"{path.stem}: {axis} at {key}" if key else path.stem, axis, runs)


def list_settings(row: Row, axis: str) -> list[str]:
    """Return the columns that are equal in a sweep along an axis."""
    return [name for name in row if name not in _RUN | {AXIS[axis]} | FOLLOWS[axis]]


def group(table: Sequence[Row], settings: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Yield the numbers of the rows that agree in the settings, named by those that vary."""
    levels = {name: read_levels(table, name) for name in settings}
    varying = [name for name in settings if len(set(levels[name])) > 1]
    groups: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number in range(len(table)):
        groups[tuple(levels[name][number] for name in varying)].append(number)
    for key, chosen in sorted(groups.items()):
        yield ", ".join(f"{n}={v}" for n, v in zip(varying, key, strict=True)), chosen


def read_levels(table: Sequence[Row], name: str) -> list[str]:
    """Return the value of a setting in every row; ratios that are nearly equal become one."""
    above, slash, below = name.partition("/")
    if not slash:
        return [row[name] for row in table]
    ratios = [float(row[above]) / float(row[below]) for row in table]
    level: dict[float, str] = {}
    first = -math.inf
    for ratio in sorted(set(ratios)):
        first = ratio if ratio > first * (1 + NEAR) else first
        level[ratio] = f"{first:.3g}"
    return [level[ratio] for ratio in ratios]


def read_runs(rows: Sequence[Row], column: str) -> Iterator[Run]:
    """Yield the runs of rows; an empty loss is a run that was not made."""
    for row in rows:
        if row["loss"]:
            yield Run(round(float(row[column])), float(row["lr"]), float(row["loss"]))


def count_sizes(runs: Sequence[Run]) -> int:
    """Return at how many sizes at least two rates gave a finite loss."""
    rates = defaultdict(set)
    for run in runs:
        if math.isfinite(run.loss):
            rates[run.size].add(run.lr)
    return sum(len(found) >= 2 for found in rates.values())
