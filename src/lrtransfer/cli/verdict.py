"""`lrtransfer verdict`: judge transfer from a table of runs made anywhere."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ..errors import TableError
from .command import Command, print_json, wide_console
from .options import Json, option, read_number, read_whole

if TYPE_CHECKING:
    from ..integrations.tables.runs import Runs
    from ..statistics.axis import AxisName


@dataclass(frozen=True)
class VerdictCommand(Command):
    """Judge whether the learning rate transfers, from a table of runs made anywhere.

    A row per run: width, learning rate and loss, optionally seed, scheme, steps, batch and tokens.

    Example: lrtransfer verdict runs.csv --columns width=d_model,loss=val_loss --target 4096

    Example: lrtransfer verdict runs.csv --along steps --target 100000

    Example: lrtransfer verdict runs.csv --along params,tokens --target params=7e9,tokens=140e9
    """

    runs: tyro.conf.Positional[Path]
    """CSV, JSON lines, JSON or Parquet; exports of W&B, MLflow, TensorBoard and Optuna as they
    are."""
    along: Annotated[str | None, option("AXIS")] = None
    """What grows: width (by default), depth, batch, steps, params or tokens; its column holds the
    sizes. Two of them, such as params,tokens, predict the rate where both grow."""
    target: Annotated[str | None, option("N", "--target-width")] = None
    """Width, or size along another axis, to find the learning rate for; by default the largest.
    Of two axes both: params=7e9,tokens=140e9."""
    base: Annotated[str | None, option("N", "--base-width")] = None
    """Width, or size along another axis, whose optimum would be used; by default the smallest."""
    tolerance_regret: Annotated[str | None, option("SHARE")] = None
    """Share of the best loss up to which the rate is said to transfer; by default 0.01."""
    tolerance_regret_abs: Annotated[str | None, option("LOSS")] = None
    """The same in units of the loss."""
    columns: Annotated[str | None, option("FIELD=NAME,…")] = None
    """Names of columns, such as width=d_model,lr=learning_rate,loss=val_loss."""
    where: Annotated[str | None, option("FIELD=VALUE,…")] = None
    """Rows that count, by column or field, such as batch=256,optimizer=adamw; * is any value."""
    group_by: Annotated[str | None, option("COLUMN,…")] = None
    """Columns of settings whose values are judged one by one, each as a scheme."""
    maximize: bool = False
    """Take the loss for a score, of which more is better: 1 (or 100 %) minus it is judged."""
    check: bool = False
    """Predict every size from the others, too, and show it beside what was measured."""
    json: Json = False

    def run(self) -> int:
        """Read, judge and print."""
        if self.tolerance_regret is not None and self.tolerance_regret_abs is not None:
            raise TableError(
                "tolerance: got --tolerance-regret and --tolerance-regret-abs, wanted one of them."
            )
        if self.along is not None and "," in self.along:
            self._predict_pair(self.along)
            return 0
        from ..integrations.tables.runs import read_runs
        from ..statistics.axis import check_axis

        axis = check_axis("width" if self.along is None else self.along, "along")
        options: dict[str, Any] = {
            name: read_whole(name, text, least=1)
            for name in ("target", "base")
            if (text := getattr(self, name)) is not None
        }
        if self.tolerance_regret is not None:
            options["tolerance"] = read_number("tolerance_regret", self.tolerance_regret)
        if self.tolerance_regret_abs is not None:
            options["absolute_tolerance"] = read_number(
                "tolerance_regret_abs", self.tolerance_regret_abs
            )
        runs = read_runs(
            self.runs,
            columns=_read_columns(self.columns),
            along=axis,
            where=_read_where(self.where),
            group_by=_read_names(self.group_by),
            maximize=self.maximize,
            any_sign=self.tolerance_regret_abs is not None,
        )
        self._judge(runs, axis, options)
        return 0

    def _judge(self, runs: "Runs", axis: "AxisName", options: dict[str, Any]) -> None:
        from rich.markup import escape

        from ..reports.joint import format_best_batch
        from ..reports.judgement import judgement_document, print_judgement
        from ..statistics.axis import AXES
        from ..statistics.batches import find_best_batches
        from ..statistics.failures import describe_failures
        from ..statistics.transfer import judge

        largest = int(runs.table.columns.size.max())
        target = options.pop("target", largest)
        answers = judge(runs.table, target=target, conditions=runs.conditions, axis=axis, **options)
        answers = answers.with_check() if self.check else answers
        notes = (*runs.warnings, *describe_failures(answers.failures, axis=axis))
        batches = () if runs.by_batch is None else find_best_batches(runs.by_batch)
        if self.json:
            rows = {"read": runs.rows, "used": len(runs.table)}
            best = {"batches": [asdict(one) for one in batches]}
            print_json({"rows": rows, **judgement_document(answers, notes=notes), **best})
            return
        console = wide_console()
        print_judgement(answers, target=target, console=console)
        for one in batches:
            console.print(f"{escape(format_best_batch(one, AXES[axis].name))}.")
        for note in notes:
            console.print(f"[bold]Note:[/] {escape(note)}.")

    def _predict_pair(self, along: str) -> None:
        for key in ("base", "tolerance_regret", "tolerance_regret_abs"):
            if getattr(self, key) is not None:
                raise TableError(
                    f"{key}: got it with two axes, wanted none: a rate is predicted, and no "
                    "verdict given. Leave it out, or choose one axis."
                )
        from rich.markup import escape

        from ..integrations.tables.pairs import name_target, read_pairs
        from ..reports.joint import pair_document, print_pairs
        from ..statistics.joint import judge_pair

        axes = tuple(_read_names(along))
        if len(axes) != 2:
            raise TableError(f"along: got {along!r}, wanted two axes, such as params,tokens.")
        runs = read_pairs(
            self.runs,
            along=axes,
            columns=_read_columns(self.columns),
            where=_read_where(self.where),
            group_by=_read_names(self.group_by),
            maximize=self.maximize,
        )
        target = runs.table.largest
        if self.target is not None:
            target = name_target(_read_target(self.target), runs.table.axes)
        judgement = judge_pair(runs.table, target=target)
        notes = (*runs.warnings, *judgement.failures)
        if self.json:
            rows = {"read": runs.rows, "used": len(runs.table.runs)}
            said = pair_document(judgement, conditions=runs.conditions, notes=notes)
            print_json({"rows": rows, **said})
            return
        console = wide_console()
        print_pairs(judgement, target=target, conditions=runs.conditions, console=console)
        for note in notes:
            console.print(f"[bold]Note:[/] {escape(note)}.")


def _read_names(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _read_target(text: str) -> dict[str, int]:
    """Return the sizes of a target over two axes; 7e9 is a whole number here."""
    sizes = {}
    for part in text.split(","):
        axis, equals, number = (each.strip() for each in part.partition("="))
        value = read_number("target", number) if equals else math.nan
        if not (value > 0 and value % 1 == 0):
            raise TableError(
                f"target: got {text!r}, wanted a whole number for either axis, such as "
                "params=7e9,tokens=140e9."
            )
        sizes[axis] = int(value)
    return sizes


def _read_columns(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(field.strip() and name.strip() for field, _, name in pairs):
        raise TableError(
            f"columns: got {text!r}, wanted FIELD=NAME between commas, such as "
            "width=d_model,lr=learning_rate,loss=val_loss."
        )
    return {field.strip(): name.strip() for field, _, name in pairs}


def _read_where(text: str | None) -> dict[str, list[str] | str]:
    """Return the wanted values by column; a column that is named again has several."""
    wanted: dict[str, list[str] | str] = {}
    for part in text.split(",") if text is not None else ():
        column, _, value = (each.strip() for each in part.partition("="))
        if not column or not value:
            raise TableError(
                f"where: got {text!r}, wanted FIELD=VALUE between commas, such as "
                "batch=256,optimizer=adamw."
            )
        values = wanted.setdefault(column, [])
        if value == "*" or isinstance(values, str):
            wanted[column] = "*"
        else:
            values.append(value)
    return wanted
