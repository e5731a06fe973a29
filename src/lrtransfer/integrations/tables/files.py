"""Files with tables of runs: CSV, JSON lines, JSON and Parquet, compressed or not."""

import bz2
import csv
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa

from ...errors import TableError
from .cells import Cells
from .delimited import read_delimited
from .frames import arrow_cells
from .objects import read_json, read_json_lines


def _read_parquet(data: bytes, name: str) -> Cells:
    from pyarrow import parquet  # here, because most tables are text

    return arrow_cells(parquet.read_table(pa.BufferReader(data)), name)


_OPENERS: Mapping[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
}
_READERS: Mapping[str, Callable[[bytes, str], Cells]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".parquet": _read_parquet,
}


def read_cells(path: Path) -> Cells:
    """Return the table of a file.

    Nested objects of JSON become columns with dots in their names, such as `config.lr`.

    Arguments:
        path: File; its suffix tells the format, `.gz`, `.bz2` or `.xz` after it the compression.

    Raises:
        TableError: If the file cannot be read, has another format, or holds no row.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    opener = _OPENERS.get(suffixes[-1]) if suffixes else None
    kind = suffixes[-2] if opener and len(suffixes) > 1 else (suffixes or [""])[-1]
    read = _READERS.get(kind)
    if read is None:
        raise TableError(
            f"runs: got {path}, wanted a file that ends in {', '.join(_READERS)}, or in one of "
            f"them and {', '.join(_OPENERS)}. Export the runs as one of these."
        )
    try:
        cells = read(opener(path.read_bytes()) if opener else path.read_bytes(), path.name)
    except TableError:
        raise
    except (
        OSError, EOFError, ValueError, RecursionError, csv.Error, json.JSONDecodeError,
        lzma.LZMAError, zlib.error, pa.ArrowException,
    ) as error:  # fmt: skip
        raise TableError(
            f"runs: got {path} ({error}), wanted a table in the format of its suffix."
        ) from None
    if not len(cells):
        raise TableError(f"runs: got {path} without a row, wanted one row per run. Add runs.")
    return cells
