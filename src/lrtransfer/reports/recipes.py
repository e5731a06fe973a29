"""A recipe, as a JSON document and as a table for people."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from ..parametrization.recipe.recipe import Recipe
    from ..parametrization.recipe.tensor import TensorRecipe

_NUMBERS = ("init_std", "multiplier", "lr", "weight_decay", "eps")
_HEADERS = {"init_std": "init std", "multiplier": "× forward", "weight_decay": "decay"}


def recipe_document(recipe: "Recipe", other: "Recipe | None") -> dict[str, Any]:
    """Return the recipe as the JSON document of `recipe --json`."""
    document: dict[str, Any] = {
        "scheme": recipe.scheme,
        "optimizer": recipe.optimizer.kind,
        "width": recipe.width,
        "base_width": recipe.base_width,
        "parameters": [_describe(tensor) for tensor in recipe.tensors],
        "multipliers": [
            {"module": m.module, "side": m.side, "factor": m.factor} for m in recipe.multipliers
        ],
        "cautions": list(recipe.cautions),
    }
    if other:
        document["diff"] = {"scheme": other.scheme, "parameters": list(_compare(recipe, other))}
    return document


def _describe(tensor: "TensorRecipe") -> dict[str, Any]:
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


def _compare(recipe: "Recipe", other: "Recipe") -> Iterator[dict[str, Any]]:
    """Yield, for every tensor that differs, the pairs of values that do."""
    for one, two in zip(map(_describe, recipe.tensors), map(_describe, other.tensors), strict=True):
        if pairs := {key: [one[key], two[key]] for key in _NUMBERS if one[key] != two[key]}:
            yield {"name": one["name"], **pairs}


def print_recipe(recipe: "Recipe", other: "Recipe | None", *, console: Console) -> None:
    """Print a table of the tensors, with the values of another scheme behind a slash."""
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
        numbers = map(partial(_format_pair, _describe(one), _describe(two)), shown)
        table.add_row(escape(one.name), one.role.value, shape, *numbers)
    console.print(table)
    sources = dict.fromkeys(tensor.source for tensor in recipe.tensors)
    console.print(f"Rates: {escape('; '.join(sources))}")
    for m in recipe.multipliers:
        console.print(f"forward multiplier {m.factor:g} on the {m.side} of {escape(m.module)}")
    for caution in recipe.cautions:
        console.print(f"[bold]Caution:[/] {escape(caution)}")


def _format_pair(one: dict[str, Any], two: dict[str, Any], key: str) -> str:
    if one[key] == two[key]:
        return f"{one[key]:.4g}"
    return f"{one[key]:.4g} / {two[key]:.4g}"
