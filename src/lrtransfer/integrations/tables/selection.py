"""Which rows are judged, and which settings make schemes: `where` and `group_by`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import TableError
from ...statistics.curves.columns import BoolArray
from .cells import Cells, Labels, label
from .names import FIELD_NAMES, read_name
from .numbers import parse_number

ANY = "*"  # all values of a column together, though they differ


def select_rows(cells: Cells, where: Mapping[str, Any]) -> Cells:
    """Return the rows of a table that have certain values.

    Arguments:
        cells: The table.
        where: Values by column or field: one, or a list of them, or `*` for any.

    Raises:
        TableError: If there is no such column, or no row has the values.

    Example:
        >>> cells = Cells(name="mine", columns={"bs": pa.array(["64", "256.0"])}, rows=np.arange(2))
        >>> len(select_rows(cells, {"batch": 256}))
        1
    """
    kept = np.ones(len(cells), dtype=np.bool_)
    for key, value in where.items():
        if value != ANY:
            column = find_column(cells, key, "where")
            kept &= _match(label(cells.columns[column]), column, value, cells)
    if not kept.any():
        told = ", ".join(f"{key}={value}" for key, value in where.items())
        raise TableError(
            f"where: got {told}, of which no row of {cells.name} has all, wanted values that occur "
            "together. Give fewer."
        )
    left = int((~kept).sum())
    note = f"{left} of {len(cells)} rows are left out by `where`" if left else ""
    return cells.keep(kept, note) if left else cells


def find_column(cells: Cells, key: str, option: str) -> str:
    """Return the column that a user means by its name or that of a field.

    Arguments:
        cells: The table.
        key: The name.
        option: The option, for the message.

    Raises:
        TableError: If there is none, or several.
    """
    if key in cells.columns:
        return key
    names = [read_name(column, list(cells.columns)) for column in cells.columns]
    wanted = read_name(key).terms[-1]
    found = [name.column for name in names if wanted in name.terms]
    if not found:
        usual = ({term for tier in tiers for term in tier} for tiers in FIELD_NAMES.values())
        terms = next((terms for terms in usual if wanted in terms), set[str]())
        found = [name.column for name in names if terms & set(name.terms)]
    if len(found) == 1:
        return found[0]
    raise TableError(
        f"{option}: got {key}, wanted one column of {cells.name}: "
        f"{', '.join(found or cells.columns)}. Name it as it stands."
    )


def _match(labels: Labels, column: str, value: Any, cells: Cells) -> BoolArray:
    values = list(value) if isinstance(value, (list, tuple, set)) else [value]
    chosen = np.zeros(len(labels.names), dtype=np.bool_)
    for one in values:
        same = np.array([_is_same(name, one) for name in labels.names], dtype=np.bool_)
        if not same.any():
            shown = ", ".join(sorted(labels.names)[:10]) + (", …" if len(labels.names) > 10 else "")
            raise TableError(
                f"where: got {column}={one}, wanted a value of this column in {cells.name}: "
                f"{shown}. Choose one."
            )
        chosen |= same
    return labels.select(chosen)


def _is_same(name: str, value: Any) -> bool:
    """Tell whether a cell has a value, as a number or else as text in small letters."""
    text = str(value).strip()
    if name.lower() == text.lower():
        return True
    one, two = (parse_number(each, units=True) for each in (name, text))
    return one is not None and one == two


def name_groups(cells: Cells, columns: Sequence[str]) -> Labels:
    """Return the rows by the values of some columns, named as in `use_mup=1, bs=64`.

    Arguments:
        cells: The table.
        columns: The columns.
    """
    parts = [label(cells.columns[column]) for column in columns]
    texts = [
        [f"{column}={name}" for name in (*part.names, "")]
        for column, part in zip(columns, parts, strict=True)
    ]
    rows = np.stack([part.codes for part in parts])
    distinct, first, code = np.unique(rows, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)
    names = tuple(
        ", ".join(text[i] for text, i in zip(texts, distinct[:, k], strict=True)) for k in order
    )
    return Labels(pa.array(names), np.argsort(order)[code.reshape(-1)])
