"""Files with tables of runs: CSV, JSON lines, JSON and Parquet, read as rows of cells."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import TableError

RowCells = dict[str, Any]  # cells by column


def read_cells(path: Path) -> list[RowCells]:
    """Return the rows of a file, each a mapping from column names to cells.

    Nested objects of JSON become columns with dots in their names, such as `config.lr`.

    Arguments:
        path: File; its suffix tells the format.

    Raises:
        TableError: If the file cannot be read, has another format, or holds no row.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise TableError(
            f"runs: got {path}, wanted a file that ends in {', '.join(_READERS)}. Export the runs "
            "as one of these."
        )
    try:
        rows = read(path)
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise TableError(
            f"runs: got {path} ({error}), wanted a table in the format of its suffix."
        ) from None
    if not rows:
        raise TableError(f"runs: got {path} without a row, wanted one row per run. Add runs.")
    return rows


def _read_csv(path: Path) -> list[RowCells]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=header.count)
        return [dict(row) for row in csv.DictReader(file, delimiter=delimiter, restkey="(rest)")]


def _read_json_lines(path: Path) -> list[RowCells]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return _list_objects(json.loads(line) for line in lines if line.strip())


def _read_json(path: Path) -> list[RowCells]:
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(document, list):
        raise ValueError("no list of objects")
    return _list_objects(document)


def _list_objects(values: Iterable[Any]) -> list[RowCells]:
    rows = []
    for value in values:
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no object with columns")
        rows.append(dict(_flatten(value)))
    return rows


def _flatten(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, cell in value.items():
        if isinstance(cell, Mapping):
            yield from _flatten(cell, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", cell


def _read_parquet(path: Path) -> list[RowCells]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise TableError(
            f"runs: got {path}, wanted pyarrow to read Parquet. Install it with "
            "`pip install lrtransfer[parquet]`, or export as CSV."
        ) from None
    return _list_objects(parquet.read_table(path).to_pylist())


_READERS: Mapping[str, Callable[[Path], list[RowCells]]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
