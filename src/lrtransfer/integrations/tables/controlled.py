"""Controlled variables: what must be the same at all sizes for their optima to compare.

Along the width that is the training length and the batch; along the batch size it is the width, the
depth, and either the steps or the tokens, for a larger batch moves one or the other. What is found
to differ is not refused: a warning and the answer's conditions name it.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...statistics.axis import AXES, AxisName
from ...statistics.table import Observation

ControlledValues = tuple[float | None, ...]  # one per controlled field, None where it is not known


@dataclass(frozen=True, kw_only=True)
class TableRun:
    """One finished or diverged run of a table.

    Attributes:
        observation: Its outcome.
        controlled: Values of its controlled fields, in the order of `controlled_fields`.
        has_seed: Whether the table names its seed.
    """

    observation: Observation
    controlled: ControlledValues
    has_seed: bool


@dataclass(frozen=True, kw_only=True)
class _Variable:
    """A controlled variable and the fields that show its value.

    Attributes:
        fields: Its fields.
        name: What it is called.
        differing: What its values are called where they differ between sizes.
        either: Whether one known field with a common value is enough, such as steps or tokens.
        ends_early: Whether a run that diverged may show another value: it stopped before its end.
    """

    fields: tuple[str, ...]
    name: str
    differing: str
    either: bool = False
    ends_early: bool = False


_WIDTH = _Variable(fields=("width",), name="width", differing="widths")
_DEPTH = _Variable(fields=("depth",), name="depth", differing="depths")
_BATCH = _Variable(fields=("batch",), name="batch size", differing="batch sizes")
_LENGTH_AND_BATCH = _Variable(
    fields=("steps", "batch", "tokens"),
    name="training length or batch",
    differing="training lengths",
    ends_early=True,
)
_LENGTH = _Variable(
    fields=("steps", "tokens"),
    name="training length",
    differing="training lengths",
    either=True,
    ends_early=True,
)
_VARIABLES: Mapping[AxisName, tuple[_Variable, ...]] = {
    "width": (_LENGTH_AND_BATCH,),
    "depth": (_WIDTH, _LENGTH_AND_BATCH),
    "batch": (_WIDTH, _DEPTH, _LENGTH),
    "steps": (_WIDTH, _DEPTH, _BATCH),
}


def controlled_fields(along: AxisName) -> tuple[str, ...]:
    """Return the fields that must be the same at all sizes along an axis, in one order.

    Example:
        >>> controlled_fields("depth")
        ('width', 'steps', 'batch', 'tokens')
    """
    return tuple(field for variable in _VARIABLES[along] for field in variable.fields)


def keep_comparable(runs: list[TableRun], along: AxisName) -> tuple[list[TableRun], list[str], str]:
    """Keep the runs of one setting of the controlled variables per scheme and size.

    Diverged runs are kept whatever their training length: they stopped before its end.

    Arguments:
        runs: All runs of a table.
        along: What is varied.

    Returns:
        The runs kept; what was left out or still differs, one line each; and the conditions, what
        all runs have in common.
    """
    groups: dict[tuple[str, int], list[TableRun]] = defaultdict(list)
    for run in runs:
        groups[run.observation.scheme, run.observation.size].append(run)
    usual = {key: _find_usual(group) for key, group in groups.items()}
    comparable, dropped = list[TableRun](), 0
    for key, group in groups.items():
        same = [run for run in group if _has_values(run, usual[key], along)]
        dropped += len(group) - len(same)
        comparable += _drop_histories(same)
    different = {values for values in usual.values() if values is not None}
    differing, conditions = _state_conditions(different, along)
    return comparable, _note_differences(dropped, differing, along), conditions


def _find_usual(runs: list[TableRun]) -> ControlledValues | None:
    """Return the values of most runs that ended, of equals the largest; None if none ended."""
    points: dict[ControlledValues, set[tuple[float, int]]] = defaultdict(set)
    for run in runs:
        if not run.observation.diverged:
            points[run.controlled].add((run.observation.lr, run.observation.seed))
    return max(
        points,
        key=lambda values: (len(points[values]), [value or 0.0 for value in values]),
        default=None,
    )


def _has_values(run: TableRun, usual: ControlledValues | None, along: AxisName) -> bool:
    """Tell whether a run has the usual values, as far as a run that diverged can show."""
    if usual is None:
        return True
    cut = {f for variable in _VARIABLES[along] if variable.ends_early for f in variable.fields}
    return all(
        value == common or (run.observation.diverged and field in cut)
        for field, value, common in zip(
            controlled_fields(along), run.controlled, usual, strict=True
        )
    )


def _drop_histories(runs: list[TableRun]) -> list[TableRun]:
    """Leave out what repeats a diverged run at a later step of its history."""
    distinct, first = list[TableRun](), dict[tuple[float, int], ControlledValues]()
    for run in runs:
        row = run.observation
        values = first.setdefault((row.lr, row.seed), run.controlled)
        if not row.diverged or run.controlled == values:
            distinct.append(run)
    return distinct


def _state_conditions(
    settings: Collection[ControlledValues], along: AxisName
) -> tuple[list[str], str]:
    """Return which controlled variables differ between sizes, and what all runs share."""
    values = dict(zip(controlled_fields(along), zip(*settings, strict=True), strict=False))
    common = {field: seen[0] for field, seen in values.items() if len(set(seen)) == 1}
    differing, parts = list[str](), list[str]()
    for variable in _VARIABLES[along]:
        shared = {field: v for field in variable.fields if (v := common.get(field)) is not None}
        all_common = all(field in common for field in variable.fields)
        if all_common or not values or (variable.either and shared):
            parts += [_format_condition(field, value) for field, value in shared.items()]
        else:
            differing.append(variable.name)
            parts.append(f"{variable.differing} that differ between {AXES[along].plural}")
    return differing, ", ".join(parts)


def _note_differences(dropped: int, differing: list[str], along: AxisName) -> list[str]:
    axis, notes = AXES[along], list[str]()
    if dropped:
        others = "training lengths" if along == "width" else "settings"
        notes.append(
            f"{dropped} rows of another {' or '.join(controlled_fields(along))} than most at their "
            f"{axis.name} are left out: optima at different {others} do not compare"
        )
    if differing:
        verb, all_of_them = ("differs", "both") if len(differing) == 1 else ("differ", "all")
        notes.append(
            f"{' and '.join(differing)} {verb} between {axis.plural} or schemes: what is said of "
            f"{axis.name} holds for {all_of_them} changing together"
        )
    return notes


def _format_condition(field: str, value: float) -> str:
    """Return a condition for people.

    Example:
        >>> _format_condition("steps", 2000.0), _format_condition("depth", 4.0)
        ('2,000 steps', 'depth 4')
    """
    number = f"{value:,.15g}"
    return f"{field} {number}" if field in {"width", "depth"} else f"{number} {field}"
