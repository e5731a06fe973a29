"""What a study would cost, as a table for people."""

import math
from typing import TYPE_CHECKING

from ..statistics.axis import AXES
from ..sweeps.estimate import Estimate, RunCost, SizeCost
from ..sweeps.study import Study

if TYPE_CHECKING:
    from rich.console import Console


def print_estimate(study: Study, found: Estimate, *, console: "Console") -> None:
    """Print the cost of each size in a table, and what is unknown."""
    from rich.table import Table

    axis = AXES[study.along].name
    headers = (axis, "runs", "parameters", "tokens", "FLOPs", "time", "memory")
    title = f"{study.name}: each run of a {axis}; nothing was trained"
    table = Table(*headers, title=title)
    for cost in found.sizes:
        table.add_row(*_row(cost))
    if found.confirming is not None:
        table.add_row(*_row(found.confirming, note=" (to confirm)"))
    table.add_section()
    table.add_row(*_row(found.target, note=" (target, tuned directly)"))
    console.print(table)
    rates = sorted({p.run.lr for p, _ in found.runs})
    if not rates:
        console.print(f"All {found.finished} runs are finished.")
    else:
        low, high = (f"2^{math.log2(rate):.4g}" for rate in (rates[0], rates[-1]))
        first = "first round: " if study.design == "adaptive" else ""
        console.print(
            f"{first}{len(found.runs)} runs, {len(rates)} learning rates from {low} to {high}; "
            f"{found.finished} more are finished."
        )
    flops = found.flops
    operations = "" if flops is None else f"{flops:.3g} FLOPs, "
    console.print(
        f"In total {operations}{_time(found.seconds)} with {found.workers} workers, "
        f"{_size(found.disk)} on disk."
    )
    target = found.target
    if target.each.flops is not None and flops:
        directly = target.runs * target.each.flops
        console.print(
            f"The same {target.runs} runs at {axis} {target.size} itself: "
            f"{directly:.3g} FLOPs, {directly / flops:.3g} times as many."
        )
    if study.design == "adaptive":
        limit = study.limit
        console.print(f"Adaptive: it stops at {limit.amount:g} {limit.unit} at the latest.")
    if found.seconds is None:
        console.print("What the command costs is known once a run of each size has finished.")


def _row(size: SizeCost, *, note: str = "") -> tuple[str, ...]:
    cost: RunCost = size.each
    return (
        f"{size.size}{note}",
        str(size.runs),
        "?" if cost.parameters is None else f"{cost.parameters:,}",
        "" if cost.tokens is None else f"{cost.tokens:,}",
        "?" if cost.flops is None else f"{cost.flops:.3g}",
        _time(cost.seconds),
        "?" if cost.memory is None else _size(cost.memory),
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _size(count: int) -> str:
    return f"{count / 1e6:.3g} MB" if count < 1e9 else f"{count / 1e9:.3g} GB"
