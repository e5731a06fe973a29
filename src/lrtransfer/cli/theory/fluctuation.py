"""`lrtransfer theory fluctuation`: spread and bias of the best learning rate at finite widths."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..command import Command, Json, print_json, wide_console
from ..numbers import at_least, listed
from ..tune import option
from .options import ProblemArguments
from .rates import read_interval

if TYPE_CHECKING:
    from ...scaling import Exponent
    from ...theory.exact.fluctuation import Fluctuation as Found


@dataclass(frozen=True, kw_only=True)
class Fluctuation(Command):
    """Measure how spread and bias of the best learning rate fall with width, under μP.

    Example: lrtransfer theory fluctuation --synthetic 500,10,0.1,0 --depth 3 --steps 1
    """

    problem: ProblemArguments
    widths: Annotated[str, tyro.conf.arg(metavar="N,…")] = "64,128,256,512"
    """At least three widths."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "40"
    """Pairs of draws, V and −V, at each."""
    interval: Annotated[str | None, option("A,B")] = None
    """Interval to search; by default around the limit."""
    band: Annotated[str | None, option("N")] = None
    """Width at which to say where 95 % of draws lie; by default the largest."""
    json: Json = False

    def run(self) -> int:
        """Measure and print."""
        settings: dict[str, Any] = {
            "steps": at_least(1)("steps", self.problem.steps),
            "widths": listed(at_least(1))("widths", self.widths),
            "seeds": at_least(2)("seeds", self.seeds),
            "interval": None if self.interval is None else read_interval(self.interval),
        }
        width = None if self.band is None else at_least(1)("band", self.band)
        from ...theory.exact.fluctuation import fluctuation

        found = fluctuation(self.problem.problem(), **settings)
        width = width or found.scatters[-1].width
        if self.json:
            print_json(as_document(found, width))
        else:
            as_text(found, width)
        return 0


def as_document(found: "Found", width: int) -> dict[str, Any]:
    """Return the JSON document of `theory fluctuation --json`."""
    low, high = found.band(width)
    return {
        "limit": found.limit,
        "widths": [
            {
                "width": s.width,
                "mean": s.limit + s.bias,
                "bias": s.bias,
                "bias_error": s.bias_error,
                "sd": s.sd,
                "sd_error": s.sd_error,
                "at_edge": s.at_edge,
            }
            for s in found.scatters
        ],
        "spread_exponent": _exponent(found.spread),
        "bias_exponent": _exponent(found.bias),
        "variance": found.variance,
        "band": {"width": width, "level": 0.95, "low": low, "high": high},
    }


def _exponent(exponent: "Exponent") -> dict[str, float | None]:
    ends = {"low": exponent.low, "high": exponent.high}
    return {"value": exponent.value} | {
        name: end if math.isfinite(end) else None for name, end in ends.items()
    }


def as_text(found: "Found", width: int) -> None:
    """Print a row per width, then the exponents and the band."""
    from rich.table import Table

    table = Table("width", "mean", "bias", "spread", title="Best learning rate of a draw")
    for s in found.scatters:
        table.add_row(
            f"{s.width:,}",
            f"{s.limit + s.bias:.6g}",
            f"{s.bias:+.3g} ± {s.bias_error:.2g}",
            f"{s.sd:.3g} ± {s.sd_error:.2g}",
        )
    console = wide_console()
    console.print(table)
    console.print(f"The limit is {found.limit:.10g}.")
    console.print(f"The spread between draws goes as n^{_range(found.spread)}.")
    console.print(f"The bias of their mean goes as n^{_range(found.bias)}.")
    if found.variance is not None:
        console.print(f"Theory: the variance between draws tends to {found.variance:.6g} / n.")
    low, high = found.band(width)
    console.print(f"At width {width:,} about 95 % of draws lie in {low:.4g} … {high:.4g}.")
    if edge := sum(s.at_edge for s in found.scatters):
        console.print(f"{edge} optima lie at an end of the interval searched: widen --interval.")


def _range(exponent: "Exponent") -> str:
    if math.isinf(exponent.low) or math.isinf(exponent.high):
        return "?: too small beside its noise to tell (give more --seeds)"
    return f"{exponent.value:.3g} (95 % interval {exponent.low:.3g} … {exponent.high:.3g})"
