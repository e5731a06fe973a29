"""`lrtransfer verdict`: judge transfer from a table of runs made anywhere."""

from dataclasses import dataclass
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
    """

    runs: tyro.conf.Positional[Path]
    """CSV, JSON lines, JSON or Parquet; exports of W&B, MLflow, TensorBoard and Optuna as they
    are."""
    along: Annotated[str | None, option("AXIS")] = None
    """What grows: width (by default), depth, batch or steps; its column holds the sizes."""
    target: Annotated[str | None, option("N", "--target-width")] = None
    """Width, or size along another axis, to find the learning rate for; by default the largest."""
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
            group_by=[part.strip() for part in (self.group_by or "").split(",") if part.strip()],
            maximize=self.maximize,
            any_sign=self.tolerance_regret_abs is not None,
        )
        self._judge(runs, axis, options)
        return 0

    def _judge(self, runs: "Runs", axis: "AxisName", options: dict[str, Any]) -> None:
        from rich.markup import escape

        from ..reports.judgement import judgement_document, print_judgement
        from ..statistics.failures import describe_failures
        from ..statistics.transfer import judge

        largest = int(runs.table.columns.size.max())
        target = options.pop("target", largest)
        answers = judge(runs.table, target=target, conditions=runs.conditions, axis=axis, **options)
        answers = answers.with_check() if self.check else answers
        notes = (*runs.warnings, *describe_failures(answers.failures, axis=axis))
        if self.json:
            rows = {"read": runs.rows, "used": len(runs.table)}
            print_json({"rows": rows, **judgement_document(answers, notes=notes)})
            return
        console = wide_console()
        print_judgement(answers, target=target, console=console)
        for note in notes:
            console.print(f"[bold]Note:[/] {escape(note)}.")


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
