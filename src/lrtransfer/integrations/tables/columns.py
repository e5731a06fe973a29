"""Which column of a table holds what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import TableError
from ...scaling import FloatArray
from ...statistics.axis import AxisName
from .cells import Cells, label
from .controlled import controlled_fields
from .hints import describe_missing
from .names import COUNTS_FROM, FIELD_NAMES, ColumnName, looks_like_score, read_name
from .numbers import NumberColumn, has_decimal_commas, parse_numbers
from .states import holds_states

# Fields of which an equal share everywhere, such as a width in other units, asks the same question.
_RATIOS = frozenset({"width", "params", "depth", "batch", "steps", "tokens"})
_TEXTS = frozenset({"scheme", "state", "diverged", "id"})
_MANY = frozenset({"diverged", "id", "index"})  # the first is taken, whatever others hold
_WITH_UNITS = frozenset({"width", "params", "batch", "steps", "tokens", "index"})


@dataclass(frozen=True, eq=False)
class Fields:
    """The columns of a table by field, and how their cells are read.

    Attributes:
        cells: The table.
        names: Names of columns by field.
        comma: Whether numbers have a decimal comma.
    """

    cells: Cells
    names: Mapping[str, ColumnName]
    comma: bool

    def __contains__(self, field: str) -> bool:
        """Return whether the table has a field."""
        return field in self.names

    def numbers(self, field: str) -> NumberColumn:
        """Return the numbers of a field."""
        return _read_numbers(self.cells, self.names[field], field, comma=self.comma)

    def notes(self) -> list[str]:
        """Return which columns were read under other names, one line each."""
        notes = [
            f"read {field} from column {name.column!r}{_name_unit(field, name)}"
            for field, name in self.names.items()
            if field not in {name.column, "id", "index"}  # named where they are used
        ]
        if self.comma:
            notes.append("numbers are read with a decimal comma: 0,001 is one thousandth")
        return notes


def match_columns(
    cells: Cells, overrides: Mapping[str, str], along: AxisName, *, maximize: bool = False
) -> Fields:
    """Find the column of every field that a table has.

    What was set goes before what a run logged. Of equally good columns the first is taken if all
    hold the same values; else none is.

    Arguments:
        cells: The table.
        overrides: Columns by field that the user names; they go before the usual names.
        along: Axis whose field is the size of a run.
        maximize: Whether the loss is a score, of which more is better.

    Raises:
        TableError: If a field or column of `overrides` is unknown, two columns may be the same
            field and differ, or there is no size, learning rate or loss.

    Example:
        >>> import pyarrow as pa
        >>> titles = ("config.d_model", "params.lr", "val/loss")
        >>> columns = {title: pa.array(["1"]) for title in titles}
        >>> cells = Cells(name="mine", columns=columns, rows=np.array([1]))
        >>> {f: name.column for f, name in match_columns(cells, {}, "width").names.items()}
        {'width': 'config.d_model', 'lr': 'params.lr', 'loss': 'val/loss'}
    """
    needed = (along, "lr", "loss")
    others = ("seed", "scheme", *controlled_fields(along), "state", "diverged", "id", "index")
    is_length = along in {"steps", "tokens"}  # then every row is a run of its own length
    fields = [f for f in dict.fromkeys((*needed, *others)) if not (is_length and f == "index")]
    _check_overrides(cells, overrides, fields)
    read = [read_name(column, list(cells.columns)) for column in cells.columns]
    taken = set(overrides.values())
    free = [name for name in read if name.column not in taken]
    candidates = {field: _list_candidates(field, free, along) for field in fields}
    if maximize:
        candidates["loss"] = _list_scores(free)
    comma = has_decimal_commas(cells, _list_numeric(candidates, overrides))
    names = {field: read_name(column) for field, column in overrides.items()}
    for field in fields:
        if field not in names and (found := candidates[field]):
            chosen = _choose(cells, field, found, comma=comma)
            if chosen is not None:
                names[field] = chosen
    names = {field: names[field] for field in FIELD_NAMES if field in names}
    if missing := [field for field in needed if field not in names]:
        raise TableError(describe_missing(cells, missing, read, overrides, along))
    _check_direction(names["loss"], maximize=maximize)
    return Fields(cells, names, comma)


def _check_direction(loss: ColumnName, *, maximize: bool) -> None:
    if looks_like_score(loss) and not maximize:
        raise TableError(
            f"runs: got {loss.column!r} as the loss, which looks like a score: more of it is "
            "better. Add --maximize (maximize=True) to judge 1 minus the score, or name a loss."
        )
    if maximize and "loss" in loss.terms[-1].split("_"):
        raise TableError(
            f"maximize: got {loss.column!r}, wanted a score, of which more is better. Leave "
            "--maximize out, or name a score with --columns loss=NAME."
        )


def _check_overrides(cells: Cells, overrides: Mapping[str, str], fields: Sequence[str]) -> None:
    for field, column in overrides.items():
        if field not in fields or column not in cells.columns:
            remedy = f"a field among {', '.join(fields)}" if field not in fields else "a column"
            raise TableError(
                f"columns: got {field}={column}, wanted {remedy} of the table: "
                f"{', '.join(cells.columns)}."
            )
    owners: dict[str, str] = {}
    for field, column in overrides.items():
        if (other := owners.setdefault(column, field)) != field:
            raise TableError(
                f"columns: got {other}={column} and {field}={column}, wanted a column for each. "
                "Name another one."
            )


def _list_candidates(
    field: str, names: Iterable[ColumnName], along: AxisName
) -> list[list[ColumnName]]:
    """Return the columns that may be a field, in groups of equally good ones, the best first."""
    tiers = FIELD_NAMES[field]
    if field == "steps" and along == "steps":
        tiers = (*tiers, *FIELD_NAMES["index"])
    ranks = {"setting": 0, "plain": 1, "metric": 2}
    if field == "lr":
        del ranks["metric"]  # the rate of the last step, whatever the schedule left of it
    elif field in {"loss", "state", "diverged", "index"}:
        ranks = {"metric": 0, "plain": 0}
    groups: dict[tuple[int, int], list[tuple[int, ColumnName]]] = {}
    for name in names:
        for tier, terms in enumerate(tiers):
            places = [terms.index(term) for term in name.terms if term in terms]
            if places and name.kind in ranks:
                groups.setdefault((tier, ranks[name.kind]), []).append((min(places), name))
                break
    ordered = (sorted(groups[key], key=lambda pair: pair[0]) for key in sorted(groups))
    return [[name for _, name in group] for group in ordered]


def _list_scores(names: Sequence[ColumnName]) -> list[list[ColumnName]]:
    """Return the columns that may be a score, in groups, the best first."""
    named = [name for name in names if looks_like_score(name) and name.kind != "setting"]
    plain = [name for name in names if set(name.terms) & set(FIELD_NAMES["loss"][-1])]
    return [group for group in (named, plain) if group]


def _list_numeric(
    candidates: Mapping[str, list[list[ColumnName]]], overrides: Mapping[str, str]
) -> set[str]:
    numeric = {column for field, column in overrides.items() if field not in _TEXTS}
    for field, groups in candidates.items():
        if field not in _TEXTS:
            numeric |= {name.column for group in groups for name in group}
    return numeric


def _choose(
    cells: Cells, field: str, groups: list[list[ColumnName]], *, comma: bool
) -> ColumnName | None:
    """Return the column of a field: from the best group that holds any of it."""
    if field == "state":
        named = (name for group in groups for name in group)
        return next((n for n in named if holds_states(label(cells.columns[n.column]))), None)
    if field == "index":
        named = (name for group in groups for name in group)
        return next(
            (n for n in named if not cells.columns[n.column].null_count == len(cells)), None
        )
    if field in _MANY:
        return groups[0][0]
    if field == "scheme":
        return _agree_on_text(cells, field, groups[0])
    for group in groups:
        found = {name: _read_numbers(cells, name, field, comma=comma) for name in group}
        usable = {n: v for n, v in found.items() if not (v.is_blank | v.is_wrong).all()}
        if usable:
            return _agree(cells, field, usable)
    # The first of the usual names is reported cell by cell; a model's name is no size.
    first = groups[0][0]
    return None if is_count(first) else first


def _agree_on_text(cells: Cells, field: str, names: Sequence[ColumnName]) -> ColumnName:
    first = names[0]
    for other in names[1:]:
        if not cells.columns[first.column].equals(cells.columns[other.column]):
            raise TableError(_describe_conflict(cells, field, first, other, 0))
    return first


def _agree(cells: Cells, field: str, found: Mapping[ColumnName, NumberColumn]) -> ColumnName:
    """Return the first of columns that hold the same, or the one with the fewest blanks."""
    # What never varies is not what was tried.
    names = [name for name, numbers in found.items() if _varies(numbers.values)] or list(found)[:1]
    first = names[0]
    for other in names[1:]:
        wrong = _find_difference(
            found[first].values, found[other].values, up_to_factor=field in _RATIOS
        )
        if wrong is not None:
            raise TableError(_describe_conflict(cells, field, first, other, wrong))
    return min(names, key=lambda name: int(found[name].is_blank.sum()))


def _varies(values: FloatArray) -> bool:
    known = values[~np.isnan(values)]
    return bool(known.size and (known != known[0]).any())


def _find_difference(one: FloatArray, two: FloatArray, *, up_to_factor: bool) -> int | None:
    """Return the first row in which two columns differ, where both have a value."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        ratio = two / one
    known = ~np.isnan(one) & ~np.isnan(two) & (np.isfinite(ratio) | (one != two))
    factor = float(np.median(ratio[known])) if up_to_factor and known.any() else 1.0
    wrong = np.flatnonzero(known & ~np.isclose(ratio, factor, rtol=1e-5, atol=0))
    return int(wrong[0]) if wrong.size else None


def _describe_conflict(
    cells: Cells, field: str, first: ColumnName, other: ColumnName, row: int
) -> str:
    one, two = (str(cells.columns[name.column][row]) for name in (first, other))
    return (
        f"runs: got two columns that may be the {field} and differ: {first.column!r} ({one}) and "
        f"{other.column!r} ({two} in {cells.locate(row)}), wanted one. Choose with --columns "
        f"{field}={first.column} or --columns {field}={other.column}"
        + (
            ": the rate that was set, not the one logged at the last step."
            if field == "lr"
            else "."
        )
    )


def _read_numbers(cells: Cells, name: ColumnName, field: str, *, comma: bool) -> NumberColumn:
    numbers = parse_numbers(cells.columns[name.column], units=field in _WITH_UNITS, comma=comma)
    if name.base is None:
        return numbers
    with np.errstate(over="ignore"):
        return NumberColumn(name.base**numbers.values, numbers.is_blank, numbers.is_wrong)


def _name_unit(field: str, name: ColumnName) -> str:
    if name.base is not None:
        return f", as powers of {name.base:.3g}"
    return ", as the size that grows" if field == "width" and is_count(name) else ""


def is_count(name: ColumnName) -> bool:
    """Return whether a column counts a model's parameters instead of measuring its width."""
    counts = {term for tier in FIELD_NAMES["width"][COUNTS_FROM:] for term in tier}
    return bool(set(name.terms) & counts)
