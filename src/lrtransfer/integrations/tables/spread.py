"""Losses that are means over seeds, with their standard deviation in a column of its own."""

import re
from dataclasses import replace

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from .attempts import Attempts
from .cells import combine_codes
from .columns import Fields
from .names import ColumnName, read_name
from .numbers import NumberColumn, parse_numbers

_DEVIATION = re.compile(r"(.+_)?(std|sd|stdev|stddev|std_dev|standard_deviation)(_.+)?")
_ERROR = re.compile(r"(.+_)?(sem|stderr|std_err|standard_error|se)(_.+)?")
_COUNTS = frozenset({"n_seeds", "num_seeds", "n_runs", "num_runs", "seeds", "n", "count"})


def use_spread(attempts: Attempts, fields: Fields) -> tuple[Attempts, list[str]]:
    """Return the runs with the standard errors of their losses, where the table has them.

    A standard deviation is divided by the root of the number of runs, if a column has that; else it
    is taken as it is, which is too large rather than too small.

    Arguments:
        attempts: The runs, a row each.
        fields: The columns of their table by field.

    Raises:
        TableError: If a standard deviation is no number, or negative.
    """
    names = [read_name(column) for column in fields.cells.columns]
    loss = fields.names["loss"]
    found = [name for name in names if name != loss and _is_of(name, loss, _DEVIATION, _ERROR)]
    if not found:
        return attempts, []
    name = found[0]
    if combine_codes(attempts.point, attempts.setting).max(initial=-1) + 1 < len(attempts):
        return attempts, [
            f"column {name.column!r} is ignored: the noise is judged by the scatter of the runs"
        ]
    error = _read(fields, name, attempts)
    count = next((each for each in names if _COUNTS & set(each.terms)), None)
    is_deviation = _is_of(name, loss, _DEVIATION)
    told = f"read the noise of the losses from column {name.column!r}"
    if is_deviation and count is not None:
        error = error / np.sqrt(np.maximum(_read(fields, count, attempts), 1))
        told += f", for means of as many runs as column {count.column!r} says"
    return replace(attempts, error=error), [told]


def _is_of(name: ColumnName, loss: ColumnName, *patterns: re.Pattern[str]) -> bool:
    """Tell whether a column is called like the spread of the losses, and of nothing else."""
    for pattern in patterns:
        if match := pattern.fullmatch(name.terms[-1]):
            rest = "_".join(part.strip("_") for part in match.group(1, 3) if part)
            return not rest or rest in {loss.terms[-1], "loss"}
    return False


def _read(fields: Fields, name: ColumnName, attempts: Attempts) -> FloatArray:
    column = fields.cells.columns[name.column]
    numbers: NumberColumn = parse_numbers(column, comma=fields.comma)
    wrong = numbers.is_wrong | (numbers.values < 0)
    if (rows := np.flatnonzero(wrong[attempts.row])).size:
        row = int(attempts.row[rows[0]])
        raise TableError(
            f"runs: got {name.column} in {fields.cells.locate(row)}: {str(column[row])[:40]!r}, "
            "wanted a number that is not negative, or a blank cell. Correct it."
        )
    values: FloatArray = numbers.values[attempts.row]
    return values
