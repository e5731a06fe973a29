"""Numbers as people and programs write them in the cells of a table.

Beside 1e-3 there are 2^-8, 70M (of parameters, tokens or steps), a decimal comma, and words for a
cell that is blank.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.curves.columns import BoolArray
from .cells import Cells, TextColumn, label

BLANK_WORDS = frozenset({"", "na", "n/a", "<na>", "nat", "null", "none", "-", "--", "—"})
# What is written for a loss that diverged: no number, and not a blank either.
DIVERGED_WORDS = frozenset({
    "diverged", "diverge", "divergence", "div", "non-finite", "nonfinite", "exploded", "explode",
    "overflow", "overflowed", "unstable", "blew up", "blowup", "failed", "fail", "oom", "error",
})  # fmt: skip
_UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_WITH_UNIT = re.compile(r"(.*[\d.])\s*([kmbgt])", re.IGNORECASE)
_NAMED_SIZE = re.compile(r"[a-z].*[-_ ](\d+(?:\.\d+)?)\s*([kmb])", re.IGNORECASE)  # pythia-70m
_POWER = re.compile(r"(\d+)\s*(?:\^|\*\*)\s*[({]?\s*([+-]?\d+(?:\.\d+)?)\s*[)}]?")
_DIGITS_IN_THREES = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_ONE_COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class NumberColumn:
    """The numbers of a column of R cells.

    Attributes:
        values: The numbers, NaN also where there is none, shape (R,).
        is_blank: Whether a cell is blank, shape (R,).
        is_wrong: Whether a cell is neither blank nor a number, shape (R,).
    """

    values: FloatArray
    is_blank: BoolArray
    is_wrong: BoolArray


def parse_numbers(column: TextColumn, *, units: bool = False, comma: bool = False) -> NumberColumn:
    """Return the numbers of a column.

    Arguments:
        column: Its cells.
        units: Whether 70M is a number.
        comma: Whether a comma is the decimal point.

    Example:
        >>> parse_numbers(pa.array(["2^-3", None, "70M", "x"]), units=True)
        NumberColumn(values=array([1.25e-01,      nan, 7.00e+07,      nan]), \
is_blank=array([False,  True, False, False]), is_wrong=array([False, False, False,  True]))
    """
    try:
        values = pc.cast(column, pa.float64())
        blank = column.is_null().to_numpy(zero_copy_only=False)
        return NumberColumn(
            values.to_numpy(zero_copy_only=False), blank, np.zeros(len(blank), dtype=np.bool_)
        )
    except pa.ArrowInvalid:  # a cell that is written in another way, or no number
        labels = label(column)
    parsed = [parse_number(name, units=units, comma=comma) for name in labels.names]
    is_blank = [name.lower() in BLANK_WORDS for name in labels.names]
    is_wrong = [value is None and not blank for value, blank in zip(parsed, is_blank, strict=True)]
    values = np.array([math.nan if value is None else value for value in parsed] + [math.nan])
    return NumberColumn(
        values[labels.codes],
        np.array([*is_blank, True])[labels.codes],
        np.array([*is_wrong, False])[labels.codes],
    )


def parse_number(text: str, *, units: bool = False, comma: bool = False) -> float | None:
    """Return the number that a text is, or None.

    Example:
        >>> [parse_number(text, units=True) for text in ("1.2e9", "2**18", "1.3B", "1e-3", "two")]
        [1200000000.0, 262144.0, 1300000000.0, 0.001, None]
        >>> parse_number("1.024,5", comma=True), parse_number("-nan")
        (1024.5, nan)
    """
    text = text.strip().replace("−", "-")
    if comma:
        text = text.replace(".", "").replace(",", ".") if "," in text else text
    elif _DIGITS_IN_THREES.fullmatch(text):
        text = text.replace(",", "")
    if power := _POWER.fullmatch(text):
        return _raise_to(power[1], power[2])
    factor = 1.0
    if units and (unit := _NAMED_SIZE.fullmatch(text) or _WITH_UNIT.fullmatch(text)):
        text, factor = unit[1], _UNITS[unit[2].lower()]
    try:
        value = float(text)
    except ValueError:
        return None
    return value if factor == 1 else round(value * factor, 6)  # 0.07B is 70,000,000


def _raise_to(base: str, exponent: str) -> float:
    with np.errstate(over="ignore"):
        return float(np.float64(base) ** np.float64(exponent))


def has_decimal_commas(cells: Cells, names: Iterable[str]) -> bool:
    """Tell whether the numbers of a table are written with a decimal comma.

    Arguments:
        cells: The table.
        names: Its columns of numbers.

    Raises:
        TableError: If commas may stand for thousands as well.
    """
    doubtful = ""
    for name in names:
        column = cells.columns[name]
        with_comma = column.filter(pc.match_substring(column, ","))
        for text in label(with_comma).names:
            if _DIGITS_IN_THREES.fullmatch(text):
                doubtful = doubtful or f"{text!r} in column {name!r}"
            elif _ONE_COMMA.fullmatch(text):
                return True
    if doubtful:
        raise TableError(
            f"runs: got {doubtful} of {cells.name}, wanted numbers without commas: this may be a "
            "decimal comma or a group of thousands. Write a decimal point, or no comma."
        )
    return False
