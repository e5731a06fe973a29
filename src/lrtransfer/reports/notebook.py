"""An answer as a notebook shows it: a compact table, in HTML that stands alone."""

from collections.abc import Iterable

from ..statistics.answer import axis_of
from ..statistics.table import RunTable
from ..statistics.transfer import Judgement
from .html import load_template
from .notation import LOSS_UNIT, NOTHING, format_comparison, format_prediction_range
from .tables import make_headline, make_optimum_table


def render_answer(
    table: RunTable,
    judgement: Judgement,
    *,
    target: int,
    warnings: Iterable[str] = (),
    unit: str = LOSS_UNIT,
) -> str:
    """Return verdict, optimum of every size and learning rate for the target, as escaped HTML.

    Arguments:
        table: The runs.
        judgement: What is concluded from them.
        target: Size the learning rate is wanted for.
        warnings: What to know before believing it.
        unit: Unit of the loss.
    """
    axis = axis_of(judgement.values())
    answers = [
        {
            "headline": make_headline(answer, target=target),
            "optima": make_optimum_table(table, answer).rows,
            "interval": (
                NOTHING if answer.prediction is None else format_prediction_range(answer.prediction)
            ),
        }
        for answer in judgement.values()
    ]
    return load_template("answer.html").render(
        axis=axis,
        target=target,
        answers=answers,
        comparisons=[format_comparison(c, axis, unit=unit) for c in judgement.comparisons],
        warnings=list(warnings),
        runs=len(table.observations),
    )
