"""Runs made anywhere, as outcomes.

A run whose loss is NaN or infinite diverged; one without a loss, or that a tracker does not call
finished, was not made. Trackers write parameters and metrics under names of their own (W&B, MLflow,
TensorBoard, Optuna, Ray, syne-tune): `names` knows the usual ones.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.axis import AxisName, check_axis
from ...statistics.curves.columns import BoolArray
from ...statistics.joint import CellTable
from ...statistics.table import Int64Array, RunColumns, RunTable
from .assemble import make_attempts
from .attempts import Attempts, merge_lengths, note_merged
from .cells import Cells, combine_codes, encode, label
from .columns import Fields, match_columns
from .controlled import keep_comparable
from .doubts import note_score, refuse_same_values
from .files import read_cells
from .frames import frame_cells
from .histories import Marks, keep_last_rows
from .names import FIELD_NAMES
from .outcomes import read_outcomes
from .selection import ANY, find_column, select_rows
from .split import split_cells, take_batches
from .spread import use_spread
from .varying import check_varying


@dataclass(frozen=True)
class Runs:
    """The runs of a table, and what is to be said of them.

    Attributes:
        table: One outcome per run.
        conditions: What all runs have in common, for people.
        warnings: What was left out, guessed or is not comparable, one line each.
        rows: How many rows there were, used or not.
        by_batch: The runs by size and batch size, at the training lengths that are judged, where
            some size has three batches or more; their second size is the batch.
    """

    table: RunTable
    conditions: str
    warnings: tuple[str, ...]
    rows: int
    by_batch: CellTable | None = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a table is read.

    Attributes:
        columns: Names of columns by field, for those that are not known by their usual names.
        along: Axis whose field is the size of a run.
        where: Values by column or field of the rows that count; `*` is any value.
        group_by: Columns or fields of settings, each judged by itself.
        maximize: Whether the loss is a score, of which more is better.
        any_sign: Whether losses of 0 and below are judged, by a tolerance in units of the loss.
    """

    columns: Mapping[str, str] | None = None
    along: AxisName = "width"
    where: Mapping[str, Any] | None = None
    group_by: Sequence[str] = ()
    maximize: bool = False
    any_sign: bool = False


def read_runs(path: Path, **options: Any) -> Runs:
    """Read the runs of a file.

    Arguments:
        path: CSV, JSON lines, JSON or Parquet.
        **options: Those of `Reading`.

    Raises:
        TableError: If the file or a column cannot be used, or a cell is no number.
    """
    reading = Reading(**options)
    return compare_runs(
        *find_runs(read_cells(path), reading), reading
    )  # the cells are freed between


def parse_runs(rows: Any, *, name: str, **options: Any) -> Runs:
    """Read runs from a data frame, or rows of named cells.

    Arguments:
        rows: A data frame of pandas, polars or pyarrow, or one mapping per run.
        name: What to call the table in messages.
        **options: Those of `Reading`.

    Raises:
        TableError: If a column is missing or a cell is no number.

    Example:
        >>> parse_runs([{"d_model": 64, "lr": 0.01, "loss": 3.2}], name="mine").table.schemes
        ('all',)
        >>> rows = [{"steps": 500, "lr": 0.01, "loss": 3.2}]
        >>> parse_runs(rows, name="mine", along="steps").table.observations[0].size
        500
    """
    reading = Reading(**options)
    return compare_runs(*find_runs(frame_cells(rows, name), reading), reading)


def find_runs(cells: Cells, reading: Reading) -> tuple[Attempts, list[str], int]:
    """Return the runs of a table, a row each, what is to be said of it, and its number of rows."""
    where, rows = reading.where or {}, len(cells)
    cells = select_rows(cells, where)
    along = check_axis(reading.along, "along")
    fields = match_columns(cells, reading.columns or {}, along, maximize=reading.maximize)
    outcomes = read_outcomes(fields, maximize=reading.maximize, any_sign=reading.any_sign)
    left_out = [f"{n} rows {why}, and count as not made" for why, n in outcomes.left_out.items()]
    notes = [*cells.notes, *fields.notes(), *left_out, *outcomes.notes]
    if not outcomes.is_run.any():
        raise TableError(
            f"runs: got {cells.name} in which no row has a loss, wanted finished runs. "
            f"{'; '.join(notes)}."
        )
    refuse_same_values(fields, outcomes)
    groups = tuple(find_column(cells, key, "group_by") for key in reading.group_by)
    attempts, notes_on_spread = use_spread(make_attempts(fields, outcomes, along, groups), fields)
    marks = _read_marks(fields, attempts)
    last, notes_on_histories = keep_last_rows(attempts, marks)
    attempts, marks = attempts.take(last), marks.take(last)
    attempts, notes_on_index = _use_index_as_length(attempts, marks)
    read = {name.column for name in fields.names.values()} | set(groups)
    pooled = {find_column(cells, key, "where") for key, value in where.items() if value == ANY}
    notes += [*notes_on_spread, *notes_on_histories, *notes_on_index]
    notes += check_varying(attempts, cells, read, pooled)
    return _pool_seeds(attempts, cells, pooled), notes, rows


def compare_runs(attempts: Attempts, notes: list[str], rows: int, reading: Reading) -> Runs:
    """Return the runs that compare, with numbered seeds."""
    kept, notes_on_settings, conditions = keep_comparable(attempts, reading.along)
    table, notes_on_seeds = _number_seeds(attempts.take(kept).order())
    doubts = [] if reading.maximize else note_score(table)
    diverged = int(np.isinf(table.columns.loss).sum())
    told = [f"{diverged} runs diverged (their loss is NaN or infinite)"] if diverged else []
    warnings = (*notes, *notes_on_settings, *notes_on_seeds, *doubts, *told)
    return Runs(table, conditions, warnings, rows, _find_batches(attempts, kept, reading.along))


def _find_batches(attempts: Attempts, kept: BoolArray, along: AxisName) -> CellTable | None:
    """Return the runs by batch size of the groups that have enough of them."""
    attempts = attempts.take(take_batches(attempts, kept))
    if not len(attempts):
        return None
    attempts, cells = split_cells(attempts, "batch")
    table, _ = _number_seeds(attempts.order())
    return CellTable(runs=table, cells=cells, axes=(along, "batch"))


def _read_marks(fields: Fields, attempts: Attempts) -> Marks:
    """Return what tells the rows of one run from those of another."""
    marks: dict[str, Any] = {}
    if "id" in fields:
        name = fields.names["id"]
        codes = label(fields.cells.columns[name.column]).codes[attempts.row]
        is_name = bool(set(name.terms) & set(FIELD_NAMES["id"][1]))
        marks |= {"id": codes, "id_column": name.column, "is_name": is_name}
    if "index" in fields:
        numbers = fields.numbers("index").values[attempts.row]
        marks |= {"index": numbers, "index_column": fields.names["index"].column}
    return Marks(**marks)


def _use_index_as_length(attempts: Attempts, marks: Marks) -> tuple[Attempts, list[str]]:
    """Take the index of the last rows for the training length, where there is no other."""
    lengths = attempts.controlled.get("steps", np.array([np.nan]))
    if marks.index is None or not np.isnan(lengths).all():
        return attempts, []
    steps = merge_lengths(marks.index)
    notes = [f"read steps from column {marks.index_column!r}", *note_merged("steps", marks.index)]
    return replace(attempts, controlled={**attempts.controlled, "steps": steps}), notes


def _pool_seeds(attempts: Attempts, cells: Cells, pooled: Collection[str]) -> Attempts:
    """Number equal seeds of different settings apart, where these are judged together."""
    if not pooled or np.isnan(attempts.seed).any():
        return attempts
    settings = [label(cells.columns[column]).codes[attempts.row] for column in sorted(pooled)]
    seed = combine_codes(encode(attempts.seed), *settings)
    return replace(attempts, seed=seed.astype(np.float64))


def _number_seeds(attempts: Attempts) -> tuple[RunTable, list[str]]:
    """Number repeated runs of a table without seeds by their order; drop repeated rows."""
    unknown = np.isnan(attempts.seed)
    rows = np.flatnonzero(unknown)
    seed = attempts.seed.copy()
    seed[rows] = _count_before(attempts.point[rows])
    notes = []
    if (seed[rows] > 0).any():
        notes.append(
            "there is no seed: repeated runs are numbered in the order of the table, and the k-th "
            "runs of all learning rates are taken to share a seed"
        )
    attempts, seed, repeats = _drop_repeats(attempts, seed)
    if repeats:
        notes.append(f"{repeats} rows repeat another row and count once")
    columns = RunColumns(
        schemes=attempts.schemes,
        scheme=attempts.scheme,
        size=attempts.size.astype(np.int64),
        lr=attempts.lr,
        seed=seed.astype(np.int64),
        loss=attempts.loss,
        error=None if np.isnan(attempts.error).all() else attempts.error,
    )
    return RunTable(columns), notes


def _drop_repeats(attempts: Attempts, seed: FloatArray) -> tuple[Attempts, FloatArray, int]:
    """Drop rows that say the same of the same run, and return how many there were."""
    run = combine_codes(attempts.point, encode(seed))
    if run.max(initial=-1) + 1 == len(run):
        return attempts, seed, 0
    first = np.sort(np.unique(combine_codes(run, encode(attempts.loss)), return_index=True)[1])
    return attempts.take(first), seed[first], len(run) - len(first)


def _count_before(codes: Int64Array) -> Int64Array:
    """Return how often each code came before, shape of `codes`.

    Example:
        >>> _count_before(np.array([5, 3, 5, 5, 3]))
        array([0, 0, 1, 2, 1])
    """
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(codes)]
    places = np.arange(len(codes))
    start = np.maximum.accumulate(np.where(is_first, places, 0)) if len(codes) else places
    count = np.empty(len(codes), dtype=np.int64)
    count[order] = places - start
    return count
