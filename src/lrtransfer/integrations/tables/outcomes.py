"""What came of every row of a table: a loss, a divergence, or no run, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.curves.columns import BoolArray
from ...statistics.table import LARGEST_LOSS
from .cells import Cells
from .columns import Fields
from .numbers import DIVERGED_WORDS
from .states import read_flags, read_states

SMALL_LOSS = 0.01  # where most losses are larger, none is exactly 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcomes:
    """What came of R rows.

    Attributes:
        loss: Losses, +inf where a run diverged, NaN where none was made, shape (R,).
        left_out: How many rows are no runs, by the reason.
        notes: What was taken as what, one line each.
    """

    loss: FloatArray
    left_out: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def is_run(self) -> BoolArray:
        """Whether a row is a run that ended or diverged, shape (R,)."""
        return ~np.isnan(self.loss)


def read_outcomes(fields: Fields, *, maximize: bool, any_sign: bool = False) -> Outcomes:
    """Return what came of every row.

    Arguments:
        fields: The columns of a table by field.
        maximize: Whether the loss is a score, of which more is better.
        any_sign: Whether losses of 0 and below are judged, by a tolerance in units of the loss.

    Raises:
        TableError: If a loss is no number, or a score has no ceiling but needs one.
    """
    cells = fields.cells
    numbers = fields.numbers("loss")
    states = read_states(cells, _column(fields, "state"))
    said = states.is_diverged | read_flags(cells, _column(fields, "diverged"))
    _refuse_words(fields, numbers.is_wrong & ~said & (states.word < 0))
    is_number = ~numbers.is_blank & ~numbers.is_wrong
    too_large = is_number & np.isfinite(numbers.values) & (np.abs(numbers.values) > LARGEST_LOSS)
    not_finite = is_number & (~np.isfinite(numbers.values) | too_large)
    diverged = said | not_finite
    unfinished = (states.word >= 0) & ~diverged
    blank = numbers.is_blank & ~diverged & ~unfinished
    loss = np.where(diverged, np.inf, np.where(unfinished | blank, np.nan, numbers.values))
    left_out = {
        f"are called {word}": count
        for code, word in enumerate(states.unfinished)
        if (count := int((unfinished & (states.word == code)).sum()))
    }
    if blank.any():
        left_out["have no loss"] = int(blank.sum())
    if not maximize:
        _refuse_zeros(cells, loss)
    notes = [*_note_blanks(blank), *_note_divergence(said, not_finite, too_large)]
    if maximize:
        loss, note = turn_score(loss, any_sign=any_sign)
        notes.append(note)
    return Outcomes(loss=loss, left_out=left_out, notes=tuple(notes))


def turn_score(score: FloatArray, *, any_sign: bool = False) -> tuple[FloatArray, str]:
    """Return a score as a loss: what is missing to the ceiling, 1 or 100 %; else minus the score.

    Regret is a share of the best loss. A share of a score that nears its ceiling says nothing: at
    an accuracy of 0.99 all rates within 1 % are as good as perfect. What is wrong shrinks as a loss
    does.

    Arguments:
        score: Scores, +inf where a run diverged, NaN where none was made.
        any_sign: Whether losses of 0 and below are judged: then a score needs no ceiling.

    Raises:
        TableError: If a score is below 0 or above 100: it has no ceiling that is known.

    Example:
        >>> turn_score(np.array([0.9, 0.5, np.inf]))[0].round(6)
        array([0.1, 0.5, inf])
    """
    known = score[np.isfinite(score)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if low < 0 or high > 100:
        if any_sign:
            return np.where(np.isinf(score), np.inf, -score), "the loss is minus the score"
        raise TableError(
            f"maximize: got scores from {low:.6g} to {high:.6g}, wanted a share between 0 and 1 or "
            "a percentage: the regret is a share of what is missing to the ceiling. Give a "
            "tolerance in units of the score, which needs no ceiling (--tolerance-regret-abs; from "
            "Python: absolute_tolerance)."
        )
    ceiling = 1.0 if high <= 1 else 100.0
    if high == ceiling and not any_sign:
        raise TableError(
            f"maximize: got a score of {high:.6g}, wanted scores below their ceiling: nothing is "
            "missing, so that no share of it can be lost. Judge a loss, such as cross-entropy."
        )
    note = (
        f"the loss is {ceiling:.0f} minus the score: regret is a share of what is wrong, at best "
        f"{ceiling - high:.4g} here"
    )
    return np.where(np.isinf(score), np.inf, ceiling - score), note


def _column(fields: Fields, field: str) -> str | None:
    return fields.names[field].column if field in fields else None


def _refuse_words(fields: Fields, wrong: BoolArray) -> None:
    rows = np.flatnonzero(wrong)
    if not rows.size:
        return
    cells: Cells = fields.cells
    row = int(rows[0])
    text = str(cells.columns[fields.names["loss"].column][row])
    if text.strip().lower() in DIVERGED_WORDS:
        remedy = "If the run diverged, write nan; leave the cell blank only if it was not made."
    elif "±" in text or "(" in text:
        remedy = "Write the mean alone, and the standard deviation in a column of its own."
    else:
        remedy = "Correct it, write nan if the run diverged, or leave the cell blank if not made."
    raise TableError(
        f"runs: got loss in {cells.locate(row)}: {text[:40]!r}, wanted a number. {remedy}"
    )


def _refuse_zeros(cells: Cells, loss: FloatArray) -> None:
    """Refuse a loss of exactly 0 among others that are far from it."""
    rows = np.flatnonzero(loss == 0)
    known = loss[np.isfinite(loss) & (loss > 0)]
    if rows.size and known.size and np.median(known) > SMALL_LOSS:
        raise TableError(
            f"runs: got a loss of 0 in {cells.locate(int(rows[0]))}, wanted a positive loss: "
            "transformers' Trainer logs 0.0 for a loss of NaN. Write nan if the run diverged; "
            "leave out what was not made."
        )


def _note_blanks(blank: BoolArray) -> list[str]:
    if not blank.any():
        return []
    return [
        "pandas writes a loss of NaN as a blank: if runs without a loss diverged, write nan there, "
        "or add a column `status` that says diverged"
    ]


def _note_divergence(said: BoolArray, not_finite: BoolArray, too_large: BoolArray) -> list[str]:
    notes = []
    if by_word := int((said & ~not_finite).sum()):
        notes.append(f"{by_word} runs are said to have diverged, whatever their loss")
    if large := int(too_large.sum()):
        notes.append(
            f"{large} losses are beyond {LARGEST_LOSS:.3g}, the largest float32, which no loss of "
            "a model reaches: these runs diverged (MLflow writes infinity so)"
        )
    return notes
