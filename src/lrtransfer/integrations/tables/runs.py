"""Runs made anywhere, as observations.

A run whose loss is NaN or infinite diverged; one without a loss, or that a tracker calls failed,
was not made. Trackers write parameters and metrics under names of their own (W&B, MLflow,
TensorBoard, Optuna): `columns` knows the usual ones.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import TableError
from ...statistics.axis import AxisName, check_axis
from ...statistics.table import Observation, RunTable
from .cells import parse_loss, parse_number, require_number
from .columns import is_unfinished, match_columns, read_state
from .controlled import TableRun, controlled_fields, keep_comparable
from .files import RowCells, read_cells

ALL = "all"  # the scheme of runs without one


@dataclass(frozen=True)
class Runs:
    """The runs of a table, and what is to be said of them.

    Attributes:
        table: One observation per run.
        conditions: What all runs have in common, for people.
        warnings: What was left out, guessed or is not comparable, one line each.
    """

    table: RunTable
    conditions: str
    warnings: tuple[str, ...]


def read_runs(
    path: Path, *, columns: Mapping[str, str] | None = None, along: AxisName = "width"
) -> Runs:
    """Read the runs of a file.

    Arguments:
        path: CSV, JSON lines, JSON or Parquet.
        columns: Names of the columns by field, for those that are not known by their usual names.
        along: Axis whose field is the size of a run.

    Raises:
        TableError: If the file or a column cannot be used, or a cell is no number.
    """
    return parse_runs(read_cells(path), name=path.name, columns=columns, along=along)


def parse_runs(
    rows: Sequence[RowCells],
    *,
    name: str,
    columns: Mapping[str, str] | None = None,
    along: AxisName = "width",
) -> Runs:
    """Read runs from rows of named cells.

    Arguments:
        rows: One mapping per run.
        name: What to call the table in messages.
        columns: As in `read_runs`.
        along: As in `read_runs`.

    Raises:
        TableError: If a column is missing or a cell is no number.

    Example:
        >>> parse_runs([{"d_model": 64, "lr": 0.01, "loss": 3.2}], name="mine").table.schemes
        ('all',)
        >>> rows = [{"steps": 500, "lr": 0.01, "loss": 3.2}]
        >>> parse_runs(rows, name="mine", along="steps").table.observations[0].size
        500
    """
    along = check_axis(along, "along")
    names = match_columns(list(dict.fromkeys(c for row in rows for c in row)), columns or {}, along)
    warnings = [f"read {field} from column {c!r}" for field, c in names.items() if field != c]
    runs, left_out = list[TableRun](), Counter[str]()
    for number, row in enumerate(rows, start=1):
        run = _parse_run(row, names, f"{name}, row {number}", along)
        if isinstance(run, str):
            left_out[run] += 1
        else:
            runs.append(run)
    warnings += [f"{count} rows {why}, and count as not made" for why, count in left_out.items()]
    if not runs:
        raise TableError(
            f"runs: got {name} in which no row has a loss, wanted finished runs. "
            f"{'; '.join(warnings)}."
        )
    runs, notes, conditions = keep_comparable(runs, along)
    observations, more = _number_seeds(runs)
    diverged = sum(row.diverged for row in observations)
    if diverged:
        more.append(f"{diverged} runs diverged (their loss is NaN or infinite)")
    return Runs(RunTable(observations), conditions, (*warnings, *notes, *more))


def _parse_run(
    row: RowCells, names: Mapping[str, str], where: str, along: AxisName
) -> TableRun | str:
    """Return the run of a row, or why it was not made."""
    cells = {field: row.get(name) for field, name in names.items()}
    state = read_state(cells.get("state"))
    loss = parse_loss(cells["loss"], f"loss in {where}")
    if is_unfinished(state) and (loss is None or math.isfinite(loss)):
        return f"are called {state}"
    if loss is None:
        return "have no loss"
    size, lr = (require_number(cells[field], field, where) for field in (along, "lr"))
    seed = parse_number(cells.get("seed"), f"seed in {where}")
    if size % 1 or (seed is not None and seed % 1):
        raise TableError(
            f"runs: got {along} {size} and seed {seed} in {where}, wanted whole numbers."
        )
    scheme = str(cells.get("scheme") or ALL)
    controlled = tuple(
        parse_number(cells.get(field), f"{field} in {where}") for field in controlled_fields(along)
    )
    is_finite = math.isfinite(loss)
    observation = Observation(
        scheme, int(size), lr, int(seed or 0), loss if is_finite else None, not is_finite
    )
    return TableRun(observation=observation, controlled=controlled, has_seed=seed is not None)


def _number_seeds(runs: list[TableRun]) -> tuple[tuple[Observation, ...], list[str]]:
    """Number repeated runs of a table without seeds by their order; drop repeated rows."""
    seen, observations = Counter[tuple[str, int, float]](), list[Observation]()
    numbered = False
    for run in runs:
        row = run.observation
        if not run.has_seed:
            key = (row.scheme, row.size, row.lr)
            row = replace(row, seed=seen[key])
            seen[key] += 1
            numbered |= seen[key] > 1
        observations.append(row)
    notes = []
    if numbered:
        notes.append(
            "there is no seed: repeated runs are numbered in the order of the table, and the k-th "
            "runs of all learning rates are taken to share a seed"
        )
    return tuple(dict.fromkeys(observations)), notes
