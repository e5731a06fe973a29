"""`lrtransfer recipe`: what each tensor of a model is, and how it is initialised and trained."""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..errors import UserError
from .command import Command, Json, print_json, wide_console

if TYPE_CHECKING:
    from ..parametrization.choices import Choices
    from ..parametrization.recipe.recipe import Recipe as ModelRecipe
    from ..parametrization.recipe.tensor import TensorRecipe

_NUMBERS = ("init_std", "multiplier", "lr", "weight_decay", "eps")
_HEADERS = {"init_std": "init std", "multiplier": "× forward", "weight_decay": "decay"}


@dataclass(frozen=True)
class Recipe(Command):
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
    """Function that returns one batch; needed unless all layers are torch's own."""
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
        with redirect_stdout(sys.stderr):  # what the model's own code prints
            recipe = self._recipe(self.scheme)
            other = self._recipe(self.diff) if self.diff else None
        if self.out:
            _write(self.out, recipe.to_json())
        if self.json:
            print_json(as_document(recipe, other))
        else:
            as_text(recipe, other)
        return 0

    def _recipe(self, scheme: str) -> "ModelRecipe":
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


def read_scheme(scheme: str) -> Any:
    """Return the name of a scheme, or the rows of exponents of a TOML file.

    Raises:
        UserError: If the file cannot be read.
    """
    return read_rows("scheme", Path(scheme)) if scheme.endswith(".toml") else scheme


def read_rows(key: str, path: Path) -> dict[str, Any]:
    """Return the rows of exponents of a TOML file.

    Raises:
        UserError: If it cannot be read; the message begins with the key.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{key}: got {path} ({error}), wanted a readable TOML file with a table per role."
        ) from None


def read_choices(text: str) -> "Choices":
    """Return the choices written as KEY=VALUE, separated by commas.

    Raises:
        UserError: If one is malformed or unknown.
    """
    from ..parametrization.choices import Choices

    known = {f.name: f for f in fields(Choices) if f.name != "tuned"}
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or key not in known:
            raise UserError(
                f"choices: got {part!r}, wanted KEY=VALUE with one of {', '.join(known)}."
            )
        values[key] = _value(value)
    return Choices(**values)


def _value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words and text != "none":
        return words[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def as_document(recipe: "ModelRecipe", other: "ModelRecipe | None") -> dict[str, Any]:
    """Return the recipe as the JSON document of `recipe --json`."""
    document: dict[str, Any] = {
        "scheme": recipe.scheme,
        "optimizer": recipe.optimizer.kind,
        "width": recipe.width,
        "base_width": recipe.base_width,
        "parameters": [_row(tensor) for tensor in recipe.tensors],
        "multipliers": [
            {"module": m.module, "side": m.side, "factor": m.factor} for m in recipe.multipliers
        ],
        "cautions": list(recipe.cautions),
    }
    if other:
        document["diff"] = {"scheme": other.scheme, "parameters": list(_differences(recipe, other))}
    return document


def _row(tensor: "TensorRecipe") -> dict[str, Any]:
    return {
        "name": tensor.name,
        "role": tensor.role.value,
        "shape": list(tensor.shape),
        "init_std": tensor.initial.std,
        "multiplier": tensor.multiplier,
        "lr": tensor.lr,
        "weight_decay": tensor.weight_decay,
        "eps": tensor.eps,
        "optimizer": tensor.optimizer,
        "source": tensor.source,
    }


def _differences(recipe: "ModelRecipe", other: "ModelRecipe") -> Iterator[dict[str, Any]]:
    """Yield, for every tensor that differs, the pairs of values that do."""
    for one, two in zip(map(_row, recipe.tensors), map(_row, other.tensors), strict=True):
        if pairs := {key: [one[key], two[key]] for key in _NUMBERS if one[key] != two[key]}:
            yield {"name": one["name"], **pairs}


def as_text(recipe: "ModelRecipe", other: "ModelRecipe | None") -> None:
    """Print a table of the tensors, with the values of another scheme behind a slash."""
    from rich.markup import escape
    from rich.table import Table

    title = (
        f"{recipe.scheme}, {recipe.optimizer.kind}: width {recipe.width:,}, tuned at "
        f"{recipe.base_width:,}" + (f" (behind the slash: {other.scheme})" if other else "")
    )
    others = other.tensors if other else recipe.tensors
    is_plain = all(tensor.multiplier == 1 for tensor in (*recipe.tensors, *others))
    shown = [key for key in _NUMBERS if not (key == "multiplier" and is_plain)]
    table = Table(title=escape(title))
    table.add_column("parameter", overflow="fold", min_width=20)
    for header in ("role", "shape", *shown):
        table.add_column(_HEADERS.get(header, header), overflow="fold")
    for one, two in zip(recipe.tensors, others, strict=True):
        shape = "×".join(map(str, one.shape))
        numbers = map(partial(_cell, _row(one), _row(two)), shown)
        table.add_row(escape(one.name), one.role.value, shape, *numbers)
    console = wide_console()
    console.print(table)
    sources = dict.fromkeys(tensor.source for tensor in recipe.tensors)
    console.print(f"Rates: {escape('; '.join(sources))}")
    for m in recipe.multipliers:
        console.print(f"forward multiplier {m.factor:g} on the {m.side} of {escape(m.module)}")
    for caution in recipe.cautions:
        console.print(f"[bold]Caution:[/] {escape(caution)}")


def _cell(one: dict[str, Any], two: dict[str, Any], key: str) -> str:
    if one[key] == two[key]:
        return f"{one[key]:.4g}"
    return f"{one[key]:.4g} / {two[key]:.4g}"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"out: got {path} ({error.strerror}), wanted a writable file.") from None
