"""Judgements as text and as JSON, wherever the runs come from.

Nothing here knows studies: they take longer to load than `verdict` takes to answer.
"""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from ..statistics.answer import SchemeAnswer, axis_of
from ..statistics.axis import AXES
from ..statistics.transfer import Judgement
from .left_out import describe_check, list_left_out
from .notation import LOSS_UNIT, format_comparison, format_optimum, format_optimum_range
from .quantities import STATUSES, list_quantities

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_judgement(
    judgement: Judgement, *, target: int, console: "Console", unit: str = LOSS_UNIT
) -> None:
    """Print the optima, each scheme's verdict with what it rests on, and how schemes differ.

    Arguments:
        judgement: What was concluded.
        target: Size the learning rate is wanted for.
        console: Where to print.
        unit: Unit of the loss.
    """
    from rich.padding import Padding

    console.print(_make_optimum_table(judgement.values()))
    for answer in judgement.values():
        console.print(
            f"\n[bold]{escape(answer.scheme)}: {answer.verdict}[/]. {escape(answer.reason)}"
        )
        if answer.hangs_on is not None:
            console.print(Padding.indent(escape(f"it hangs {answer.hangs_on}"), 2))
        quantities = list_quantities(answer, target=target, unit=unit)
        lines = [f"{name}: {value}" for name, value in quantities]
        if answer.prediction is not None:
            lines.append(f"the learning rate assumes: {answer.prediction.assumption}")
        lines += list_left_out(answer, unit=unit)
        lines += [answer.covers, *(f"would settle it: {line}" for line in answer.evidence)]
        for line in lines:
            console.print(Padding.indent(escape(line), 2))
    axis = axis_of(judgement.values())
    for comparison in judgement.comparisons:
        console.print(f"\n{escape(format_comparison(comparison, axis, unit=unit))}.")


def _make_optimum_table(answers: Collection[SchemeAnswer]) -> "Table":
    from rich.table import Table

    table = Table(title="Learning rate with the lowest held-out loss")
    table.add_column("scheme", overflow="fold")
    for header in (axis_of(answers).name, "learning rate", "95 % CI", "status"):
        table.add_column(header, no_wrap=True)
    for answer in answers:
        for optimum in answer.optima:
            table.add_row(
                escape(answer.scheme),
                str(optimum.size),
                format_optimum(optimum),
                format_optimum_range(optimum),
                STATUSES[optimum.status],
            )
        table.add_section()
    return table


def judgement_document(judgement: Judgement, *, notes: Iterable[str]) -> dict[str, Any]:
    """Return what is concluded from runs made elsewhere, as the document of `verdict --json`."""
    return {**make_judgement_part(judgement), "warnings": list(notes)}


def make_judgement_part(judgement: Judgement) -> dict[str, Any]:
    """Return what every document says of a judgement."""
    return {
        "schemes": {name: _scheme_document(answer) for name, answer in judgement.items()},
        "comparisons": [asdict(comparison) for comparison in judgement.comparisons],
        "failed_runs": [asdict(failed) for failed in judgement.failures],
    }


def _scheme_document(answer: SchemeAnswer) -> dict[str, Any]:
    return {
        "axis": answer.axis,
        "verdict": answer.verdict,
        "reason": answer.reason,
        "covers": answer.covers,
        "regret": asdict(answer.regret) if answer.regret else None,
        "regrets": [asdict(regret) for regret in answer.regrets],
        "quality": asdict(answer.quality),
        "drift": asdict(answer.drift) if answer.drift else None,
        "optima": [asdict(optimum) for optimum in answer.optima],
        "prediction": asdict(answer.prediction) if answer.prediction else None,
        "hangs_on": answer.hangs_on,
        "narrowing": (
            {"text": str(answer.narrowing), **asdict(answer.narrowing)}
            if answer.narrowing
            else None
        ),
        "check": None if answer.left_out is None else _check_document(answer),
        "evidence": [{"text": str(e), **asdict(e)} for e in answer.evidence],
    }


def _check_document(answer: SchemeAnswer) -> dict[str, Any]:
    opinion = answer.left_out
    assert opinion is not None
    return {
        "text": describe_check(opinion, AXES[answer.axis]),
        "held": opinion.held,
        "judged": opinion.judged,
        "median_octaves": opinion.miss,
        "sizes": [asdict(one) for one in opinion.sizes],
    }
