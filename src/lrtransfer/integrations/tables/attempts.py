"""The runs of a table as arrays, on their way from cells to outcomes.

R runs, each from one row. Values that a table does not have are NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np

from ...scaling import FloatArray
from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array
from .cells import combine_codes, encode


@dataclass(frozen=True, eq=False, kw_only=True)
class Attempts:
    """Runs that ended or diverged.

    Attributes:
        schemes: Names of the schemes.
        row: Row of the table, from 0, shape (R,).
        scheme: Which scheme, shape (R,).
        size: Size along the axis, shape (R,).
        lr: Learning rate, shape (R,).
        seed: Seed, NaN where it is not known, shape (R,).
        loss: Final loss, +inf where the run diverged, shape (R,).
        error: Standard error of the loss, where it is a mean of several runs, shape (R,).
        controlled: Values of the controlled variables that the table has, by field, each of shape
            (R,).
    """

    schemes: tuple[str, ...]
    row: Int64Array
    scheme: Int64Array
    size: FloatArray
    lr: FloatArray
    seed: FloatArray
    loss: FloatArray
    error: FloatArray
    controlled: Mapping[str, FloatArray]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.row)

    @property
    def is_diverged(self) -> BoolArray:
        """Whether a run diverged, shape (R,)."""
        return np.isinf(self.loss)

    def take(self, rows: BoolArray | Int64Array) -> "Attempts":
        """Return some of the runs."""
        if rows.dtype == np.bool_ and rows.all():
            return self
        parts = {
            field.name: getattr(self, field.name)[rows]
            for field in fields(self)
            if field.name not in {"schemes", "controlled"}
        }
        controlled = {field: values[rows] for field, values in self.controlled.items()}
        return replace(self, **parts, controlled=controlled)

    def order(self) -> "Attempts":
        """Return the runs with those of one scheme and size together, in order of appearance."""
        group = self.group
        if (group[1:] >= group[:-1]).all():
            return self
        return self.take(np.argsort(group, kind="stable"))

    @cached_property
    def group(self) -> Int64Array:
        """One code per scheme and size, shape (R,)."""
        return combine_codes(self.scheme, encode(self.size))

    @cached_property
    def point(self) -> Int64Array:
        """One code per scheme, size and learning rate, shape (R,)."""
        return combine_codes(self.group, encode(self.lr))

    @cached_property
    def setting(self) -> Int64Array:
        """One code per values of the controlled variables, shape (R,)."""
        if not self.controlled:
            return np.zeros(len(self), dtype=np.int64)
        return combine_codes(*(encode(values) for values in self.controlled.values()))


def merge_lengths(values: FloatArray) -> FloatArray:
    """Return lengths in which all within 1 % of each other are the most usual one of them.

    Arguments:
        values: Lengths, NaN where one is not known, shape (R,).

    Example:
        >>> merge_lengths(np.array([2000.0, 2002.0, 2001.0, 2001.0, 1000.0]))
        array([2001., 2001., 2001., 2001., 1000.])
    """
    if np.isnan(values).all():
        return values
    distinct, code, count = np.unique(values, return_inverse=True, return_counts=True)
    merged, start = distinct.copy(), 0
    for i in range(1, len(distinct) + 1):
        if i == len(distinct) or not distinct[i] <= 1.01 * distinct[start]:
            usual = start + int(np.argmax(count[start:i]))
            merged[start:i] = distinct[usual]
            start = i
    return merged[code]


def note_merged(field: str, values: FloatArray) -> list[str]:
    """Return a note on lengths that are taken as one."""
    known = values[~np.isnan(values)]
    moved = known[merge_lengths(known) != known]
    if not moved.size:
        return []
    return [f"{field} within 1 % of each other, such as {moved[0]:,.15g}, are taken as one length"]
