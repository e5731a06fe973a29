"""Runs over two sizes at once: the cells of a table, and what must be equal in all of them.

One of the two sizes is a controlled variable along the axis of the other: tokens along parameters,
width along depth, batch size along width. Then it is no longer held but varied.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import TableError
from ...statistics.axis import AXES, AxisName, check_axis
from ...statistics.joint import CellTable
from ...statistics.surface import Axes
from .cells import Cells
from .controlled import controlled_fields
from .files import read_cells
from .frames import frame_cells
from .runs import Reading, compare_runs, find_runs
from .split import split_cells


@dataclass(frozen=True)
class PairRuns:
    """The runs of a table by cells; fields as in `Runs`."""

    table: CellTable
    conditions: str
    warnings: tuple[str, ...]
    rows: int


def read_pairs(source: Any, *, along: tuple[str, str], **options: Any) -> PairRuns:
    """Read runs over two sizes.

    Arguments:
        source: A file, a data frame, or rows of named cells.
        along: The two axes.
        **options: Those of `Reading`, but for `along`.

    Raises:
        TableError: If the file, a column or a cell cannot be used, or the axes cannot be paired.

    Example:
        >>> rows = [{"params": n, "tokens": d, "lr": 0.1, "loss": 3.0}
        ...         for n in (1000, 2000) for d in (8000, 16000)]
        >>> read_pairs(rows, along=("params", "tokens")).table.cells
        ((1000, 8000), (1000, 16000), (2000, 8000), (2000, 16000))
    """
    first, second = _order(along)
    cells: Cells = read_cells(source) if isinstance(source, Path) else frame_cells(source, "runs")
    reading = Reading(along=first, **options)
    attempts, notes, rows = find_runs(cells, reading)
    attempts, pairs = split_cells(attempts, second)
    runs = compare_runs(attempts, notes, rows, reading)
    if first != along[0]:
        pairs = tuple((b, a) for a, b in pairs)
        first, second = second, first
    table = CellTable(runs=runs.table, cells=pairs, axes=(first, second))
    return PairRuns(table, runs.conditions, runs.warnings, rows)


def _order(along: tuple[str, str]) -> Axes:
    """Return two axes so that the second is a controlled variable along the first."""
    one, other = (check_axis(name.strip(), "along") for name in along)
    for first, second in ((one, other), (other, one)):
        if first != second and second in controlled_fields(first):
            return first, second
    raise TableError(
        f"along: got {one} and {other}, wanted two sizes that can vary apart, such as "
        f"params,tokens or width,batch. Choose two of {', '.join(AXES)}."
    )


def name_target(values: Mapping[str, int], axes: tuple[AxisName, AxisName]) -> tuple[int, int]:
    """Return the sizes of a target given by the names of its axes.

    Raises:
        TableError: If it names other axes.

    Example:
        >>> name_target({"tokens": 20, "params": 1}, ("params", "tokens"))
        (1, 20)
    """
    if set(values) != set(axes):
        raise TableError(
            f"target: got {', '.join(values) or 'nothing'}, wanted a size for each of "
            f"{' and '.join(axes)}, such as {axes[0]}=1000,{axes[1]}=2000."
        )
    return values[axes[0]], values[axes[1]]
