"""Runs made anywhere: which columns say what, and what each row is.

Trackers write parameters and metrics under names of their own (W&B, MLflow, TensorBoard, Optuna);
the usual ones are known here. A run whose loss is NaN or infinite diverged; one without a loss, or
that a tracker calls failed, was not made.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import TableError
from .files import Cells, read_cells
from .table import Observation, RunTable

ALL = "all"  # the scheme of runs without one

# Names by field, the first that a table has is taken; `_plain` says how names are compared.
NAMES: Mapping[str, tuple[str, ...]] = {
    "width": (
        "width", "d_model", "n_embd", "hidden_size", "hidden_dim", "model_dim", "embed_dim",
        "d_embed", "model_width", "n_hidden", "dim",
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
NEEDED = ("width", "lr", "loss")
FIELDS = tuple(field for field in NAMES if field != "state")
HORIZON = ("steps", "batch", "tokens")

_PREFIX = re.compile(
    r"^(params?|config|hparams?|metrics?|summary|user_attrs|system_attrs|args)[._/]+"
)
_NOT_MADE = {
    "failed", "fail", "crashed", "killed", "running", "waiting", "pruned", "scheduled",
    "preempted", "preempting", "pending", "queued", "canceled", "cancelled", "deleted",
}  # fmt: skip


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


Horizon = tuple[float | None, ...]  # steps, batch, tokens


@dataclass(frozen=True)
class _Run:
    observation: Observation
    horizon: Horizon
    has_seed: bool


def read_runs(path: Path, *, columns: Mapping[str, str] | None = None) -> Runs:
    """Read the runs of a file.

    Arguments:
        path: CSV, JSON lines, JSON or Parquet.
        columns: Names of the columns by field, for those that are not known by their usual names.

    Raises:
        TableError: If the file or a column cannot be used, or a cell is no number.
    """
    return runs_of(read_cells(path), name=path.name, columns=columns)


def runs_of(rows: Sequence[Cells], *, name: str, columns: Mapping[str, str] | None = None) -> Runs:
    """Read runs from rows of named cells.

    Arguments:
        rows: One mapping per run.
        name: What to call the table in messages.
        columns: As in `read_runs`.

    Raises:
        TableError: If a column is missing or a cell is no number.

    Example:
        >>> runs_of([{"d_model": 64, "lr": 0.01, "loss": 3.2}], name="mine").table.schemes
        ('all',)
    """
    names = _columns(list(dict.fromkeys(name for row in rows for name in row)), columns or {})
    warnings = [
        f"read {field} from column {name!r}" for field, name in names.items() if field != name
    ]
    runs, left_out = list[_Run](), Counter[str]()
    for number, row in enumerate(rows, start=1):
        run = _run(row, names, f"{name}, row {number}")
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
    runs, notes, conditions = _one_horizon(runs)
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


def _columns(found: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the column of every field that the table has."""
    for field, name in given.items():
        if field not in FIELDS or name not in found:
            wanted = f"a field among {', '.join(FIELDS)}" if field not in FIELDS else "a column"
            raise TableError(
                f"columns: got {field}={name}, wanted {wanted} of the table: {', '.join(found)}."
            )
    names = dict(given)
    for field, usual in NAMES.items():
        candidates = [name for wanted in usual for name in found if _plain(name) == wanted]
        if field not in names and candidates:
            names[field] = candidates[0]
    if missing := [field for field in NEEDED if field not in names]:
        raise TableError(
            f"runs: got columns {', '.join(found)}, wanted also {', '.join(missing)}. Name them, "
            f"such as --columns {missing[0]}={found[0]}."
        )
    return names


def _run(row: Cells, names: Mapping[str, str], where: str) -> _Run | str:
    """Return the run of a row, or why it was not made."""
    cells = {field: row.get(name) for field, name in names.items()}
    state = str(cells.get("state") or "").strip().lower().rpartition(".")[2]
    loss = _loss(cells["loss"], f"loss in {where}")
    if state in _NOT_MADE and (loss is None or math.isfinite(loss)):
        return f"are called {state}"
    if loss is None:
        return "have no loss"
    width, lr = (_required(cells[field], field, where) for field in ("width", "lr"))
    seed = _number(cells.get("seed"), f"seed in {where}")
    if width % 1 or (seed is not None and seed % 1):
        raise TableError(
            f"runs: got width {width} and seed {seed} in {where}, wanted whole numbers."
        )
    scheme = str(cells.get("scheme") or ALL)
    horizon = tuple(_number(cells.get(field), f"{field} in {where}") for field in HORIZON)
    is_finite = math.isfinite(loss)
    observation = Observation(
        scheme, int(width), lr, int(seed or 0), loss if is_finite else None, not is_finite
    )
    return _Run(observation, horizon, seed is not None)


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


def _one_horizon(runs: list[_Run]) -> tuple[list[_Run], list[str], str]:
    """Keep one training length per scheme and width.

    Diverged runs are kept whatever their length: they stopped before its end.
    """
    groups: dict[tuple[str, int], list[_Run]] = defaultdict(list)
    for run in runs:
        groups[run.observation.scheme, run.observation.width].append(run)
    lengths = {key: _usual_horizon(group) for key, group in groups.items()}
    kept, dropped = list[_Run](), 0
    for key, group in groups.items():
        chosen = [r for r in group if r.observation.diverged or r.horizon == lengths[key]]
        dropped += len(group) - len(chosen)
        kept += _last_rows(chosen)
    notes = []
    if dropped:
        notes.append(
            f"{dropped} rows of another {' or '.join(HORIZON)} than most at their width are left "
            "out: optima at different training lengths do not compare"
        )
    different = {length for length in lengths.values() if length is not None}
    if len(different) > 1:
        notes.append(
            "training length or batch differs between widths or schemes: what is said of width "
            "holds for both changing together"
        )
        return kept, notes, "training lengths that differ between widths"
    return kept, notes, _conditions(next(iter(different), ()))


def _usual_horizon(runs: list[_Run]) -> Horizon | None:
    """Return the training length of most runs that ended, of equals the longest."""
    cells: dict[Horizon, set[tuple[float, int]]] = defaultdict(set)
    for run in runs:
        if not run.observation.diverged:
            cells[run.horizon].add((run.observation.lr, run.observation.seed))
    return max(cells, key=lambda h: (len(cells[h]), [value or 0.0 for value in h]), default=None)


def _last_rows(runs: list[_Run]) -> list[_Run]:
    """Leave out rows of one history: diverged runs told again at another training length."""
    kept, seen = list[_Run](), dict[tuple[float, int], Horizon]()
    for run in runs:
        row = run.observation
        first = seen.setdefault((row.lr, row.seed), run.horizon)
        if not row.diverged or run.horizon == first:
            kept.append(run)
    return kept


def _conditions(horizon: Horizon) -> str:
    parts = [
        f"{v:,.15g} {name}" for name, v in zip(HORIZON, horizon, strict=False) if v is not None
    ]
    return ", ".join(parts)


def _numbered(runs: list[_Run]) -> tuple[tuple[Observation, ...], list[str]]:
    """Number repeated runs of a table without seeds by their order; drop repeated rows."""
    seen, observations = Counter[tuple[str, int, float]](), list[Observation]()
    numbered = False
    for run in runs:
        row = run.observation
        if not run.has_seed:
            key = (row.scheme, row.width, row.lr)
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
