"""`lrtransfer check`: the coordinate check."""

import math
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.markup import escape

from ..errors import ConfigError
from ..runs.user_code.load import load_batch, load_callable
from .command import Command, Json, print_json, wide_console
from .numbers import listed, number, whole
from .recipe import read_scheme
from .tune import option

if TYPE_CHECKING:
    from rich.table import Table

    from ..checks.coordinates import CheckResult
    from ..checks.findings import Finding

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
_SHOWN = ("name", "quantity", "step", "slope", "low", "high", "expected", "ok")
_MARKS = {True: "ok", False: "[bold]outside[/]", None: "?"}


@dataclass(frozen=True)
class Check(Command):
    """Check that every tensor of a model learns as much at every width, and say why not.

    Trains the model for a few steps at several widths beside a control in the standard
    parametrization, which must fail. Exits with 0 for "pass", 1 for "fail", 3 for "inconclusive".

    Example: lrtransfer check my_model:build --batch my_model:batch
    """

    build: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PKG.MODULE:BUILD")]
    """Function from width to model."""
    batch: Annotated[str, tyro.conf.arg(metavar="PKG.MODULE:BATCH")]
    """Function, of nothing or of the width, that returns (inputs, targets), or a mapping of
    keyword arguments for the model; or such a value itself."""
    loss: Annotated[str | None, tyro.conf.arg(metavar="PKG.MODULE:LOSS")] = None
    """Function of output and targets (of the whole batch, if a mapping); by default the loss that
    the model returns, or cross-entropy over the last dimension."""
    widths: Annotated[str, tyro.conf.arg(metavar="N,N,…")] = "64,128,256,512"
    """At least three widths."""
    base_width: Annotated[str | None, option("N")] = None
    """Width at which all schemes are the same; by default the smallest."""
    scheme: Annotated[str, tyro.conf.arg(metavar="NAME|FILE")] = "mup"
    """Parametrization to check, or a TOML file of exponents as for `recipe`."""
    optimizer: Annotated[str, tyro.conf.arg(metavar="NAME")] = "adamw"
    """Optimizer to check it with."""
    lr: Annotated[str | None, option("LR")] = None
    """Learning rate at the base width; by default one at which steps are small."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N")] = "3"
    """Models at each width; three times as many where these leave the answer open."""
    steps: Annotated[str, tyro.conf.arg(metavar="N")] = "10"
    """Training steps of the first seed's models; the others take as few as needed."""
    json: Json = False

    def run(self) -> int:
        """Check and print."""
        with redirect_stdout(sys.stderr):  # what the model's own code prints
            result = self._check()
        if self.json:
            print_json(as_document(result))
        else:
            print_for_people(result)
        return EXIT_CODES[result.verdict]

    def _check(self) -> "CheckResult":
        from ..checks.coordinates import check_coordinates, recipe_maker, recipe_roles

        build = load_callable("build", self.build)
        widths = listed(whole)("widths", self.widths)
        base = min(widths) if self.base_width is None else whole("base_width", self.base_width)
        lr = None if self.lr is None else number("lr", self.lr)
        if lr is not None and not 0 < lr < math.inf:
            raise ConfigError(f"lr: got {self.lr!r}, wanted a positive number, such as 0.004.")
        batch = load_batch("batch", self.batch)
        settings: dict[str, Any] = {
            "optimizer": self.optimizer, "base_width": base, "example": batch,
        }  # fmt: skip
        return check_coordinates(
            recipe_maker(build, scheme=read_scheme(self.scheme), lr=lr, **settings),
            batch,
            control=recipe_maker(build, scheme="sp", lr=lr, **settings),
            widths=widths,
            seeds=whole("seeds", self.seeds),
            steps=whole("steps", self.steps),
            loss=None if self.loss is None else load_callable("loss", self.loss),
            roles=recipe_roles(build, width=max(widths), **settings),
        )


def as_document(result: "CheckResult") -> dict[str, Any]:
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


def print_for_people(result: "CheckResult") -> None:
    """Print the exponents as a table, then the verdict and the suspects."""
    console = wide_console()
    console.print(_table(result.findings))
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


def _table(findings: "tuple[Finding, ...]") -> "Table":
    from rich.table import Table

    table = Table(title="Exponents of the width")
    table.add_column("name", overflow="fold", min_width=20)
    for header in ("quantity", "step", "exponent", "90 % interval", "expected", ""):
        table.add_column(header, no_wrap=True)
    for f in findings:
        exponent = "?" if f.slope is None else f"{f.slope:+.2f}"
        interval = "" if f.low is None else f"{f.low:+.2f} … {f.high:+.2f}"
        cells = (escape(f.name), f.quantity, str(f.step), exponent, interval, f"{f.expected:+.1f}")
        table.add_row(*cells, _MARKS[f.ok])
    return table
