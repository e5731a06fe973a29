"""Controlled variables: what must be the same at all sizes for their optima to compare.

Along the width that is the training length and the batch; along the batch size it is the width, the
depth, and either the steps or the tokens, for a larger batch moves one or the other. Of several
settings one is judged: of those that all sizes have with a curve of rates the one that keeps most
runs. Where there is none, every size has its own usual one, and a warning and the answer's
conditions name what differs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...scaling import FloatArray
from ...statistics.axis import AXES, AxisName
from ...statistics.curves.columns import BoolArray
from ...statistics.table import Int64Array
from .attempts import Attempts
from .cells import combine_codes, encode
from .choice import choose_settings, find_widest, list_offers


@dataclass(frozen=True, kw_only=True)
class _Variable:
    """A controlled variable and the fields that show its value.

    Attributes:
        fields: Its fields.
        name: What it is called.
        differing: What its values are called where they differ between sizes.
        either: Whether one known field with a common value is enough, such as steps or tokens.
        ends_early: Whether a run that diverged may show another length: it stopped before its end.
    """

    fields: tuple[str, ...]
    name: str
    differing: str
    either: bool = False
    ends_early: bool = False

    @property
    def lengths(self) -> tuple[str, ...]:
        """Those of its fields that are lengths."""
        return tuple(field for field in self.fields if field != "batch")


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
    "params": (_LENGTH_AND_BATCH,),
    "tokens": (_WIDTH, _DEPTH, _BATCH),
}


def controlled_fields(along: AxisName) -> tuple[str, ...]:
    """Return the fields that must be the same at all sizes along an axis, in one order.

    Example:
        >>> controlled_fields("depth")
        ('width', 'steps', 'batch', 'tokens')
    """
    return tuple(field for variable in _VARIABLES[along] for field in variable.fields)


def keep_comparable(attempts: Attempts, along: AxisName) -> tuple[BoolArray, list[str], str]:
    """Return which runs have one setting of the controlled variables.

    Diverged runs are kept whatever their training length: they stopped before its end.

    Arguments:
        attempts: All runs of a table.
        along: What is varied.

    Returns:
        The runs kept; what was left out or still differs, one line each; and the conditions, what
        all runs have in common.
    """
    lengths = {field for variable in _VARIABLES[along] for field in variable.lengths}
    offers = list_offers(attempts, lengths)
    chosen, is_usual = choose_settings(attempts, offers)
    wanted = chosen[attempts.group]
    exact = (attempts.setting == wanted) | (wanted < 0)
    kept = exact | _stopped_early(attempts, exact, wanted, along)
    values = _list_values(attempts, np.unique(chosen[chosen >= 0]))
    differing, conditions = _state_conditions(values, along)
    told = f"most at their {AXES[along].name}"
    if not is_usual.all():
        told = f"{_name_settings(values)}, the best that all sizes have (--where chooses another)"
    notes = _note_dropped(int((~kept).sum()), told, along)
    if differing:
        notes.append(_note_differing(differing, along))
        if (widest := find_widest(offers)) is not None:
            same = _name_settings(_list_values(attempts, np.array(widest[:1])))
            notes.append(f"{widest[1]} of the curves share one setting: --where {same}")
    return kept, notes, conditions


def _list_values(attempts: Attempts, settings: Int64Array) -> dict[str, FloatArray]:
    """Return the values of some settings, by field."""
    codes, first = np.unique(attempts.setting, return_index=True)
    shown = first[np.isin(codes, settings)]
    return {field: column[shown] for field, column in attempts.controlled.items()}


def _stopped_early(
    attempts: Attempts, exact: BoolArray, wanted: Int64Array, along: AxisName
) -> BoolArray:
    """Return diverged runs that differ from the setting judged in their length alone.

    Of the rows of one such run the first is taken, and none where a run of the setting exists.
    """
    cut = {f for variable in _VARIABLES[along] if variable.ends_early for f in variable.lengths}
    fixed = [encode(column) for f, column in attempts.controlled.items() if f not in cut]
    part = combine_codes(*fixed) if fixed else np.zeros(len(attempts), dtype=np.int64)
    of_setting = np.full(int(attempts.setting.max(initial=-1)) + 1, -1)
    of_setting[attempts.setting] = part
    early = attempts.is_diverged & ~exact & (of_setting[wanted] == part)
    early &= ~_repeats(attempts, exact)
    runs = combine_codes(attempts.point, encode(attempts.seed))
    rows = np.flatnonzero(early)
    firsts = rows[np.unique(runs[rows], return_index=True)[1]]
    # Without seeds, several rows of one length are several runs.
    same = np.zeros(len(attempts), dtype=np.bool_)
    setting = np.full(int(runs.max(initial=-1)) + 1, -1)
    setting[runs[firsts]] = attempts.setting[firsts]
    same[rows] = setting[runs[rows]] == attempts.setting[rows]
    return same


def _repeats(attempts: Attempts, exact: BoolArray) -> BoolArray:
    """Return diverged runs of which a run of the setting judged exists."""
    runs = combine_codes(attempts.point, encode(attempts.seed))
    has = np.zeros(int(runs.max(initial=-1)) + 1, dtype=np.bool_)
    has[runs[exact]] = True
    return attempts.is_diverged & has[runs]


def _state_conditions(values: Mapping[str, FloatArray], along: AxisName) -> tuple[list[str], str]:
    """Return which controlled variables differ between sizes, and what all runs share."""
    common = {
        field: float(seen[0])
        for field, seen in values.items()
        if len(seen) and len(np.unique(seen)) == 1
    }
    differing, parts = list[str](), list[str]()
    for variable in _VARIABLES[along]:
        shared = {f: v for f in variable.fields if not math.isnan(v := common.get(f, math.nan))}
        all_common = all(f in common or not len(values.get(f, ())) for f in variable.fields)
        if all_common or (variable.either and shared):
            parts += [_format_condition(field, value) for field, value in shared.items()]
        else:
            differing.append(variable.name)
            parts.append(f"{variable.differing} that differ between {AXES[along].plural}")
    return differing, ", ".join(parts)


def _note_dropped(dropped: int, told: str, along: AxisName) -> list[str]:
    if not dropped:
        return []
    others = "training lengths" if along == "width" else "settings"
    return [
        f"{dropped} rows of another {' or '.join(controlled_fields(along))} than {told} are left "
        f"out: optima at different {others} do not compare"
    ]


def _note_differing(differing: list[str], along: AxisName) -> str:
    axis = AXES[along]
    verb, all_of_them = ("differs", "both") if len(differing) == 1 else ("differ", "all")
    return (
        f"{' and '.join(differing)} {verb} between {axis.plural} or schemes: what is said of "
        f"{axis.name} holds for {all_of_them} changing together"
    )


def _name_settings(values: Mapping[str, FloatArray]) -> str:
    """Return settings as `--where` takes them.

    Example:
        >>> _name_settings({"steps": np.array([100.0, 200.0]), "batch": np.array([32.0, 32.0])})
        'steps=100,batch=32 or steps=200,batch=32'
    """
    return " or ".join(
        ",".join(f"{f}={v:.15g}" for f, v in zip(values, row, strict=True) if not math.isnan(v))
        for row in zip(*values.values(), strict=True)
    )


def _format_condition(field: str, value: float) -> str:
    """Return a condition for people.

    Example:
        >>> _format_condition("steps", 2000.0), _format_condition("depth", 4.0)
        ('2,000 steps', 'depth 4')
    """
    number = f"{value:,.15g}"
    return f"{field} {number}" if field in {"width", "depth"} else f"{number} {field}"
