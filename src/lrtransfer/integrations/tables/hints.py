"""What to say of a table in which a needed column is not found: a plausible one, or none."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ...statistics.axis import AxisName
from .cells import Cells
from .names import FIELD_NAMES, ColumnName, looks_like_score
from .numbers import parse_numbers

# Parts of names that make a column plausible, by field.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "width": ("width", "dim", "hidden", "embd", "embed", "model", "size", "param", "channel"),
    "params": ("param", "size"),
    "depth": ("depth", "layer", "block"),
    "lr": ("lr", "learning", "rate", "eta", "step_size"),
    "loss": ("loss", "nll", "ce", "ppl", "perplexity", "bpb", "error", "objective"),
    "batch": ("batch", "bs"),
    "steps": ("step", "iter", "epoch", "token"),
    "tokens": ("token",),
}
_MOST_SHOWN = 30


def describe_missing(
    cells: Cells,
    missing: Sequence[str],
    names: Sequence[ColumnName],
    overrides: Mapping[str, str],
    along: AxisName,
) -> str:
    """Return the message on needed fields for which no column is found.

    Arguments:
        cells: The table.
        missing: The fields.
        names: Names of all columns.
        overrides: Columns by field that the user names.
        along: Axis whose field is the size of a run.
    """
    by_column = {name.column: name for name in names}
    for field in missing:
        usual = {term for tier in FIELD_NAMES[field] for term in tier}
        for owner, column in overrides.items():
            if set(by_column[column].terms) & usual:
                return (
                    f"columns: got {owner}={column}, the only column that may be the {field}, "
                    "wanted a column for each. Name another one."
                )
        if (special := _explain(field, names, usual)) is not None:
            return special
    shown = ", ".join(list(cells.columns)[:_MOST_SHOWN]) or "none"
    rest = len(cells.columns) - _MOST_SHOWN
    shown += f" and {rest} more" if rest > 0 else ""
    taken = {*overrides.values(), *_list_known(names, along)}
    hints = [
        f"{field}={found}"
        for field in missing
        if (found := _find_plausible(cells, field, names, taken)) is not None
    ]
    how = f"Name them, such as --columns {','.join(hints)}." if hints else (
        f"Name them with --columns {missing[0]}=NAME, or add them."
    )  # fmt: skip
    return f"runs: got columns {shown}, wanted also {', '.join(missing)}. {how}"


def _explain(field: str, names: Iterable[ColumnName], usual: set[str]) -> str | None:
    """Return what is wrong with a column that comes near a field."""
    for name in names:
        if field == "loss" and looks_like_score(name):
            return (
                f"runs: got no loss but {name.column!r}, which looks like a score: more of it is "
                "better; wanted to be told so. Add --maximize (maximize=True) to judge 1 minus the "
                "score, or name a loss with --columns loss=NAME."
            )
        if field == "lr" and name.kind == "metric" and set(name.terms) & usual:
            return (
                f"runs: got {name.column!r} as the only learning rate, a logged one, wanted the "
                "one that was set: at the last step a rate is what the schedule left of it. Add "
                f"it; if the rate was constant, say --columns lr={name.column}."
            )
        if field == "lr" and name.terms[-1] in {"log_lr", "log_learning_rate", "lr_log"}:
            return (
                f"runs: got {name.column!r}, wanted to know the base of these logarithms. Rename "
                "the column to log2_lr, ln_lr or log10_lr, or give the rates."
            )
    return None


def _list_known(names: Iterable[ColumnName], along: AxisName) -> set[str]:
    """Return the columns that have a usual name."""
    known = {term for tiers in FIELD_NAMES.values() for tier in tiers for term in tier}
    return {name.column for name in names if set(name.terms) & known}


def _find_plausible(
    cells: Cells, field: str, names: Iterable[ColumnName], taken: set[str]
) -> str | None:
    """Return the column that a field may be by its name and values, if there is one."""
    for part in _PARTS.get(field, ()):
        for name in names:
            words = name.terms[-1].split("_")
            fits = any(word.startswith(part) for word in words) or part in name.terms[-1].split(" ")
            if name.column not in taken and fits and _fits(cells, field, name.column):
                return name.column
    return None


def _fits(cells: Cells, field: str, column: str) -> bool:
    numbers = parse_numbers(cells.columns[column], units=field not in {"lr", "loss"})
    values = numbers.values[~np.isnan(numbers.values)]
    if not values.size or numbers.is_wrong.any() or (values <= 0).any():
        return False
    return field in {"lr", "loss"} or bool((values % 1 == 0).all())
