"""`lrtransfer check`: the coordinate check."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..errors import ConfigError
from ..runs.user_code.load import load_batch, load_callable
from .command import Command, print_json, wide_console
from .options import Json, option, read_list, read_number, read_scheme, read_whole
from .own_code import run_own_code

if TYPE_CHECKING:
    from ..checks.coordinates import CheckResult

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


@dataclass(frozen=True)
class CheckCommand(Command):
    """Check that every tensor of a model learns as much at every width, and say why not.

    Trains the model for a few steps at several widths beside a control in the standard
    parametrization, which must fail. Exits with 0 for "pass", 1 for "fail", 3 for "inconclusive".

    Example: lrtransfer check my_model:build --batch my_model:batch
    """

    build: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="PKG.MODULE:BUILD")]
    """Function from width to model."""
    batch: Annotated[str, tyro.conf.arg(metavar="PKG.MODULE:BATCH")]
    """Function, without arguments or of the width, that returns (inputs, targets) or a mapping of
    keyword arguments for the model; such a value itself; or what gives them one after the other, of
    which the first is taken: a data loader, a generator, the `data.batches` of a study."""
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
    """Models at each width; three times as many if the answer stays open."""
    steps: Annotated[str, tyro.conf.arg(metavar="N")] = "10"
    """Training steps of the first seed's models; the others train only as long as needed."""
    json: Json = False

    def run(self) -> int:
        """Check and print."""
        from ..reports.checks import check_document, print_check

        with run_own_code():
            result = self._check()
        if self.json:
            print_json(check_document(result))
        else:
            print_check(result, console=wide_console())
        return EXIT_CODES[result.verdict]

    def _check(self) -> "CheckResult":
        from ..checks.coordinates import check_coordinates, recipe_maker, recipe_roles

        build = load_callable("build", self.build)
        widths = read_list("widths", self.widths, read_whole)
        base = min(widths) if self.base_width is None else read_whole("base_width", self.base_width)
        lr = None if self.lr is None else read_number("lr", self.lr)
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
            seeds=read_whole("seeds", self.seeds),
            steps=read_whole("steps", self.steps),
            loss=None if self.loss is None else load_callable("loss", self.loss),
            roles=recipe_roles(build, width=max(widths), **settings),
        )
