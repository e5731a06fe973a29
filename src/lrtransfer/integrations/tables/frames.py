"""Data frames of pandas, polars and pyarrow, as text."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import TableError
from .cells import Cells, TextColumn
from .objects import is_missing, object_cells, write_cell


def frame_cells(runs: Any, name: str) -> Cells:
    """Return the table of a data frame, or of rows as mappings.

    Arguments:
        runs: The frame or the rows.
        name: What to call the table in messages.

    Raises:
        TableError: If it is neither, or has no row.
    """
    if isinstance(runs, pa.Table):
        cells = arrow_cells(runs, name)
    elif hasattr(runs, "to_arrow"):  # polars
        cells = arrow_cells(runs.to_arrow(), name)
    elif hasattr(runs, "iloc"):  # pandas
        cells = _pandas_cells(runs, name)
    else:
        cells = _row_cells(runs, name)
    if not len(cells):
        raise TableError(_describe(runs))
    return cells


def arrow_cells(table: pa.Table, name: str) -> Cells:
    """Return the table of pyarrow's; structures become columns with dots in their names.

    Arguments:
        table: The table.
        name: What to call it in messages.

    Raises:
        TableError: If two columns have one name.
    """
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    _check_names(table.column_names, name)
    columns = {
        field.name: _write_column(table[field.name].combine_chunks()) for field in table.schema
    }
    return Cells(name=name, columns=columns, rows=np.arange(1, table.num_rows + 1))


def _write_column(column: Any) -> TextColumn:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        text = pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        text = pa.array([write_cell(value) for value in column.to_pylist()], pa.string())
    return text


def _pandas_cells(frame: Any, name: str) -> Cells:
    if any(level is not None for level in frame.index.names):  # a named index holds columns, too
        frame = frame.reset_index()
    names = [str(column) for column in frame.columns]
    _check_names(names, name)
    columns = {column: _write_series(frame.iloc[:, place]) for place, column in enumerate(names)}
    return Cells(name=name, columns=columns, rows=np.arange(1, len(frame) + 1))


def _write_series(series: Any) -> TextColumn:
    """Return a column of pandas. NaN is a number among numbers, and a blank among texts."""
    values = series.to_numpy()
    if values.dtype.kind in "fiub":
        return _write_column(pa.array(values))
    has_text = any(isinstance(value, str) for value in values)
    cells = (None if has_text and is_missing(value) else write_cell(value) for value in values)
    return pa.array(list(cells), pa.string())


def _row_cells(runs: Any, name: str) -> Cells:
    if hasattr(runs, "to_dicts"):
        runs = runs.to_dicts()
    elif hasattr(runs, "to_dict"):
        runs = runs.to_dict("records")
    rows = list(runs) if isinstance(runs, Iterable) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise TableError(_describe(runs))
    try:
        return object_cells(rows, name)
    except ValueError as error:
        raise TableError(f"runs: got {error}. Correct the rows.") from None


def _check_names(names: list[str], name: str) -> None:
    for column in names:
        if names.count(column) > 1:
            raise TableError(
                f"runs: got {names.count(column)} columns named {column!r} in {name}, wanted each "
                "name once. Rename or remove all but one."
            )


def _describe(runs: Any) -> str:
    return (
        f"verdict: got {type(runs).__name__}, wanted a file, a data frame, a RunTable, or rows "
        "such as {'width': 64, 'lr': 0.01, 'loss': 3.2}."
    )
