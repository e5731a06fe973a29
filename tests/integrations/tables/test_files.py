"""Formats of files: what is read and what is refused."""

import bz2
import gzip
import json
import lzma
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
        ("runs.csv.gz", b"width,lr,loss\n", "wanted a table in the format of its suffix"),
        ("runs.gz", b"", "wanted a file that ends in .csv, .tsv"),
        ("runs.json", b'[{"lr": 1, "lr": 2}]', "names 'lr' twice"),
        ("runs.json", b'[{"a.lr": 1, "a": {"lr": 2}}]', "names 'a.lr' twice"),
        ("runs.json", b"[{}]", "got columns none, wanted also width, lr, loss"),
        ("runs.jsonl", b"{}\n{}\n", "got columns none, wanted also width, lr, loss"),
        ("runs.json", b'{"log_history": []}', "the log of one training by transformers' Trainer"),
        (
            "runs.json",
            b'[{"width": true, "lr": 0.1, "loss": 2.0}]',
            "got width in runs.json, row 1: 'true', wanted a number",
        ),
    ],
)
def test_bad_files_are_one_error(
    name: str, content: bytes | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_runs(tmp_path / name)


TABLE = "width,lr,loss\n128,0.01,3.5\n128,0.02,3.25\n256,0.01,nan\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("runs.csv.gz", gzip.compress(TABLE.encode(), mtime=0)),
        ("runs.csv.bz2", bz2.compress(TABLE.encode())),
        ("RUNS.CSV.XZ", lzma.compress(TABLE.encode())),
        ("runs.csv", TABLE.encode("utf-16")),
        ("runs.csv", TABLE.encode("utf-16-be")),
        ("runs.csv", TABLE.replace("\n", "\r").encode()),
        ("runs.csv", TABLE.replace("\n", "\r\n\r\n").encode()),
        ("runs.csv", ("sep=;\r\n" + TABLE.replace(",", ";")).encode()),
        ("runs.csv", ('"sep=|"\n' + TABLE.replace(",", "|")).encode()),
        ("runs.csv", TABLE.replace(",", "|").encode()),
        ("runs.csv", ("# one\n# two\n" + TABLE).encode()),
        ("runs.csv", ("# " + TABLE).encode()),
        ("runs.csv", TABLE.replace("\n128,0.02", "\n# between\n128,0.02").encode()),
        ("runs.csv", TABLE.replace("\n", ",\n").replace("loss,", "loss").encode()),
        ("runs.csv", TABLE.replace("width", '"width\nof it"').replace("\nof it", "").encode()),
        ("runs.csv", TABLE.replace("width", "é,width").replace("\n1", "\nü,1")
                          .replace("\n2", "\nü,2").encode("cp1252")),
        ("runs.csv", ("| " + TABLE.replace(",", " | ").replace("\n", " |\n| ").rstrip("| "))
                     .replace("loss |\n", "loss |\n|---|:-:|---:|\n").encode()),
    ],
)  # fmt: skip
def test_dialects_of_text_are_read(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert read_runs(tmp_path / name).table.observations == WANTED


def number_rows(count: int) -> list[str]:
    return [f"64,{2.0**-i},3" for i in range(1, count + 1)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        # A quote that is never closed once swallowed the rest of the table.
        (
            [*number_rows(3), '64,"0.5,3', *number_rows(9)],
            r"row 4 \(.*all up to line 13 is one cell",
        ),
        (
            [*number_rows(3), '64,0.5,"3', *number_rows(9)],
            "a quote in runs.csv, row 4, column 'loss', that is closed some rows later",
        ),
        (
            [*number_rows(3), '64,"0.5,3', *number_rows(4), '64,0.5",3', *number_rows(2)],
            "a quote in runs.csv, row 4, column 'lr', that is closed some rows later",
        ),
        ([*number_rows(3), "64,0,5,3"], "got 4 cells in runs.csv, row 4, wanted 3"),
    ],
)
def test_no_row_is_swallowed(rows: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("width,lr,loss\n" + "\n".join(rows) + "\n")
    with pytest.raises(TableError, match=message):
        read_runs(tmp_path / "runs.csv")


def test_notes_may_have_lines_and_quotes(tmp_path: Path) -> None:
    text = 'width,lr,loss,notes\n64,0.1,3,"two\nlines, and ""words"""\n64,0.2,3,5" of it\n'
    (tmp_path / "runs.csv").write_text(text)
    assert len(read_runs(tmp_path / "runs.csv").table) == 2


def test_short_rows_are_told(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("width,lr,loss,seed\n64,0.1,3,0\n64,0.2,2\n64,0.4\n")
    runs = read_runs(tmp_path / "runs.csv")
    assert len(runs.table) == 2
    assert "2 rows have fewer cells than the header: the missing ones are blank" in runs.warnings
    assert "1 rows have no loss, and count as not made" in runs.warnings


def test_a_table_without_a_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text("\n".join(number_rows(4)))
    with pytest.raises(TableError, match=r"a first row of numbers in runs.csv \(64, 0.5, 3\)"):
        read_runs(tmp_path / "runs.csv")
