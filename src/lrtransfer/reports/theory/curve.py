"""Losses of learning rates at every step, as a JSON document and as a table for people."""

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ...theory.exact.curve import ExactCurve


def curve_document(curve: "ExactCurve") -> dict[str, Any]:
    """Return the losses as the JSON document of `theory curve --json`; overflow is null."""
    return {
        "lrs": curve.lrs.tolist(),
        "loss": _list_finite(curve.loss),
        "sd": None if curve.sd is None else _list_finite(curve.sd),
    }


def _list_finite(values: Any) -> list[list[float | None]]:
    return [[x if math.isfinite(x) else None for x in row] for row in values.tolist()]


def print_curve(curve: "ExactCurve", width: int | None, *, console: Console) -> None:
    """Print the losses as a table, then the best of the rates."""
    where = "infinite width" if width is None else f"width {width:,}"
    last = curve.loss.shape[1] - 1
    steps = sorted({0, last // 4, last // 2, last})
    headers = ("lr", *(f"step {step}" for step in steps))
    table = Table(*headers, title=f"Loss at {where}")
    for i, lr in enumerate(curve.lrs):
        table.add_row(f"{lr:.6g}", *(_format_loss(curve, i, step) for step in steps))
    console.print(table)
    console.print(_summarize(curve, last))


def _format_loss(curve: "ExactCurve", i: int, step: int) -> str:
    loss = curve.loss[i, step]
    if not math.isfinite(loss):
        return "overflow"
    return f"{loss:.6g}" if curve.sd is None else f"{loss:.6g} ± {curve.sd[i, step]:.2g}"


def _summarize(curve: "ExactCurve", last: int) -> str:
    losses = curve.loss[:, last].tolist()
    finite = [i for i, loss in enumerate(losses) if math.isfinite(loss)]
    if not finite:
        return "Training overflows at every one of these learning rates."
    best = min(finite, key=losses.__getitem__)
    return (
        f"Of these learning rates {curve.lrs[best]:.6g} has the lowest loss after {last} steps, "
        f"{losses[best]:.6g}; the minimum itself may lie between them."
    )
