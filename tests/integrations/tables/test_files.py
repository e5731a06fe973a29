"""Formats of files: what is read and what is refused."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from lrtransfer.errors import TableError
from lrtransfer.integrations.tables.runs import read_runs

from .test_runs import WANTED

ROWS = [
    {"config": {"lr": 0.01, "width": 128}, "summary": {"val_loss": 3.5}},
    {"config": {"lr": 0.02, "width": 128}, "summary": {"val_loss": 3.25}},
    {"config": {"lr": 0.01, "width": 256}, "summary": {"val_loss": float("nan")}},
]


def test_other_formats_are_read(tmp_path: Path) -> None:
    lines = tmp_path / "runs.jsonl"
    lines.write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    listed = tmp_path / "runs.json"
    listed.write_text(json.dumps(ROWS))
    table = tmp_path / "runs.parquet"
    columns = {
        "width": [128, 128, 256, 256],
        "lr": [0.01, 0.02, 0.01, 0.02],
        "loss": [3.5, 3.25, float("nan"), None],
    }
    parquet.write_table(pa.table(columns), table)
    for path in (lines, listed, table):
        assert read_runs(path).table.observations == WANTED


def test_without_pyarrow_parquet_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(TableError, match=r"pip install lrtransfer\[parquet\]"):
        read_runs(tmp_path / "runs.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("runs.txt", b"", "wanted a file that ends in .csv, .tsv"),
        ("none.csv", None, "No such file"),
        ("runs.jsonl", b"{oops", "wanted a table in the format of its suffix"),
        ("runs.jsonl", b"[1]", "is no object with columns"),
        ("runs.json", b"{}", "no list of objects"),
        ("runs.json", b"[" * 100_000, "wanted a table in the format of its suffix"),
        ("runs.jsonl", b'{"width": 8, "lr": 1, "loss": 1' + b"0" * 400 + b"}", "wanted a number"),
        ("runs.parquet", b"PAR1", "wanted a table in the format of its suffix"),
        ("runs.csv", b"\xff\xfe\x00", "wanted a table in the format of its suffix"),
    ],
)
def test_bad_files_are_one_error(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_runs(tmp_path / name)
