"""Spread and bias of the best learning rate, as a JSON document and as a table for people."""

import math
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from ..notation import format_interval, format_range

if TYPE_CHECKING:
    from ...scaling import Exponent
    from ...theory.exact.fluctuation import Fluctuation


def fluctuation_document(fluctuation: "Fluctuation", width: int) -> dict[str, Any]:
    """Return the JSON document of `theory fluctuation --json`."""
    low, high = fluctuation.band(width)
    return {
        "limit": fluctuation.limit,
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
            for s in fluctuation.scatters
        ],
        "spread_exponent": _bound(fluctuation.spread),
        "bias_exponent": _bound(fluctuation.bias),
        "variance": fluctuation.variance,
        "band": {"width": width, "level": 0.95, "low": low, "high": high},
    }


def _bound(exponent: "Exponent") -> dict[str, float | None]:
    ends = {"low": exponent.low, "high": exponent.high}
    return {"value": exponent.value} | {
        name: end if math.isfinite(end) else None for name, end in ends.items()
    }


def print_fluctuation(fluctuation: "Fluctuation", width: int, *, console: Console) -> None:
    """Print a row per width, then the exponents and the band."""
    table = Table("width", "mean", "bias", "spread", title="Best learning rate of a draw")
    for s in fluctuation.scatters:
        table.add_row(
            f"{s.width:,}",
            f"{s.limit + s.bias:.6g}",
            f"{s.bias:+.3g} ± {s.bias_error:.2g}",
            f"{s.sd:.3g} ± {s.sd_error:.2g}",
        )
    console.print(table)
    console.print(f"The limit is {fluctuation.limit:.10g}.")
    console.print(f"The spread between draws goes as n^{_format_exponent(fluctuation.spread)}.")
    console.print(f"The bias of their mean goes as n^{_format_exponent(fluctuation.bias)}.")
    if fluctuation.variance is not None:
        console.print(
            f"Theory: the variance between draws tends to {fluctuation.variance:.6g} / n."
        )
    low, high = fluctuation.band(width)
    console.print(f"At width {width:,} about 95 % of draws lie in {low:.4g} to {high:.4g}.")
    if edge := sum(s.at_edge for s in fluctuation.scatters):
        console.print(f"{edge} optima lie at an end of the interval searched: widen --interval.")


def _format_exponent(exponent: "Exponent") -> str:
    if math.isinf(exponent.low) or math.isinf(exponent.high):
        return "?: too small beside its noise to tell (give more --seeds)"
    interval = format_range(f"{exponent.low:.3g}", f"{exponent.high:.3g}")
    return f"{exponent.value:.3g} {format_interval(interval)}"
