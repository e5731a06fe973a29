"""Histories: several rows of one run, of which the last one counts.

A training index (a step, an iteration, an epoch) goes on from row to row of a run; or the id of a
run or trial repeats. A loss on the way is neither another seed nor the loss at the end.
"""

from dataclasses import dataclass

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array
from .attempts import Attempts, merge_lengths
from .cells import combine_codes, encode

# A table of histories has its rows spread over the training; one of runs has most at the end.
_MOST_AT_THE_END = 0.5


@dataclass(frozen=True, eq=False, kw_only=True)
class Marks:
    """What tells the rows of one run from those of another.

    Attributes:
        id: Which run, -1 where it is not known, shape (R,); None where the table does not say.
        id_column: Name of the column of `id`.
        is_name: Whether it is only a name, which several runs may share.
        index: How far the training was, shape (R,); None where the table does not say.
        index_column: Name of the column of `index`.
    """

    id: Int64Array | None = None
    id_column: str = ""
    is_name: bool = False
    index: FloatArray | None = None
    index_column: str = ""

    def take(self, rows: BoolArray) -> "Marks":
        """Return the marks of some of the rows."""
        return Marks(
            id=None if self.id is None else self.id[rows],
            id_column=self.id_column,
            is_name=self.is_name,
            index=None if self.index is None else self.index[rows],
            index_column=self.index_column,
        )


def keep_last_rows(attempts: Attempts, marks: Marks) -> tuple[BoolArray, list[str]]:
    """Return which rows are the last of their run, and a note on the others.

    Arguments:
        attempts: The runs, a row each.
        marks: What tells whose row each is.

    Raises:
        TableError: If the learning rate changes from row to row of a history.
    """
    everything = np.ones(len(attempts), dtype=np.bool_)
    if marks.index is None and (marks.id is None or marks.is_name):
        return everything, []
    runs = combine_codes(
        attempts.point, encode(attempts.seed), _encode_lengths(attempts, marks.index)
    )
    has_id = marks.id is not None and _tells_runs(marks.id, runs)
    if has_id and marks.id is not None:
        runs = combine_codes(runs, marks.id)
    if marks.index is not None and not np.isnan(marks.index).all():
        _refuse_logged_rates(attempts, marks)
        last, why = _find_furthest(runs, marks.index), f"where {marks.index_column!r} goes on"
    else:
        last, why = everything, f"where {marks.id_column!r} repeats"
    if has_id:
        last &= _find_latest(runs, last)
    left = int((~last).sum())
    note = f"{left} earlier rows are left out: {why}, the last row of a run counts"
    return last, [note] if left else []


def _encode_lengths(attempts: Attempts, index: FloatArray | None) -> Int64Array:
    """Return codes of the controlled variables but those that only follow the index."""
    controlled = dict(attempts.controlled)
    tokens = controlled.get("tokens")
    if tokens is not None and index is not None:
        at = combine_codes(attempts.point, encode(attempts.seed), encode(index))
        if combine_codes(at, encode(tokens)).max() == at.max():
            del controlled["tokens"]
    if not controlled:
        return np.zeros(len(attempts), dtype=np.int64)
    return combine_codes(*(encode(values) for values in controlled.values()))


def _tells_runs(ids: Int64Array, runs: Int64Array) -> bool:
    """Tell whether an id is one run's: all of its rows have one size, rate and seed."""
    known = ids >= 0
    pairs = combine_codes(ids[known], runs[known])
    return bool(known.any()) and pairs.max() == encode(ids[known].astype(np.float64)).max()


def _find_furthest(runs: Int64Array, index: FloatArray) -> BoolArray:
    """Return the rows at the end of their run; all of them, where they are as good as equal."""
    index = np.where(np.isnan(index), -np.inf, index)
    furthest = np.full(int(runs.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(furthest, runs, index)
    nearest = np.full(len(furthest), np.inf)
    np.minimum.at(nearest, runs, index)
    is_history = nearest < 0.99 * furthest
    last: BoolArray = (index == furthest[runs]) | ~is_history[runs]
    return last


def _find_latest(runs: Int64Array, among: BoolArray) -> BoolArray:
    """Return the last of the marked rows of each run, in the order of the table."""
    latest = np.full(int(runs.max(initial=-1)) + 1, -1)
    rows = np.flatnonzero(among)
    latest[runs[rows]] = rows  # of several rows of a run the last one stays
    is_latest: BoolArray = latest[runs] == np.arange(len(runs))
    return is_latest


def _refuse_logged_rates(attempts: Attempts, marks: Marks) -> None:
    """Refuse a history in which no rate comes twice: it is the one logged, not the one set."""
    assert marks.index is not None
    index = marks.index[~attempts.is_diverged]
    index = index[~np.isnan(index)]
    if len(index) < 6 or 2 * (attempts.point.max() + 1) <= len(attempts):
        return
    counts = np.unique(merge_lengths(index), return_counts=True)[1]
    if len(counts) > 2 and counts.max() < _MOST_AT_THE_END * len(index):
        raise TableError(
            f"runs: got a learning rate that changes from row to row where {marks.index_column!r} "
            "goes on, as one logged at every step does, wanted the rate that was set. Add a column "
            "with it and name it with --columns lr=NAME; if these are runs of different lengths, "
            f"say --columns steps={marks.index_column}."
        )
