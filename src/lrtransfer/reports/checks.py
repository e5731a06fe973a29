"""The coordinate check, as a JSON document and as tables for people."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .notation import format_range, format_slope

if TYPE_CHECKING:
    from ..checks.coordinates import CheckResult
    from ..checks.findings import Finding

_SHOWN = ("name", "quantity", "step", "slope", "low", "high", "expected", "ok")
_MARKS = {True: "ok", False: "[bold]outside[/]", None: "?"}


def check_document(result: "CheckResult") -> dict[str, Any]:
    """Return the answer as the JSON document of `check --json`; unknown exponents are null."""
    control = result.control
    return {
        "verdict": result.verdict,
        "reason": result.reason,
        "control": None if control is None else asdict(control),
        "widths": list(result.widths),
        "seeds": result.seeds,
        "steps": result.steps,
        "modules": [{key: getattr(f, key) for key in _SHOWN} for f in result.findings],
        "suspects": [asdict(suspect) for suspect in result.suspects],
        "untrained": list(result.untrained),
    }


def print_check(result: "CheckResult", *, console: Console) -> None:
    """Print the exponents as a table, then the verdict and the suspects."""
    console.print(_tabulate(result.findings))
    console.print(f"\n[bold]{result.verdict}[/]: {escape(result.reason)}.")
    if result.control:
        console.print(f"control (standard parametrization): {result.control.verdict}")
    for i, suspect in enumerate(result.suspects, start=1):
        console.print(f"suspect {i}: [bold]{escape(suspect.name)}[/]: {escape(suspect.cause)}")
        console.print(f"    because {escape(suspect.evidence)}")
    if result.untrained:
        console.print(f"not judged, no gradient: {escape(', '.join(result.untrained))}")
    if result.verdict == "pass":
        console.print("A pass says that widths learn alike; it is not yet transfer.")


def _tabulate(findings: "tuple[Finding, ...]") -> Table:
    table = Table(title="Exponents of the width")
    table.add_column("name", overflow="fold", min_width=20)
    for header in ("quantity", "step", "exponent", "90 % interval", "expected", ""):
        table.add_column(header, no_wrap=True)
    for f in findings:
        exponent = "?" if f.slope is None else format_slope(f.slope, signed=True)
        ends = [None if end is None else format_slope(end) for end in (f.low, f.high)]
        interval = "" if f.low is None else format_range(*ends)
        expected = format_slope(f.expected)
        cells = (escape(f.name), f.quantity, str(f.step), exponent, interval, expected)
        table.add_row(*cells, _MARKS[f.ok])
    return table
