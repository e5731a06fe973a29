"""Answers and estimates as text for people."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from ..statistics.axis import AXES
from ..study.describe import describe_measurement
from ..study.search import AdaptiveSearch
from ..study.study import Study
from ..sweeps.cost import Estimate, SizeCost
from ..sweeps.result import StudyResult, list_warnings
from .facts import describe_confirmation, describe_counts, describe_noise, name_loss_unit
from .judgement import print_judgement
from .notation import format_rate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def print_study(result: StudyResult, page: Path | None, *, console: "Console") -> None:
    """Print the optima as a table, then each scheme's verdict with what it rests on.

    Arguments:
        result: What the study gave.
        page: Where its report is, if it could be written.
        console: Where to print.
    """
    unit = name_loss_unit(result.study)
    if result.answers:
        print_judgement(result.answers, target=result.study.target, unit=unit, console=console)
    else:
        console.print("[bold]No verdict yet.[/]")
    for confirmation in result.confirmations:
        console.print(f"\nPredicted and measured, {escape(describe_confirmation(confirmation))}.")
    console.print(f"\n{describe_counts(result.counts)}, {result.counts.reused} reused.")
    for line in result.choices:
        console.print(f"  {escape(line)}")
    console.print(f"{escape(describe_measurement(result.study))}; {describe_noise(result)}.")
    for note in list_warnings(result):
        console.print(f"[bold]Warning:[/] {escape(note)}")
    if page:
        console.print(f"Report: {escape(str(page))}", soft_wrap=True)


def print_estimate(study: Study, estimate: Estimate, *, console: "Console") -> None:
    """Print what each size of a study would cost in a table, and what is unknown.

    Arguments:
        study: What would be done.
        estimate: Its cost.
        console: Where to print.
    """
    axis = AXES[study.along].name
    console.print(_make_cost_table(study, estimate, axis))
    console.print(_describe_runs(study, estimate))
    flops = estimate.flops
    operations = "" if flops is None else f"{flops:.3g} FLOPs, "
    console.print(
        f"In total {operations}{_format_time(estimate.seconds)} with {estimate.workers} workers, "
        f"{_format_bytes(estimate.disk)} on disk."
    )
    target = estimate.target
    if target.each.flops is not None and flops:
        directly = target.runs * target.each.flops
        console.print(
            f"The same {target.runs} runs at {axis} {target.size} itself: "
            f"{directly:.3g} FLOPs, {directly / flops:.3g} times as many."
        )
    if isinstance(study.search, AdaptiveSearch):
        budget = study.search.budget
        console.print(f"Adaptive: it stops at {budget.amount:g} {budget.unit} at the latest.")
    if estimate.seconds is None:
        console.print("What the command costs is known once a run of each size has finished.")


def _make_cost_table(study: Study, estimate: Estimate, axis: str) -> "Table":
    from rich.table import Table

    headers = (axis, "runs", "parameters", "tokens", "FLOPs", "time", "memory")
    title = f"{escape(study.name)}: each run of a {axis}; nothing was trained"
    table = Table(*headers, title=title)
    for cost in estimate.sizes:
        table.add_row(*_format_cost(cost))
    if estimate.confirming is not None:
        table.add_row(*_format_cost(estimate.confirming, note=" (to confirm)"))
    table.add_section()
    table.add_row(*_format_cost(estimate.target, note=" (target, tuned directly)"))
    return table


def _describe_runs(study: Study, estimate: Estimate) -> str:
    rates = sorted({planned.run.lr for planned, _ in estimate.runs})
    if not rates:
        return f"All {estimate.finished} runs are finished."
    low, high = (format_rate(math.log2(rate), tried=True) for rate in (rates[0], rates[-1]))
    first = "first round: " if isinstance(study.search, AdaptiveSearch) else ""
    return (
        f"{first}{len(estimate.runs)} runs, {len(rates)} learning rates from {low} to {high}; "
        f"{estimate.finished} more are finished."
    )


def _format_cost(cost: SizeCost, *, note: str = "") -> tuple[str, ...]:
    each = cost.each
    return (
        f"{cost.size}{note}",
        str(cost.runs),
        "?" if each.parameters is None else f"{each.parameters:,}",
        "" if each.tokens is None else f"{each.tokens:,}",
        "?" if each.flops is None else f"{each.flops:.3g}",
        _format_time(each.seconds),
        "?" if each.memory is None else _format_bytes(each.memory),
    )


def _format_time(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _format_bytes(count: int) -> str:
    return f"{count / 1e6:.3g} MB" if count < 1e9 else f"{count / 1e9:.3g} GB"
