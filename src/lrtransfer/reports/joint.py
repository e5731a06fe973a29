"""Answers over two sizes as text and as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from ..statistics.answer import Interval, Optimum, Prediction
from ..statistics.axis import AXES
from ..statistics.batches import BestBatch
from ..statistics.joint import CellOptimum, Pair, PairAnswer, PairJudgement, describe_pair
from .notation import (
    format_drift,
    format_interval,
    format_optimum,
    format_optimum_range,
    format_prediction,
    format_range,
    format_rate,
    format_rate_range,
    format_slope,
)
from .quantities import STATUSES

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_pairs(
    judgement: PairJudgement, *, target: Pair, conditions: str, console: "Console"
) -> None:
    """Print the optimum of every cell, and how each scheme's optimum moves over both sizes.

    Arguments:
        judgement: What was concluded.
        target: Pair of sizes that the learning rate is wanted for.
        conditions: What all runs have in common.
        console: Where to print.
    """
    from rich.padding import Padding

    console.print(_make_table(judgement.answers))
    for answer in judgement.answers.values():
        console.print(f"\n[bold]{escape(answer.scheme)}[/]: {escape(answer.reason)}.")
        for line in list_pair_lines(answer, target=target):
            console.print(Padding.indent(escape(line), 2))
    if conditions:
        console.print(f"At these conditions: {escape(conditions)}.")


def list_pair_lines(answer: PairAnswer, *, target: Pair) -> Iterator[str]:
    """Yield what an answer over two sizes says, a line each.

    Arguments:
        answer: What was concluded for a scheme.
        target: Pair of sizes that the learning rate is wanted for.
    """
    if answer.slopes is not None:
        for axis, slope in zip(answer.axes, answer.slopes, strict=True):
            yield f"drift: {format_drift(slope, AXES[axis])}"
    if answer.interaction is not None:
        first, second = (AXES[axis].name for axis in answer.axes)
        yield (
            f"interaction: a doubling of {second} changes the drift over {first} by "
            f"{_format_slope(answer.interaction)} octaves per doubling"
        )
    found, where = answer.prediction, describe_pair(answer.axes, target)
    if found is None:
        yield f"learning rate for {where}: cannot be said from these runs"
        return
    shown = Prediction(
        size=found.sizes[0],
        lr=found.lr,
        low=found.low,
        high=found.high,
        middle=found.middle,
        assumption="",
    )
    yield f"learning rate for {where}: {format_prediction(shown)}"


def pair_document(
    judgement: PairJudgement, *, conditions: str, notes: Iterable[str]
) -> dict[str, Any]:
    """Return the document of `verdict --json` along two axes."""
    answers = {name: asdict(answer) for name, answer in judgement.answers.items()}
    return {"schemes": answers, "conditions": conditions, "warnings": list(notes)}


def _format_slope(slope: Interval) -> str:
    ends = (
        None if end is None else format_slope(end, signed=True) for end in (slope.low, slope.high)
    )
    interval = format_interval(format_range(*ends))
    return f"{format_slope(slope.estimate, signed=True)} {interval}"


def _make_table(answers: Mapping[str, PairAnswer]) -> "Table":
    from rich.table import Table

    table = Table(title="Learning rate with the lowest held-out loss")
    table.add_column("scheme", overflow="fold")
    axes = next(iter(answers.values())).axes
    for header in (*(AXES[axis].name for axis in axes), "learning rate", "95 % CI", "status"):
        table.add_column(header, no_wrap=True)
    for answer in answers.values():
        for cell in answer.optima:
            optimum = _forget_pair(cell)
            table.add_row(
                escape(answer.scheme),
                *map(str, cell.sizes),
                format_optimum(optimum),
                format_optimum_range(optimum),
                STATUSES[cell.status],
            )
        table.add_section()
    return table


def _forget_pair(cell: CellOptimum) -> Optimum:
    """Return the optimum of a cell in the form that is written for one size."""
    return Optimum(
        size=cell.sizes[0],
        log2_lr=cell.log2_lr,
        low=cell.low,
        high=cell.high,
        status=cell.status,
    )


def format_best_batch(best: BestBatch, name: str) -> str:
    """Return the batch of the lowest loss at a size, and the learning rate that goes with it.

    Arguments:
        best: The batch.
        name: What a size is called.

    Example:
        >>> best = BestBatch(scheme="all", size=64, batch=Interval(90.5, 64.0, 128.0),
        ...     log2_lr=Interval(-8.0, -8.5, -7.5), losses=())
        >>> format_best_batch(best, "width")
        'best batch size of all at width 64: 90 (95 % CI 64 to 128), there learning rate \
0.00391 = 2^-8 (95 % CI 0.00276 to 0.00552)'
    """
    batch, rate = best.batch, best.log2_lr
    ends = (None if end is None else f"{end:.0f}" for end in (batch.low, batch.high))
    return (
        f"best batch size of {best.scheme} at {name} {best.size}: {batch.estimate:.0f} "
        f"{format_interval(format_range(*ends))}, there learning rate {format_rate(rate.estimate)} "
        f"{format_interval(format_rate_range(rate.low, rate.high))}"
    )
