"""A table as text: what every file and data frame is read into.

A cell is text; an empty one is null. What its text means is decided where it is used, so that a
message can show the cell as it stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...scaling import FloatArray
from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array

TextColumn = Any  # a pyarrow array of strings


@dataclass(frozen=True, eq=False, kw_only=True)
class Cells:
    """A table of R rows.

    Attributes:
        name: What it is called in messages.
        columns: Its columns by name, each of R texts, null where a cell is empty.
        rows: Numbers of the rows where they come from, the first 1, shape (R,).
        notes: What to know of how it was read, one line each.
    """

    name: str
    columns: Mapping[str, TextColumn]
    rows: Int64Array
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def locate(self, row: int) -> str:
        """Return where a row stands, for a message."""
        return f"{self.name}, row {self.rows[row]}"

    def keep(self, rows: BoolArray, note: str) -> "Cells":
        """Return the rows that are marked, with a note on the others."""
        mask = pa.array(rows)
        columns = {name: column.filter(mask) for name, column in self.columns.items()}
        return replace(self, columns=columns, rows=self.rows[rows], notes=(*self.notes, note))


@dataclass(frozen=True, eq=False)
class Labels:
    """A column by its distinct texts.

    Attributes:
        texts: The distinct texts, in order of first appearance, V of them.
        codes: Which of them each row has, -1 where its cell is empty, shape (R,).
    """

    texts: TextColumn
    codes: Int64Array

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The distinct texts; of a long column with a text per row they take much memory."""
        return tuple(self.texts.to_pylist())

    def select(self, chosen: BoolArray) -> BoolArray:
        """Return the rows whose text is among those chosen, shape (V,); never an empty cell."""
        rows: BoolArray = np.append(chosen, False)[self.codes]
        return rows


def label(column: TextColumn) -> Labels:
    """Return a column by its distinct texts, without spaces around them.

    Example:
        >>> labels = label(pa.array(["a", " b", None, " ", "a"]))
        >>> labels.names, labels.codes
        (('a', 'b'), array([ 0,  1, -1, -1,  0]))
    """
    encoded = pc.utf8_trim_whitespace(column).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = encoded.dictionary
    if (blank := pc.index(texts, "").as_py()) >= 0:
        codes = np.where(codes == blank, -1, codes - (codes > blank))
        texts = pa.concat_arrays([texts[:blank], texts[blank + 1 :]])
    return Labels(texts, codes)


def combine_codes(*codes: Int64Array) -> Int64Array:
    """Return one code per row that is equal where all codes are, dense from 0.

    Arguments:
        *codes: Whole numbers from -1 up, each of shape (R,).

    Example:
        >>> combine_codes(np.array([0, 0, 7]), np.array([1, 1, -1]))
        array([0, 0, 1])
    """
    joint = np.zeros(len(codes[0]), dtype=np.int64)
    for code in codes:
        span = int(code.max(initial=-1)) + 2
        joint = _make_dense(joint * span + code + 1)
    return joint


def encode(values: FloatArray | Int64Array) -> Int64Array:
    """Return which of its distinct values each number is, in order of appearance; NaN is one.

    Example:
        >>> encode(np.array([2.0, np.nan, 1.0, np.nan]))
        array([0, 1, 2, 1])
    """
    encoded = pa.array(values).dictionary_encode()  # by hashing: many times faster than a sort
    codes: Int64Array = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _make_dense(codes: Int64Array) -> Int64Array:
    """Return codes from 0 without gaps."""
    if codes.max(initial=0) > 4 * len(codes) + 1024:
        return encode(codes)
    dense: Int64Array = (np.cumsum(np.bincount(codes) > 0) - 1)[codes]
    return dense
