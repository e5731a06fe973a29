"""What makes the losses of a table doubtful: they are another field, or look like a score."""

import numpy as np

from ...errors import TableError
from ...statistics.table import LossCurve, RunTable
from .columns import Fields
from .outcomes import Outcomes

_NUMERIC = ("width", "params", "depth", "lr", "seed", "steps", "batch", "tokens")
_LEAST_RATES, _LEAST_CURVES = 4, 2  # fewer may rise and fall by chance


def refuse_same_values(fields: Fields, outcomes: Outcomes) -> None:
    """Refuse losses that are the values of another field.

    Arguments:
        fields: The columns of a table by field.
        outcomes: What came of each row.

    Raises:
        TableError: If they are.
    """
    losses = fields.numbers("loss").values
    ended = np.isfinite(outcomes.loss) & ~np.isnan(losses)
    if not ended.any() or losses[ended].min() == losses[ended].max():
        return
    for field in _NUMERIC:
        if field in fields and np.array_equal(losses[ended], fields.numbers(field).values[ended]):
            columns = [fields.names[each].column for each in ("loss", field)]
            raise TableError(
                f"runs: got the same values in {columns[0]!r}, read as the loss, and "
                f"{columns[1]!r}, read as the {field}, wanted a loss. Name its column with "
                "--columns loss=NAME."
            )


def note_score(table: RunTable) -> list[str]:
    """Return a question where every curve rises and falls again, as a score does.

    Example:
        >>> from ...statistics.table import Observation
        >>> scores = ((w, x, 0.9 - 0.02 * (x + 7) ** 2) for w in (64, 128) for x in range(-10, -3))
        >>> table = RunTable([Observation("all", w, 2.0**x, 0, s) for w, x, s in scores])
        >>> note_score(table)[0][:58]
        'every curve rises and falls again with the learning rate, '
    """
    curves = [curve for scheme in table.schemes for curve in table.curves(scheme)]
    if len(curves) < _LEAST_CURVES or not all(_is_hill(curve) for curve in curves):
        return []
    return [
        "every curve rises and falls again with the learning rate, as a score does and a loss does "
        "not: if more is better, add --maximize (maximize=True)"
    ]


def _is_hill(curve: LossCurve) -> bool:
    """Tell whether the losses rise to one highest point within the rates, and fall after it."""
    finite = np.isfinite(curve.loss)
    made = finite.any(axis=0)
    mean = np.where(finite, curve.loss, 0).sum(axis=0)[made] / finite.sum(axis=0)[made]
    if len(mean) < _LEAST_RATES:
        return False
    top = int(mean.argmax())
    steps = np.diff(mean)
    return bool(0 < top < len(mean) - 1 and (steps[:top] >= 0).all() and (steps[top:] <= 0).all())
