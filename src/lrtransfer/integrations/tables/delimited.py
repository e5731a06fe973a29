"""Tables of text: cells between commas, semicolons, tabs or bars.

Read by pyarrow. What is not quite regular (comments between rows, rows of another length) is read
again by Python's csv, which says in which row that is.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from ...errors import TableError
from .cells import Cells, TextColumn
from .numbers import parse_number

DELIMITERS = ",;\t|"
_CHUNK = 50_000  # rows that stand in memory as Python's texts


def read_delimited(data: bytes, name: str) -> Cells:
    r"""Return the table of a text.

    Arguments:
        data: The text: UTF-8, or UTF-16 with its byte order mark. Lines that begin with `#` are
            comments; a first line `sep=;` names the delimiter, as spreadsheets write it.
        name: What to call the table in messages.

    Raises:
        ValueError: If it is no text.

    Example:
        >>> read_delimited(b"sep=;\n# made by hand\nlr;loss\n0,1;2\n", "mine").columns["lr"][0]
        <pyarrow.StringScalar: '0,1'>
    """
    data, notes = _to_utf8(data)
    text = _skip_preamble(_Text(data=data))
    header, body = _read_header(text)
    _check_header(header, name)
    table, comments = _read_regular(body, header), len(body.comments)
    if table is None:
        table, between, more = _read_irregular(body, header, name)
        comments, notes = comments + between, notes + more
    if comments:
        notes.append(f"{comments} comment lines are skipped")
    delimiter, has_quotes = body.delimiter, body.holds(b'"')
    del data, text, body  # a large table does not stand in memory three times
    rows = np.arange(1, table.num_rows + 1)
    columns = _take_columns(table, header)
    if has_quotes:
        _refuse_swallowed_rows(columns, header, delimiter, name)
    kept = {title: column for title, column in zip(header, columns, strict=True) if title}
    return Cells(name=name, columns=kept, rows=rows, notes=tuple(notes))


def _take_columns(table: pa.Table, header: Sequence[str]) -> list[TextColumn]:
    """Return the columns of a table in one piece each; the pieces are freed one by one."""
    columns = []
    for _ in header:
        columns.append(table.column(0).combine_chunks())
        table = table.remove_column(0)
    del table
    pa.default_memory_pool().release_unused()
    return columns


@dataclass(frozen=True, kw_only=True)
class _Text:
    """What is left to read of a text.

    Attributes:
        data: The whole text; it may be large, and is never copied.
        start: Where the rest begins.
        delimiter: What stands between cells; empty where it is not known yet.
        comments: Comment lines so far.
    """

    data: bytes
    start: int = 0
    delimiter: str = ""
    comments: tuple[str, ...] = ()

    def holds(self, mark: bytes) -> bool:
        """Return whether the rest holds some bytes."""
        return self.data.find(mark, self.start) >= 0

    def lines(self) -> Iterator[tuple[str, int]]:
        """Return the lines of the rest, each with the place after it."""
        start = self.start
        while start < len(self.data):
            end = self.data.find(b"\n", start) + 1 or len(self.data)
            yield self.data[start:end].decode(), end
            start = end


def _to_utf8(data: bytes) -> tuple[bytes, list[str]]:
    """Return a text in UTF-8 with line feeds, and a note on an encoding that was guessed."""
    data = _recode_utf16(data)
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if data.isascii():
        return data, []
    try:
        data.decode()
    except UnicodeDecodeError:
        note = "the file is not in UTF-8 and is read as Windows-1252: letters may be wrong"
        return data.decode("cp1252").encode(), [note]
    return data, []


def _recode_utf16(data: bytes) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16").encode()
    if b"\0" in data[:100]:  # UTF-16 without its mark
        little = data[1:2] == b"\0"
        return data.decode("utf-16-le" if little else "utf-16-be").encode()
    return data.removeprefix(b"\xef\xbb\xbf")


def _skip_preamble(text: _Text) -> _Text:
    """Return what is left after comments, blank lines and a line that names the delimiter."""
    for line, end in text.lines():
        stripped = line.strip(' \r\n"')
        if stripped.lower().startswith("sep=") and len(stripped) == 5:
            text = replace(text, delimiter=stripped[-1])
        elif stripped.startswith("#"):
            text = replace(text, comments=(*text.comments, stripped.lstrip("# ")))
        elif stripped:
            break
        text = replace(text, start=end)
    return text


def _read_header(text: _Text) -> tuple[list[str], _Text]:
    """Return the names of columns, and what follows them.

    Where the first row is one of numbers, the comment before it is the header, as numpy writes it.
    """
    first = next((line for line, _ in text.lines()), "")
    if not text.delimiter:
        text = replace(text, delimiter=max(DELIMITERS, key=lambda mark: len(_split(first, mark))))
    reader = csv.reader((line for line, _ in text.lines()), delimiter=text.delimiter)
    header = [cell.strip() for cell in next(reader, [])]
    ends = [end for _, end in islice(text.lines(), reader.line_num)]
    if text.comments and header and all(parse_number(cell) is not None for cell in header):
        named = [cell.strip() for cell in _split(text.comments[-1], text.delimiter)]
        if len(named) == len(header):
            return named, replace(text, comments=text.comments[:-1])
    body = replace(text, start=ends[-1] if ends else len(text.data))
    rule, end = next(body.lines(), ("", 0))
    if text.delimiter == "|" and re.fullmatch(r"[\s|:-]+", rule):  # of a table in Markdown
        body = replace(body, start=end)
    return header, body


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), [])


def _check_header(header: Sequence[str], name: str) -> None:
    for title in header:
        if title and header.count(title) > 1:
            raise TableError(
                f"runs: got {header.count(title)} columns named {title!r} in {name}, wanted each "
                "name once. Rename or remove all but one."
            )
    if header and all(parse_number(title) is not None for title in header):
        raise TableError(
            f"runs: got a first row of numbers in {name} ({', '.join(header[:5])}), wanted the "
            "names of the columns there, such as width,lr,loss. Add a header."
        )


def _read_regular(body: _Text, header: Sequence[str]) -> pa.Table | None:
    """Return a table whose rows are all of one length; None if some are not."""
    names = [str(i) for i in range(len(header))]
    first = next((line for line, _ in body.lines()), "")
    if not first.strip() or first.startswith("#") or body.holds(b"\n#"):
        return None
    irregular = list[str]()

    def skip(row: "pyarrow.csv.InvalidRow") -> str:
        if row.text.strip():
            irregular.append(row.text)
        return "error" if irregular else "skip"

    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(body.data).slice(body.start)),
            read_options=pyarrow.csv.ReadOptions(column_names=names, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=body.delimiter,
                newlines_in_values=body.holds(b'"'),
                invalid_row_handler=skip,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid:
        if irregular:
            return None
        raise


def _read_irregular(
    body: _Text, header: Sequence[str], name: str
) -> tuple[pa.Table, int, list[str]]:
    """Return any table, the number of comments in it, and a note on short rows."""
    text = io.StringIO(body.data[body.start :].decode(), newline="")
    rows = csv.reader(text, delimiter=body.delimiter, strict=True)
    chunks, chunk = list[list[TextColumn]](), list[list[str | None]]()
    comments = short = count = 0
    try:
        for row in rows:
            if row and row[0].startswith("#"):
                comments += 1
            elif len(row) > 1 or any(cell.strip() for cell in row):
                count += 1
                short += len(row) < len(header)
                chunk.append(_fit(row, len(header), f"{name}, row {count}"))
                if len(chunk) == _CHUNK:
                    chunks.append(_transpose(chunk))
                    chunk = []
    except csv.Error as error:
        raise TableError(
            f"runs: got {name}, row {count + 1} ({error}), wanted every quote closed in its cell: "
            f"as it stands, all up to line {rows.line_num} is one cell. Close or remove the quote."
        ) from None
    chunks.append(_transpose(chunk) if chunk else [pa.array([], pa.string()) for _ in header])
    columns = [pa.chunked_array(parts, pa.string()) for parts in zip(*chunks, strict=True)]
    table = pa.table(columns, names=[str(i) for i in range(len(header))])
    note = f"{short} rows have fewer cells than the header: the missing ones are blank"
    return table, comments, [note] if short else []


def _fit(row: list[str], length: int, where: str) -> list[str | None]:
    """Return a row's cells, as many as the header has."""
    if any(cell.strip() for cell in row[length:]):
        raise TableError(
            f"runs: got {len(row)} cells in {where}, wanted {length}, as in the header. Quote "
            "cells that hold the delimiter (a decimal comma is one), or remove what is too much."
        )
    return [cell or None for cell in row[:length]] + [None] * (length - len(row))


def _transpose(rows: list[list[str | None]]) -> list[TextColumn]:
    return [pa.array(cells, pa.string()) for cells in zip(*rows, strict=True)]


def _refuse_swallowed_rows(
    columns: Sequence[TextColumn], header: Sequence[str], delimiter: str, name: str
) -> None:
    """Refuse a cell that holds whole rows: its quote was closed by the quote of a later row."""
    for title, column in zip(header, columns, strict=True):
        with_breaks = pc.match_substring(column, "\n").fill_null(False)
        for row in np.flatnonzero(with_breaks.to_numpy(zero_copy_only=False)):
            for line in str(column[row]).splitlines()[1:]:
                cells = line.split(delimiter)
                numbers = sum(parse_number(cell) is not None for cell in cells)
                if len(cells) >= len(header) > 1 and numbers >= min(2, len(header)):
                    raise TableError(
                        f"runs: got a quote in {name}, row {row + 1}, column {title!r}, that is "
                        "closed some rows later, wanted it closed in its row: the rows between "
                        "would be one cell. Close or remove it."
                    )
