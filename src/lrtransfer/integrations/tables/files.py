"""Tables of runs as they lie in files: CSV, JSON lines, JSON and Parquet, as rows of cells."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import TableError

Cells = dict[str, Any]


def read_cells(path: Path) -> list[Cells]:
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


def _csv(path: Path) -> list[Cells]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=header.count)
        return [dict(row) for row in csv.DictReader(file, delimiter=delimiter, restkey="(rest)")]


def _json_lines(path: Path) -> list[Cells]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return _objects(json.loads(line) for line in lines if line.strip())


def _json(path: Path) -> list[Cells]:
    found = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(found, list):
        raise ValueError("no list of objects")
    return _objects(found)


def _objects(values: Iterable[Any]) -> list[Cells]:
    rows = []
    for value in values:
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is no object with columns")
        rows.append(dict(_flat(value)))
    return rows


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, cell in value.items():
        if isinstance(cell, Mapping):
            yield from _flat(cell, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", cell


def _parquet(path: Path) -> list[Cells]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise TableError(
            f"runs: got {path}, wanted pyarrow to read Parquet. Install it with "
            "`pip install lrtransfer[parquet]`, or export as CSV."
        ) from None
    return _objects(parquet.read_table(path).to_pylist())


_READERS: Mapping[str, Callable[[Path], list[Cells]]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
}
