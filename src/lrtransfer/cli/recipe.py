"""`lrtransfer recipe`: what each tensor of a model is, and how it is initialised and trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from ..errors import UserError
from .command import Command, print_json, wide_console
from .options import Json, read_choices, read_scheme
from .own_code import run_own_code

if TYPE_CHECKING:
    from ..parametrization.recipe.recipe import Recipe


@dataclass(frozen=True)
class RecipeCommand(Command):
    """Show role, initial values and rates of every parameter of a model.

    The model is given as a function from width to module. Rates, decay and epsilon are multiples
    of those tuned at the base width.

    Example: lrtransfer recipe model:build --batch model:batch --width 4096 --base-width 256
    """

    build: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="pkg.module:build")]
    """Function from width to nn.Module."""
    width: Annotated[int, tyro.conf.arg(metavar="N")]
    """Width of the model to be trained."""
    base_width: Annotated[int, tyro.conf.arg(metavar="N")]
    """Width at which the hyperparameters were tuned."""
    batch: Annotated[str | None, tyro.conf.arg(metavar="pkg.module:batch")] = None
    """Function that returns one batch, as for `check`; needed unless all layers are torch's own."""
    scheme: Annotated[str, tyro.conf.arg(metavar="NAME|FILE")] = "mup"
    """Parametrization, or a TOML file with rows of exponents: [hidden] a = 0, b = 0.5, c = 1."""
    optimizer: Annotated[str, tyro.conf.arg(metavar="NAME")] = "adamw"
    """Optimizer, such as adamw, sgd, lion, muon_keller."""
    choices: Annotated[str, tyro.conf.arg(metavar="KEY=VALUE,…")] = ""
    """Choices, such as weight_decay=independent,readout_init=zero."""
    diff: Annotated[str | None, tyro.conf.arg(metavar="SCHEME")] = None
    """Show what differs under another scheme, such as sp."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Also write the recipe, for Recipe.from_json."""
    json: Json = False

    def run(self) -> int:
        """Make the recipe and print it."""
        from ..reports.recipes import print_recipe, recipe_document

        with run_own_code():
            recipe = self._recipe(self.scheme)
            other = self._recipe(self.diff) if self.diff else None
        if self.out:
            _write(self.out, recipe.to_json())
        if self.json:
            print_json(recipe_document(recipe, other))
        else:
            print_recipe(recipe, other, console=wide_console())
        return 0

    def _recipe(self, scheme: str) -> "Recipe":
        from ..parametrization.parametrize import parametrize
        from ..runs.user_code.load import load_batch, load_callable

        return parametrize(
            load_callable("build", self.build),
            width=self.width,
            base_width=self.base_width,
            scheme=read_scheme(scheme),
            optimizer=self.optimizer,
            example=None if self.batch is None else load_batch("batch", self.batch),
            choices=read_choices(self.choices),
        )


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"out: got {path} ({error.strerror}), wanted a writable file.") from None
