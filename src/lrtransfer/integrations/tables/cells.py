"""Numbers as they stand in the cells of a table."""

import math
from typing import Any

from ...errors import TableError


def parse_loss(cell: Any, what: str) -> float | None:
    """Return a cell's number, NaN and infinity included; None where it is blank.

    Arguments:
        cell: The cell.
        what: What it is and where it stands, for the message.

    Raises:
        TableError: If it is no number.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise TableError(
            f"runs: got {what}: {str(cell)[:40]!r}, wanted a number. Correct it or leave the cell "
            "blank."
        ) from None


def parse_number(cell: Any, what: str) -> float | None:
    """Return a cell's finite number; None where it is blank, or NaN as pandas writes blanks.

    Arguments:
        cell: The cell.
        what: What it is and where it stands, for the message.

    Raises:
        TableError: If it is no number, or infinite.
    """
    value = parse_loss(cell, what)
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise TableError(f"runs: got {what}: {cell!r}, wanted a finite number or a blank cell.")
    return value


def require_number(cell: Any, field: str, where: str) -> float:
    """Return a cell's finite number.

    Arguments:
        cell: The cell.
        field: What it is.
        where: Where it stands.

    Raises:
        TableError: If it is blank or no finite number.
    """
    value = parse_number(cell, f"{field} in {where}")
    if value is None:
        raise TableError(
            f"runs: got {field} {cell!r} in {where}, wanted a finite number. Fill it in or remove "
            "the row."
        )
    return value
