"""Rows as objects: JSON lines, JSON, and mappings of Python."""

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import TableError
from .cells import Cells

_CHUNK = 50_000  # rows that stand in memory as Python's objects


def read_json_lines(data: bytes, name: str) -> Cells:
    """Return the table of JSON objects, one per line.

    Raises:
        ValueError: If a line is no object.
    """
    return object_cells(_parse_lines(data.decode("utf-8-sig")), name)


def _parse_lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if line.strip():
            try:
                yield _parse(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None


def read_json(data: bytes, name: str) -> Cells:
    """Return the table of a JSON list of objects.

    Raises:
        TableError: If it is the log of one training.
        ValueError: If it is no list of objects.
    """
    document = _parse(data.decode("utf-8-sig"))
    if isinstance(document, dict) and "log_history" in document:
        raise TableError(
            f"runs: got {name}, the log of one training by transformers' Trainer, wanted one row "
            "per run: with the rate that was set (the `learning_rate` of a log is that of the step "
            "just made), and the last `eval_loss`, nan if the run diverged (`loss` is 0.0 then, "
            "and `train_loss` a mean over all steps). Gather such rows of all runs."
        )
    if not isinstance(document, list):
        raise ValueError("no list of objects")
    return object_cells(document, name)


def object_cells(rows: Iterable[Any], name: str) -> Cells:
    """Return the table of rows that are mappings; nested ones get dots in their names.

    Arguments:
        rows: One mapping per run. None is an empty cell; NaN is a number that is none.
        name: What to call the table in messages.

    Raises:
        ValueError: If a row is no mapping.

    Example:
        >>> object_cells([{"config": {"lr": 0.1}}, {"loss": 3}], "mine").columns["config.lr"]
        <pyarrow.lib.StringArray object at 0x...>
        [
          "0.1",
          null
        ]
    """
    tables, columns, count, total = list[pa.Table](), dict[str, list[str | None]](), 0, 0
    for value in rows:
        if not isinstance(value, Mapping):
            raise ValueError(f"{str(value)[:40]!r} is no object with columns")
        for key, text in _flatten(value):
            cells = columns.setdefault(key, [])
            if len(cells) > count:
                raise ValueError(f"row {total + 1} names {key!r} twice")
            cells += [None] * (count - len(cells))
            cells.append(text)
        count, total = count + 1, total + 1
        if count == _CHUNK:
            tables.append(_make_table(columns, count))
            columns, count = {}, 0
    tables.append(_make_table(columns, count))
    table = pa.concat_tables(tables, promote_options="default")
    return Cells(
        name=name,
        columns={key: table[key].combine_chunks() for key in table.column_names},
        rows=np.arange(1, total + 1),
    )


def write_cell(value: Any) -> str | None:
    """Return a value as it would stand in a file.

    Raises:
        ValueError: If it is a whole number beyond all floats.

    Example:
        >>> [write_cell(value) for value in (None, True, 0.1, np.float32(0.1), "x", "")]
        [None, 'true', '0.1', '0.1', 'x', None]
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    if isinstance(value, int) and abs(value) > 10**300:
        raise ValueError("a whole number of over 300 digits, wanted a number that a float can hold")
    if isinstance(value, (int, float, np.number)):
        return str(value)
    if type(value).__name__ in {"NAType", "NaTType"}:  # how pandas writes a missing value
        return None
    try:
        return repr(float(value))  # a tensor or array of one number
    except (TypeError, ValueError):
        return str(value)


def _make_table(columns: Mapping[str, list[str | None]], count: int) -> pa.Table:
    padded = {key: cells + [None] * (count - len(cells)) for key, cells in columns.items()}
    return pa.table({key: pa.array(cells, pa.string()) for key, cells in padded.items()})


def _flatten(value: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for key, cell in value.items():
        if isinstance(cell, Mapping):
            yield from _flatten(cell, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", write_cell(cell)


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_make_object)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of two equal names in one, Python's would silently take the last."""
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object names {twice!r} twice")
    return value


def is_missing(value: Any) -> bool:
    """Return whether a value is NaN, as pandas marks a missing text."""
    return isinstance(value, float) and math.isnan(value)
