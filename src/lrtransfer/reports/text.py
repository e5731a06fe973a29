"""Answers as text for people."""

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from ..statistics.answer import (
    Interval,
    Optimum,
    Quality,
    Regret,
    SchemeAnswer,
    axis_of,
)
from ..statistics.axis import AXES, Axis
from ..statistics.columns import seed_noise
from ..statistics.transfer import Judgement
from ..sweeps.describe import measure
from ..sweeps.result import StudyResult, warnings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def noise(result: StudyResult) -> str:
    """Say how much the held-out loss of one run scatters between seeds."""
    curves = [curve for scheme in result.answers for curve in result.table.curves(scheme)]
    deviation = seed_noise(curves)
    if deviation is None:
        return "its deviation between seeds unknown: one seed"
    return f"standard deviation {deviation:.2g} between seeds, beside each seed's own shift"


def print_study(result: StudyResult, page: Path | None) -> None:
    """Print the optima as a table, then each scheme's verdict with what it rests on."""
    from rich.console import Console

    console = Console(highlight=False)
    print_answers(result.answers, target=result.study.target, console=console)
    print_comparisons(result.answers, console=console)
    for confirmation in result.confirmations:
        console.print(f"\nConfirmed for {escape(str(confirmation))}.")
    counts = result.counts
    console.print(
        f"\n{counts.finished} of {counts.planned} runs finished, {counts.diverged} diverged, "
        f"{counts.reused} reused."
    )
    for line in result.choices:
        console.print(f"  {escape(line)}")
    console.print(f"{measure(result.study)}, {noise(result)}.")
    for note in warnings(result):
        console.print(f"[bold]Warning:[/] {escape(note)}")
    if page:
        console.print(f"Report: {escape(str(page))}", soft_wrap=True)


def print_answers(answers: Mapping[str, SchemeAnswer], *, target: int, console: "Console") -> None:
    """Print the optima of all schemes, then each scheme's verdict with what it rests on."""
    from rich.padding import Padding

    console.print(_optima_table(answers.values()))
    for answer in answers.values():
        console.print(
            f"\n[bold]{escape(answer.scheme)}: {answer.verdict}[/]. {escape(answer.reason)}"
        )
        for line in _verdict_lines(answer, target):
            console.print(Padding.indent(escape(line), 2))


def _optima_table(answers: Collection[SchemeAnswer]) -> "Table":
    from rich.table import Table

    table = Table(title="Learning rate with the lowest held-out loss")
    table.add_column("scheme", overflow="fold")
    for header in (axis_of(answers).name, "optimum log2 lr", "95 % interval", "lr", "status"):
        table.add_column(header, no_wrap=True)
    for answer in answers:
        for optimum in answer.optima:
            table.add_row(escape(answer.scheme), str(optimum.size), *_cells(optimum))
        table.add_section()
    return table


def _cells(optimum: Optimum) -> tuple[str, ...]:
    interval = f"{_bound(optimum.low)} … {_bound(optimum.high)}"
    if optimum.log2_lr is None:
        return "", interval, "", optimum.status
    return f"{optimum.log2_lr:.2f}", interval, f"{2**optimum.log2_lr:.4g}", optimum.status


def print_comparisons(judgement: Judgement, *, console: "Console") -> None:
    """Print how schemes differ, where the runs tell."""
    size = axis_of(judgement.values()).name
    for c in judgement.comparisons:
        told = [
            f"{what} {_difference(interval, scale, unit)}"
            for what, interval, scale, unit in (
                ("drift", c.drift, 1.0, " octaves per doubling"),
                (f"regret at {size} {c.size}", c.regret, 100.0, " %"),
                (f"best loss at {size} {c.size}", c.best_loss, 1.0, ""),
            )
            if interval is not None
        ]
        differences = "; ".join(told) or "these runs do not tell"
        console.print(f"\n{escape(c.scheme)} less {escape(c.reference)}: {differences}.")


def _difference(interval: Interval, scale: float, unit: str) -> str:
    low, high = (None if end is None else scale * end for end in (interval.low, interval.high))
    ends = ["?" if end is None else f"{end:+.3g}" for end in (low, high)]
    return f"{scale * interval.estimate:+.3g}{unit} ({ends[0]} … {ends[1]})"


def _regret(regret: Regret) -> str:
    """Return a regret with its interval, as shares of the best loss and in units of the loss."""
    low, high = ("?" if end is None else f"{100 * end:.3g} %" for end in (regret.low, regret.high))
    return (
        f"{100 * regret.estimate:.3g} %, interval {low} … {high}; "
        f"{regret.estimate * regret.best_loss:.3g} of the best loss {regret.best_loss:.4g}"
    )


def _quality(quality: Quality, axis: Axis) -> Iterator[str]:
    """Yield the three axes as far as they are known."""
    if quality.scatter is not None:
        yield f"optima scatter by {quality.scatter:.2g} octaves about their line"
    for regret, what in (
        (quality.extrapolation, f"the rate that {axis.less} {axis.plural} predict costs"),
        (quality.penalty, "the base's rate is expected to cost"),
    ):
        if regret is not None:
            yield f"{what} {100 * regret.estimate:.2g} % at {axis.name} {regret.size}"


def _bound(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _verdict_lines(answer: SchemeAnswer, target: int) -> Iterator[str]:
    axis = AXES[answer.axis]
    if drift := answer.drift:
        yield (
            f"drift: {drift.estimate:+.2f} octaves per doubling of {axis.name}, 95 % "
            f"{_bound(drift.low)} … {_bound(drift.high)}"
        )
    if p := answer.prediction:
        yield (
            f"learning rate for {axis.name} {target}: {p.lr:.3g} = 2^{math.log2(p.lr):.2f}, 95 % "
            f"{p.low:.3g} … {p.high:.3g}, if {p.assumption}"
        )
    else:
        yield f"learning rate for {axis.name} {target}: cannot be said from these runs"
    for regret in answer.regrets:
        kind = "regret" if regret.measured else "regret expected"
        yield f"{kind} at {axis.name} {regret.size}: {_regret(regret)}"
    if quality := "; ".join(_quality(answer.quality, axis)):
        yield f"quality: {quality}"
    yield answer.covers
    for line in answer.evidence:
        yield f"would settle it: {line}"
