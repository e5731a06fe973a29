"""`lrtransfer theory curve`: the loss of every learning rate at every step."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..command import Command, Json, print_json, wide_console
from ..numbers import at_least
from .options import ProblemArguments, read_width
from .rates import read_rates

if TYPE_CHECKING:
    from ...theory.exact.curve import Curve as LossCurve


@dataclass(frozen=True, kw_only=True)
class Curve(Command):
    """Show the loss of learning rates at steps 0 … t.

    Example: lrtransfer theory curve --synthetic 500,10,0.1,0 --depth 3 --steps 5 --lrs 0:2:9
    """

    problem: ProblemArguments
    lrs: Annotated[str, tyro.conf.arg(metavar="LR,…|LOW:HIGH:COUNT")]
    """Learning rates, such as 0.1,0.2,2^-3, or a range; write --lrs=-0.1 for negative ones."""
    width: Annotated[str, tyro.conf.arg(metavar="inf|N")] = "inf"
    """Width; inf for the limit under μP."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "1"
    """Initial draws at a finite width."""
    json: Json = False

    def run(self) -> int:
        """Compute and print."""
        from ...theory.exact.curve import loss_curve

        steps, width = self.problem.step_count, read_width(self.width)
        curve = loss_curve(
            self.problem.problem(),
            read_rates(self.lrs),
            steps=steps,
            width=width,
            seeds=at_least(1)("seeds", self.seeds),
        )
        if self.json:
            print_json(as_document(curve))
        else:
            as_text(curve, width)
        return 0


def as_document(curve: "LossCurve") -> dict[str, Any]:
    """Return the losses as the JSON document of `theory curve --json`; overflow is null."""
    return {
        "lrs": curve.lrs.tolist(),
        "loss": _rows(curve.loss),
        "sd": None if curve.sd is None else _rows(curve.sd),
    }


def _rows(values: Any) -> list[list[float | None]]:
    return [[x if math.isfinite(x) else None for x in row] for row in values.tolist()]


def as_text(curve: "LossCurve", width: int | None) -> None:
    """Print the losses as a table, then the best of the rates."""
    from rich.table import Table

    where = "infinite width" if width is None else f"width {width:,}"
    last = curve.loss.shape[1] - 1
    steps = sorted({0, last // 4, last // 2, last})
    headers = ("lr", *(f"step {step}" for step in steps))
    table = Table(*headers, title=f"Loss at {where}")
    for i, lr in enumerate(curve.lrs):
        table.add_row(f"{lr:.6g}", *(_cell(curve, i, step) for step in steps))
    console = wide_console()
    console.print(table)
    console.print(_meaning(curve, last))


def _cell(curve: "LossCurve", i: int, step: int) -> str:
    loss = curve.loss[i, step]
    if not math.isfinite(loss):
        return "overflow"
    return f"{loss:.6g}" if curve.sd is None else f"{loss:.6g} ± {curve.sd[i, step]:.2g}"


def _meaning(curve: "LossCurve", last: int) -> str:
    losses = curve.loss[:, last].tolist()
    finite = [i for i, loss in enumerate(losses) if math.isfinite(loss)]
    if not finite:
        return "Training overflows at every one of these learning rates."
    best = min(finite, key=losses.__getitem__)
    return (
        f"Of these learning rates {curve.lrs[best]:.6g} has the lowest loss after {last} steps, "
        f"{losses[best]:.6g}; the minimum itself may lie between them."
    )
