"""How a run ended, in the words of trackers, schedulers and people.

Divergence is an outcome; a run that did not end is none. Only states that are known to be those of
a finished run count as such.
"""

import re
from dataclasses import dataclass

import numpy as np

from ...errors import TableError
from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array
from .cells import Cells, Labels, label
from .names import DIALECTS
from .synetune import REPORTED_STATE, REPORTING

FINISHED = frozenset({"finished", "completed", "complete"}).union(
    *(dialect.finished for dialect in DIALECTS)
)
UNFINISHED = frozenset().union(*(dialect.unfinished for dialect in DIALECTS))
DIVERGED = frozenset({
    "diverged", "diverge", "divergence", "diverging", "nan", "nan_loss", "loss_nan", "is_nan",
    "inf", "infinite", "non_finite", "nonfinite", "not_finite", "exploded", "explosion",
    "blown_up", "blew_up", "overflow", "overflowed", "unstable",
})  # fmt: skip
_TRUE, _FALSE = {"true", "1", "1.0", "yes", "y", "t"}, {"false", "0", "0.0", "no", "n", "f"}
_BLANK = {"", "none", "null", "<na>", "n/a", "na", "nat", "-"}


@dataclass(frozen=True, eq=False)
class States:
    """How the R runs of a table ended.

    Attributes:
        is_diverged: Whether a run is said to have diverged, shape (R,).
        unfinished: The words for runs that did not end, or that are not known.
        word: Which of these words a run has, -1 for a run that ended, shape (R,).
    """

    is_diverged: BoolArray
    unfinished: tuple[str, ...]
    word: Int64Array


def read_states(cells: Cells, column: str | None) -> States:
    """Return how runs ended.

    Arguments:
        cells: The table.
        column: Its column of states; None where there is none.

    Example:
        >>> import pyarrow as pa
        >>> states = pa.array(["TrialState.PRUNED", "Diverged", None, "FINISHED", "who knows"])
        >>> found = read_states(Cells(name="mine", columns={"s": states}, rows=np.arange(5)), "s")
        >>> found.is_diverged, found.unfinished, found.word
        (array([False,  True, False, False, False]), ('pruned', 'who knows'), \
array([ 0, -1, -1, -1,  1]))
    """
    if column is None:
        return States(np.zeros(len(cells), dtype=np.bool_), (), np.full(len(cells), -1))
    labels = label(cells.columns[column])
    finished = FINISHED | ({REPORTING} if REPORTED_STATE in column.lower() else set())
    words = [shorten(name) for name in labels.names]
    ended = {w for w in words if _compare(w) in finished or w in _BLANK or says_diverged(w)}
    unfinished = tuple(dict.fromkeys(word for word in words if word not in ended))
    codes = [unfinished.index(word) if word not in ended else -1 for word in words]
    is_diverged = [says_diverged(word) for word in words]
    return States(
        np.array([*is_diverged, False])[labels.codes],
        unfinished,
        np.array([*codes, -1])[labels.codes],
    )


def holds_states(labels: Labels) -> bool:
    """Return whether a column holds a state that is known."""
    words = [shorten(name) for name in labels.names]
    return any(_compare(w) in FINISHED | UNFINISHED or says_diverged(w) for w in words)


def says_diverged(state: str) -> bool:
    """Tell whether a state says that a run diverged, in one word or in a sentence.

    Example:
        >>> [says_diverged(state) for state in ("diverged", "failed (loss is nan)", "not diverged")]
        [True, True, False]
    """
    words = set(re.split(r"[^a-z]+", state))
    return _compare(state) in DIVERGED or bool(words & DIVERGED and not words & {"not", "no"})


def read_flags(cells: Cells, column: str | None) -> BoolArray:
    """Return which runs are marked as diverged in a column of truth values.

    Arguments:
        cells: The table.
        column: The column; None where there is none.

    Raises:
        TableError: If a cell is no truth value.
    """
    if column is None:
        return np.zeros(len(cells), dtype=np.bool_)
    labels = label(cells.columns[column])
    words = [name.lower() for name in labels.names]
    for word, name in zip(words, labels.names, strict=True):
        if word not in _TRUE | _FALSE | _BLANK:
            row = int(np.flatnonzero(labels.codes == labels.names.index(name))[0])
            raise TableError(
                f"runs: got {column} in {cells.locate(row)}: {name[:40]!r}, wanted true or false. "
                "Correct it or leave the cell blank."
            )
    return labels.select(np.array([word in _TRUE for word in words], dtype=np.bool_))


def shorten(name: str) -> str:
    """Return a state in small letters, without the name of its class.

    Example:
        >>> shorten("TrialState.PRUNED"), shorten(" Done ")
        ('pruned', 'done')
    """
    lowered = name.strip().lower()
    return lowered.rpartition(".")[2] if re.fullmatch(r"[a-z_]+\.[a-z_]+", lowered) else lowered


def _compare(word: str) -> str:
    return "_".join(word.replace("-", " ").replace("_", " ").split())
