"""Best learning rates after t steps, as JSON documents and as tables for people."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from ...theory.exact.finite_optimum import FiniteOptima
    from ...theory.exact.optimum import LimitOptimum

_UNIQUE = {
    True: "The minimiser is unique: the assumption of Theorem 3 holds for these data.",
    False: "The minimiser is not unique: the assumption of Theorem 3 fails for these data.",
    None: "Whether the minimiser is unique stays open: the assumption of Theorem 3 is undecided.",
}


def limit_optimum_document(optimum: "LimitOptimum") -> dict[str, Any]:
    """Return the JSON document of `theory optimum --width inf --json`."""
    return {
        "minimisers": [asdict(minimiser) for minimiser in optimum.minimisers],
        "unique": optimum.unique,
        "certified": optimum.certified,
        "complete": optimum.complete,
        "interval": list(optimum.interval),
        "method": optimum.method,
        "lr": optimum.lr,
    }


def print_limit_optimum(optimum: "LimitOptimum", steps: int, *, console: Console) -> None:
    """Print the enclosures as a table, then what they mean."""
    table = Table("from", "to", "loss", title=f"Best learning rates after {steps} steps, n → ∞")
    for minimiser in optimum.minimisers:
        table.add_row(f"{minimiser.low:.15g}", f"{minimiser.high:.15g}", f"{minimiser.loss:.6g}")
    console.print(table)
    console.print(_UNIQUE[optimum.unique])
    how = "Certified" if optimum.certified else "Not certified, computed in float64"
    low, high = optimum.interval
    console.print(f"{how} on {low:.6g} … {high:.6g} ({escape(optimum.method)}).")
    if not optimum.complete:
        console.print("Lower losses beyond that interval are not excluded.")


def finite_optima_document(optima: "FiniteOptima") -> dict[str, Any]:
    """Return the JSON document of `theory optimum --width N --json`."""
    return {
        "width": optima.width,
        "lrs": optima.lrs.tolist(),
        "losses": optima.losses.tolist(),
        "mean": optima.mean,
        "sd": optima.sd,
        "limit": optima.limit,
        "bias": optima.bias,
    }


def print_finite_optima(optima: "FiniteOptima", steps: int, *, console: Console) -> None:
    """Print the optimum of each seed, then how they lie about the limit."""
    title = f"Best learning rate after {steps} steps at width {optima.width:,}"
    table = Table("seed", "lr", "loss", title=title)
    for seed, (lr, loss) in enumerate(zip(optima.lrs, optima.losses, strict=True)):
        table.add_row(str(seed), f"{lr:.6g}", f"{loss:.6g}")
    console.print(table)
    spread = "" if optima.sd is None else f", standard deviation {optima.sd:.3g} between seeds"
    console.print(f"Mean {optima.mean:.6g}{spread}.")
    if optima.limit is None:
        console.print("There is no one limit to compare with.")
    else:
        console.print(f"The limit is {optima.limit:.6g}; the mean differs by {optima.bias:+.3g}.")
