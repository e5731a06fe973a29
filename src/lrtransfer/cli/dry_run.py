"""What a study would cost, as a table or as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from ..sweeps.estimate import Estimate, WidthCost
from ..sweeps.study import Study
from .command import print_json, wide_console


def print_estimate(study: Study, found: Estimate, *, as_json: bool) -> None:
    """Print every run in JSON, or each width in a table, and what is unknown."""
    if as_json:
        costs = {cost.width: asdict(cost) for cost in found.widths}
        per_run = ("parameters", "tokens", "flops", "seconds")
        print_json({
            "study": study.name,
            "runs": [
                {"scheme": run.scheme, "width": run.width, "lr": run.lr, "seed": run.seed}
                | {key: costs[run.width][key] for key in per_run}
                for run in found.runs
            ],
            "finished": found.finished,
            "widths": [asdict(cost) for cost in found.widths],
            "total": {
                "runs": len(found.runs),
                "flops": _total(found.widths),
                "hours": None if found.seconds is None else found.seconds / 3600,
                "disk": found.disk,
                "workers": found.workers,
            },
            "target_directly": asdict(found.target),
        })
        return
    _print_table(study, found)


def _total(widths: Sequence[WidthCost]) -> float | None:
    known = [cost.runs * cost.flops for cost in widths if cost.flops is not None]
    return sum(known) if known and len(known) == len(widths) else None


def _print_table(study: Study, found: Estimate) -> None:
    from rich.table import Table

    console = wide_console()
    headers = ("width", "runs", "parameters", "tokens", "FLOPs", "time", "memory")
    table = Table(*headers, title=f"{study.name}: each run of a width; nothing was trained")
    for cost in found.widths:
        table.add_row(*_row(cost))
    table.add_section()
    table.add_row(*_row(found.target, note=" (target, tuned directly)"))
    console.print(table)
    rates = sorted({run.lr for run in found.runs})
    if not rates:
        console.print(f"All {found.finished} runs are finished.")
    else:
        low, high = (f"2^{math.log2(rate):.4g}" for rate in (rates[0], rates[-1]))
        first = "first round: " if study.design == "adaptive" else ""
        console.print(
            f"{first}{len(found.runs)} runs, {len(rates)} learning rates from {low} to {high}; "
            f"{found.finished} more are finished."
        )
    flops = _total(found.widths)
    operations = "" if flops is None else f"{flops:.3g} FLOPs, "
    console.print(
        f"In total {operations}{_time(found.seconds)} with {found.workers} workers, "
        f"{_size(found.disk)} on disk."
    )
    target = found.target
    if target.flops is not None and flops:
        console.print(
            f"The same {target.runs} runs at width {target.width} itself: "
            f"{target.runs * target.flops:.3g} FLOPs, "
            f"{target.runs * target.flops / flops:.3g} times as many."
        )
    if study.design == "adaptive":
        limit = study.limit
        console.print(f"Adaptive: it stops at {limit.amount:g} {limit.unit} at the latest.")
    if found.seconds is None:
        console.print("What the command costs is known once a run of each width has finished.")


def _row(cost: WidthCost, *, note: str = "") -> tuple[str, ...]:
    return (
        f"{cost.width}{note}",
        str(cost.runs),
        "?" if cost.parameters is None else f"{cost.parameters:,}",
        "?" if cost.tokens is None else f"{cost.tokens:,}",
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
