"""Runs made anywhere: which columns say what, and what each row is.

Trackers write parameters and metrics under names of their own (W&B, MLflow, TensorBoard, Optuna);
the usual ones are known here. A run whose loss is NaN or infinite diverged; one without a loss, or
that a tracker calls failed, was not made.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import TableError
from .axis import AXES, AxisName, checked_axis
from .files import Cells, read_cells
from .table import Observation, RunTable

ALL = "all"  # the scheme of runs without one

# Names by field, the first that a table has is taken; `_plain` says how names are compared.
NAMES: Mapping[str, tuple[str, ...]] = {
    "width": (
        "width", "d_model", "n_embd", "hidden_size", "hidden_dim", "model_dim", "embed_dim",
        "d_embed", "model_width", "n_hidden", "dim",
    ),
    "depth": (
        "depth", "n_layer", "n_layers", "num_layers", "num_hidden_layers", "layers", "n_blocks",
        "model_depth", "l",
    ),
    "lr": ("lr", "learning_rate", "max_lr", "peak_lr", "base_lr", "max_learning_rate", "eta"),
    "loss": (
        "val_loss", "validation_loss", "valid_loss", "eval_loss", "test_loss", "loss",
        "final_loss", "value", "values_0", "objective",
    ),
    "seed": ("seed", "random_seed", "rng_seed", "init_seed"),
    "scheme": ("scheme", "parametrization", "parameterization"),
    "steps": ("steps", "num_steps", "train_steps", "max_steps", "total_steps", "step"),
    "batch": ("batch", "batch_size", "global_batch_size", "train_batch_size"),
    "tokens": ("tokens", "train_tokens", "num_tokens", "total_tokens"),
    "state": ("state", "status"),
}  # fmt: skip

_PREFIX = re.compile(
    r"^(params?|config|hparams?|metrics?|summary|user_attrs|system_attrs|args)[._/]+"
)
_NOT_MADE = {
    "failed", "fail", "crashed", "killed", "running", "waiting", "pruned", "scheduled",
    "preempted", "preempting", "pending", "queued", "canceled", "cancelled", "deleted",
}  # fmt: skip


@dataclass(frozen=True)
class _Held:
    """Name what is to be the same at all sizes along an axis.

    Attributes:
        fields: Its fields.
        what: What is told to differ, where it does.
        differing: The same, several of them.
        either: Whether it is enough that one of the fields is known and the same: a training may be
            held to its steps or to its tokens, and a batch size moves the other.
        ends_early: Whether a run that diverged may tell another value: it stopped before its end.
    """

    fields: tuple[str, ...]
    what: str
    differing: str
    either: bool = False
    ends_early: bool = False


_WIDTH = _Held(("width",), "width", "widths")
_DEPTH = _Held(("depth",), "depth", "depths")
_HORIZON = _Held(
    ("steps", "batch", "tokens"), "training length or batch", "training lengths", ends_early=True
)
_LENGTH = _Held(
    ("steps", "tokens"), "training length", "training lengths", either=True, ends_early=True
)
_BATCH = _Held(("batch",), "batch size", "batch sizes")
_HELD: Mapping[AxisName, tuple[_Held, ...]] = {
    "width": (_HORIZON,),
    "depth": (_WIDTH, _HORIZON),
    "batch": (_WIDTH, _DEPTH, _LENGTH),
    "steps": (_WIDTH, _DEPTH, _BATCH),
}


@dataclass(frozen=True)
class Runs:
    """Hold what a file says.

    Attributes:
        table: One observation per run.
        conditions: What all runs have in common, for people.
        warnings: What was left out, guessed or is not comparable, one line each.
    """

    table: RunTable
    conditions: str
    warnings: tuple[str, ...]


Setting = tuple[float | None, ...]  # values of the fields that are held along an axis


@dataclass(frozen=True)
class _Run:
    observation: Observation
    setting: Setting
    has_seed: bool


def read_runs(
    path: Path, *, columns: Mapping[str, str] | None = None, along: AxisName = "width"
) -> Runs:
    """Read the runs of a file.

    Arguments:
        path: CSV, JSON lines, JSON or Parquet.
        columns: Names of the columns by field, for those that are not known by their usual names.
        along: Axis whose field is the size of a run: it becomes the `size` of its observation.

    Raises:
        TableError: If the file or a column cannot be used, or a cell is no number.
    """
    return runs_of(read_cells(path), name=path.name, columns=columns, along=along)


def runs_of(
    rows: Sequence[Cells],
    *,
    name: str,
    columns: Mapping[str, str] | None = None,
    along: AxisName = "width",
) -> Runs:
    """Read runs from rows of named cells.

    Arguments:
        rows: One mapping per run.
        name: What to call the table in messages.
        columns: As in `read_runs`.
        along: As in `read_runs`.

    Raises:
        TableError: If a column is missing or a cell is no number.

    Example:
        >>> runs_of([{"d_model": 64, "lr": 0.01, "loss": 3.2}], name="mine").table.schemes
        ('all',)
        >>> found = runs_of([{"steps": 500, "lr": 0.01, "loss": 3.2}], name="mine", along="steps")
        >>> found.table.observations[0].size
        500
    """
    along = checked_axis(along, "along")
    found = list(dict.fromkeys(name for row in rows for name in row))
    names = _columns(found, columns or {}, along)
    warnings = [
        f"read {field} from column {name!r}" for field, name in names.items() if field != name
    ]
    runs, left_out = list[_Run](), Counter[str]()
    for number, row in enumerate(rows, start=1):
        run = _run(row, names, f"{name}, row {number}", along)
        if isinstance(run, str):
            left_out[run] += 1
        else:
            runs.append(run)
    warnings += [f"{count} rows {why}, and count as not made" for why, count in left_out.items()]
    if not runs:
        raise TableError(
            f"runs: got {name} in which no row has a loss, wanted finished runs. "
            f"{'; '.join(warnings)}."
        )
    runs, notes, conditions = _one_setting(runs, along)
    observations, more = _numbered(runs)
    diverged = sum(row.diverged for row in observations)
    if diverged:
        more.append(f"{diverged} runs diverged (their loss is NaN or infinite)")
    return Runs(RunTable(observations), conditions, (*warnings, *notes, *more))


def _plain(name: str) -> str:
    """Return a column's name as it is compared: `params.Learning Rate` is learning_rate.

    Example:
        >>> _plain("params_lr"), _plain("val/loss"), _plain("Learning Rate")
        ('lr', 'val_loss', 'learning_rate')
    """
    lowered = name.strip().lower()
    return re.sub(r"[^a-z0-9]+", "_", _PREFIX.sub("", lowered)).strip("_")


def _held_fields(along: AxisName) -> tuple[str, ...]:
    """Return the fields that are to be the same at all sizes, in one order.

    Example:
        >>> _held_fields("depth")
        ('width', 'steps', 'batch', 'tokens')
    """
    return tuple(field for held in _HELD[along] for field in held.fields)


def _columns(found: Sequence[str], given: Mapping[str, str], along: AxisName) -> dict[str, str]:
    """Return the column of every field that the table has."""
    needed = (along, "lr", "loss")
    read = {*needed, "seed", "scheme", "state", *_held_fields(along)}
    fields = [field for field in NAMES if field in read and field != "state"]
    for field, name in given.items():
        if field not in fields or name not in found:
            wanted = f"a field among {', '.join(fields)}" if field not in fields else "a column"
            raise TableError(
                f"columns: got {field}={name}, wanted {wanted} of the table: {', '.join(found)}."
            )
    names = dict(given)
    for field, usual in NAMES.items():
        if field not in read:
            continue
        candidates = [name for wanted in usual for name in found if _plain(name) == wanted]
        if field not in names and candidates:
            names[field] = candidates[0]
    if missing := [field for field in needed if field not in names]:
        raise TableError(
            f"runs: got columns {', '.join(found)}, wanted also {', '.join(missing)}. Name them, "
            f"such as --columns {missing[0]}={found[0]}."
        )
    return names


def _run(row: Cells, names: Mapping[str, str], where: str, along: AxisName) -> _Run | str:
    """Return the run of a row, or why it was not made."""
    cells = {field: row.get(name) for field, name in names.items()}
    state = str(cells.get("state") or "").strip().lower().rpartition(".")[2]
    loss = _loss(cells["loss"], f"loss in {where}")
    if state in _NOT_MADE and (loss is None or math.isfinite(loss)):
        return f"are called {state}"
    if loss is None:
        return "have no loss"
    size, lr = (_required(cells[field], field, where) for field in (along, "lr"))
    seed = _number(cells.get("seed"), f"seed in {where}")
    if size % 1 or (seed is not None and seed % 1):
        raise TableError(
            f"runs: got {along} {size} and seed {seed} in {where}, wanted whole numbers."
        )
    scheme = str(cells.get("scheme") or ALL)
    setting = tuple(
        _number(cells.get(field), f"{field} in {where}") for field in _held_fields(along)
    )
    is_finite = math.isfinite(loss)
    observation = Observation(
        scheme, int(size), lr, int(seed or 0), loss if is_finite else None, not is_finite
    )
    return _Run(observation, setting, seed is not None)


def _loss(cell: Any, what: str) -> float | None:
    """Return a cell's number, NaN and infinity included; None where it is blank."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise TableError(
            f"runs: got {what}: {str(cell)[:40]!r}, wanted a number. Correct it or leave the cell "
            "blank."
        ) from None


def _number(cell: Any, what: str) -> float | None:
    """Return a cell's finite number; None where it is blank, or NaN as pandas writes blanks."""
    value = _loss(cell, what)
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        raise TableError(f"runs: got {what}: {cell!r}, wanted a finite number or a blank cell.")
    return value


def _required(cell: Any, field: str, where: str) -> float:
    value = _number(cell, f"{field} in {where}")
    if value is None:
        raise TableError(
            f"runs: got {field} {cell!r} in {where}, wanted a finite number. Fill it in or remove "
            "the row."
        )
    return value


def _one_setting(runs: list[_Run], along: AxisName) -> tuple[list[_Run], list[str], str]:
    """Keep one setting, above all one training length, per scheme and size.

    Diverged runs are kept whatever their training length: they stopped before its end.
    """
    groups: dict[tuple[str, int], list[_Run]] = defaultdict(list)
    for run in runs:
        groups[run.observation.scheme, run.observation.size].append(run)
    settings = {key: _usual_setting(group) for key, group in groups.items()}
    kept, dropped = list[_Run](), 0
    for key, group in groups.items():
        chosen = [run for run in group if _has_setting(run, settings[key], along)]
        dropped += len(group) - len(chosen)
        kept += _last_rows(chosen)
    different = {setting for setting in settings.values() if setting is not None}
    moving, conditions = _conditions(different, along)
    notes = []
    if dropped:
        others = "training lengths" if along == "width" else "settings"
        notes.append(
            f"{dropped} rows of another {' or '.join(_held_fields(along))} than most at their "
            f"{AXES[along].name} are left out: optima at different {others} do not compare"
        )
    if moving:
        verb, all_of_them = ("differs", "both") if len(moving) == 1 else ("differ", "all")
        notes.append(
            f"{' and '.join(moving)} {verb} between {AXES[along].plural} or schemes: what is said "
            f"of {AXES[along].name} holds for {all_of_them} changing together"
        )
    return kept, notes, conditions


def _usual_setting(runs: list[_Run]) -> Setting | None:
    """Return the setting of most runs that ended, of equals the largest."""
    cells: dict[Setting, set[tuple[float, int]]] = defaultdict(set)
    for run in runs:
        if not run.observation.diverged:
            cells[run.setting].add((run.observation.lr, run.observation.seed))
    return max(cells, key=lambda h: (len(cells[h]), [value or 0.0 for value in h]), default=None)


def _has_setting(run: _Run, usual: Setting | None, along: AxisName) -> bool:
    """Tell whether a run has a setting, as far as a run that diverged can tell."""
    if usual is None:  # no run ended
        return True
    cut = {field for held in _HELD[along] if held.ends_early for field in held.fields}
    return all(
        mine == theirs or (run.observation.diverged and field in cut)
        for field, mine, theirs in zip(_held_fields(along), run.setting, usual, strict=True)
    )


def _last_rows(runs: list[_Run]) -> list[_Run]:
    """Leave out rows of one history: diverged runs told again at another training length."""
    kept, seen = list[_Run](), dict[tuple[float, int], Setting]()
    for run in runs:
        row = run.observation
        first = seen.setdefault((row.lr, row.seed), run.setting)
        if not row.diverged or run.setting == first:
            kept.append(run)
    return kept


def _conditions(settings: Collection[Setting], along: AxisName) -> tuple[list[str], str]:
    """Return what differs between sizes though it should not, and what all runs have in common."""
    values = dict(zip(_held_fields(along), zip(*settings, strict=True), strict=False))
    same = {field: found[0] for field, found in values.items() if len(set(found)) == 1}
    moving, parts = list[str](), list[str]()
    for held in _HELD[along]:
        known = {field: v for field in held.fields if (v := same.get(field)) is not None}
        if all(field in same for field in held.fields) or not values or (held.either and known):
            parts += [_condition(field, value) for field, value in known.items()]
        else:
            moving.append(held.what)
            parts.append(f"{held.differing} that differ between {AXES[along].plural}")
    return moving, ", ".join(parts)


def _condition(field: str, value: float) -> str:
    """Return a condition for people.

    Example:
        >>> _condition("steps", 2000.0), _condition("depth", 4.0)
        ('2,000 steps', 'depth 4')
    """
    number = f"{value:,.15g}"
    return f"{field} {number}" if field in {"width", "depth"} else f"{number} {field}"


def _numbered(runs: list[_Run]) -> tuple[tuple[Observation, ...], list[str]]:
    """Number repeated runs of a table without seeds by their order; drop repeated rows."""
    seen, observations = Counter[tuple[str, int, float]](), list[Observation]()
    numbered = False
    for run in runs:
        row = run.observation
        if not run.has_seed:
            key = (row.scheme, row.size, row.lr)
            row = replace(row, seed=seen[key])
            seen[key] += 1
            numbered |= seen[key] > 1
        observations.append(row)
    notes = []
    if numbered:
        notes.append(
            "there is no seed: repeated runs are numbered in the order of the table, and the k-th "
            "runs of all learning rates are taken to share a seed"
        )
    return tuple(dict.fromkeys(observations)), notes
