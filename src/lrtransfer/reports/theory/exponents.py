"""How the best learning rate scales with width, as a JSON document and in sentences."""

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ...theory.exact.exponents import LrScaling

_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)

_MEANING = {
    "features": "Features are learned",
    "kernel": "The network stays linear in its weights",
    "beyond": "The first step outgrows the initial weights",
}
_START = {
    "zero": "outputs before training vanish",
    "random": "outputs before training stay random",
    "dominant": "outputs before training outgrow the targets",
}


def exponents_document(scaling: "LrScaling") -> dict[str, Any]:
    """Return the JSON document of `theory exponents --json`."""
    return {
        "exponent": scaling.exponent,
        "limit": "deterministic" if scaling.is_deterministic else "random",
        "quantiles": {str(level): scaling.quantile(level) for level in _LEVELS},
        "regime": scaling.regime.kind,
        "start": scaling.regime.start_kind,
        "start_exponent": scaling.regime.start,
        "moving": list(scaling.regime.moving),
    }


def print_exponents(scaling: "LrScaling", steps: int, *, console: Console) -> None:
    """Print the exponent and the limit in sentences, and a random limit's quantiles as a table."""
    power = "does not depend on n" if scaling.exponent == 0 else f"scales as n^{scaling.exponent:g}"
    console.print(f"The best learning rate after {steps} steps {power} as the width n grows.")
    unit = "It" if scaling.exponent == 0 else f"Divided by n^{scaling.exponent:g} it"
    if scaling.is_deterministic:
        console.print(f"{unit} tends to {scaling.quantile(0.5):.10g}.")
    else:
        console.print(f"{unit} has a random limit, which depends on the draw:")
        table = Table(*(f"{level:.0%}" for level in _LEVELS), title="Quantiles")
        table.add_row(*(f"{scaling.quantile(level):.6g}" for level in _LEVELS))
        console.print(table)
    regime = scaling.regime
    moving = ", ".join(regime.moving)
    console.print(f"{_MEANING[regime.kind]}; {_START[regime.start_kind]}; what moves: {moving}.")
