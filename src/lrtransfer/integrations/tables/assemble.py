"""From the cells of rows that are runs to arrays of numbers, each cell checked."""

from collections.abc import Sequence

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.axis import AxisName
from ...statistics.rows import HIGHEST_RATE, LOWEST_RATE
from ...statistics.table import Int64Array
from .attempts import Attempts, merge_lengths
from .cells import label
from .columns import Fields
from .controlled import controlled_fields
from .outcomes import Outcomes
from .selection import name_groups

ALL = "all"  # the scheme of runs without one
LARGEST_WHOLE = 2.0**53  # beyond it floats leave out whole numbers
_LENGTHS = frozenset({"steps", "tokens"})


def make_attempts(
    fields: Fields, outcomes: Outcomes, along: AxisName, groups: Sequence[str]
) -> Attempts:
    """Return the runs of a table.

    Arguments:
        fields: Its columns by field.
        outcomes: What came of each row.
        along: Axis whose field is the size of a run.
        groups: Columns of settings whose values are schemes.

    Raises:
        TableError: If a cell of a run is no number, or a size or seed is not whole.
    """
    rows = np.flatnonzero(outcomes.is_run)
    size = _read_needed(fields, along, rows)
    lr = _read_needed(fields, "lr", rows)
    seed = _read_seeds(fields, rows)
    _require_whole(fields, along, rows, size, seed)
    _require_possible(fields, along, rows, size, lr)
    controlled = {
        field: _read(fields, field, rows) for field in controlled_fields(along) if field in fields
    }
    schemes, scheme = _read_schemes(fields, rows, groups)
    return Attempts(
        schemes=schemes,
        row=rows,
        scheme=scheme,
        size=merge_lengths(size) if along in _LENGTHS else size,
        lr=lr,
        seed=seed,
        loss=outcomes.loss[rows],
        error=np.full(len(rows), np.nan),
        controlled={f: merge_lengths(v) if f in _LENGTHS else v for f, v in controlled.items()},
    )


def _read_needed(fields: Fields, field: str, rows: Int64Array) -> FloatArray:
    values = _read(fields, field, rows)
    if (blank := np.flatnonzero(np.isnan(values))).size:
        row = int(rows[blank[0]])
        text = fields.cells.columns[fields.names[field].column][row].as_py()
        raise TableError(
            f"runs: got {field} {text or ''!r} in {fields.cells.locate(row)}, wanted a finite "
            "number. Fill it in or remove the row."
        )
    return values


def _read(fields: Fields, field: str, rows: Int64Array) -> FloatArray:
    """Return the finite numbers of a field, NaN where a cell is blank or there is no column."""
    if field not in fields:
        return np.full(len(rows), np.nan)
    numbers = fields.numbers(field)
    values: FloatArray = numbers.values[rows]
    if (wrong := np.flatnonzero(numbers.is_wrong[rows] | np.isinf(values))).size:
        row = int(rows[wrong[0]])
        text = str(fields.cells.columns[fields.names[field].column][row])[:40]
        kind = "a finite number" if np.isinf(values[wrong[0]]) else "a number"
        raise TableError(
            f"runs: got {field} in {fields.cells.locate(row)}: {text!r}, wanted {kind} or a blank "
            "cell. Correct it or remove the row."
        )
    return values


def _read_seeds(fields: Fields, rows: Int64Array) -> FloatArray:
    """Return the seeds, numbered where they are too large for a float, as random ones are."""
    seed = _read(fields, "seed", rows)
    if not (np.abs(seed) >= LARGEST_WHOLE).any():
        return seed
    codes = label(fields.cells.columns[fields.names["seed"].column]).codes[rows]
    return np.where(codes < 0, np.nan, codes)


def _require_whole(
    fields: Fields, along: AxisName, rows: Int64Array, size: FloatArray, seed: FloatArray
) -> None:
    whole = (size % 1 == 0) & (np.abs(size) < LARGEST_WHOLE)
    whole &= np.isnan(seed) | (seed % 1 == 0)
    if (wrong := np.flatnonzero(~whole)).size:
        first = wrong[0]
        number = None if np.isnan(seed[first]) else float(seed[first])
        raise TableError(
            f"runs: got {along} {float(size[first])} and seed {number} in "
            f"{fields.cells.locate(int(rows[first]))}, wanted whole numbers below 2^53. Correct "
            "the row, or name another column with --columns."
        )


def _require_possible(
    fields: Fields, along: AxisName, rows: Int64Array, size: FloatArray, lr: FloatArray
) -> None:
    possible = (size > 0) & (lr >= LOWEST_RATE) & (lr <= HIGHEST_RATE)
    if (wrong := np.flatnonzero(~possible)).size:
        first = wrong[0]
        raise TableError(
            f"runs: got {along} {size[first]:.15g} and lr {lr[first]:.15g} in "
            f"{fields.cells.locate(int(rows[first]))}, wanted a positive {along} and a positive "
            "learning rate between 2^-100 and 2^100. Correct or remove the row; a column of "
            "logarithms is read if it is called log2_lr, log10_lr or ln_lr."
        )


def _read_schemes(
    fields: Fields, rows: Int64Array, groups: Sequence[str]
) -> tuple[tuple[str, ...], Int64Array]:
    columns = [fields.names["scheme"].column] if "scheme" in fields else []
    if groups:
        labels = name_groups(fields.cells, groups)
        schemes, codes = labels.names, labels.codes[rows]
        if not columns:
            return schemes, codes
        own = label(fields.cells.columns[columns[0]])
        names = (*own.names, ALL)
        pairs, code = np.unique(np.stack((own.codes[rows], codes)), axis=1, return_inverse=True)
        return tuple(f"{names[i]}, {schemes[j]}" for i, j in pairs.T), code.reshape(-1)
    if not columns:
        return (ALL,), np.zeros(len(rows), dtype=np.int64)
    own = label(fields.cells.columns[columns[0]])
    codes = own.codes[rows]
    return (*own.names, ALL), np.where(codes < 0, len(own.names), codes)
