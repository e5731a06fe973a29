"""Studies and verdicts from Python, as the commands `tune` and `verdict` give them."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .defaults import STUDY_FOLDER
from .errors import ConfigError, TableError
from .statistics.answer import Prediction, SchemeAnswer, SecondOpinion, VerdictName
from .statistics.axis import AxisName, check_axis
from .statistics.batches import BestBatch, find_best_batches
from .statistics.failures import describe_failures
from .statistics.joint import CellTable, PairAnswer, judge_pair
from .statistics.table import RunTable
from .statistics.transfer import Judgement, judge
from .study.load import load, merge
from .sweeps.result import StudyResult, list_warnings
from .sweeps.tune import count_workers, require_consent, run_study

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from .integrations.tables.runs import Runs


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """Runs and what is concluded from them.

    Attributes:
        table: The outcome of every run.
        judgement: One answer per scheme, and their comparisons.
        target: Size the learning rate is for.
        warnings: What to know before believing it, one line each.
        result: Everything else about a study; None for runs made elsewhere.
        by_batch: The runs by size and batch size, where some size has three batches or more.
    """

    table: RunTable
    judgement: Judgement
    target: int
    warnings: tuple[str, ...] = ()
    result: StudyResult | None = None
    by_batch: CellTable | None = None

    def __repr__(self) -> str:
        """Say the verdicts."""
        verdicts = ", ".join(f"{name}: {verdict}" for name, verdict in self.verdict.items())
        return f"Answer({verdicts or 'nothing yet'}; {len(self.table)} runs)"

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from .reports.facts import name_loss_unit
        from .reports.notation import LOSS_UNIT
        from .reports.notebook import render_answer

        return render_answer(
            self.table,
            self.judgement,
            target=self.target,
            warnings=self.warnings,
            unit=LOSS_UNIT if self.result is None else name_loss_unit(self.result.study),
        )

    @property
    def answers(self) -> Mapping[str, SchemeAnswer]:
        """Everything that is concluded, by scheme."""
        return self.judgement

    @property
    def verdict(self) -> dict[str, VerdictName]:
        """The verdict of every scheme: transfers, does not transfer, inconclusive."""
        return {name: answer.verdict for name, answer in self.judgement.items()}

    def suggestion(self) -> dict[str, Prediction | None]:
        """Return the learning rate for the target by scheme, None where it cannot be said."""
        return {name: answer.prediction for name, answer in self.judgement.items()}

    def best_batches(self) -> tuple[BestBatch, ...]:
        """Return the batch size of the lowest loss at every size with three batches or more."""
        return () if self.by_batch is None else find_best_batches(self.by_batch)

    def check(self) -> dict[str, SecondOpinion]:
        """Predict every size from the others, and put it beside what was measured, by scheme.

        Example:
            >>> rows = [{"width": w, "lr": 2.0**x, "loss": 3 + (x + 6.3) ** 2 / 16}
            ...         for w in (64, 128, 256) for x in range(-10, -2)]
            >>> opinion = verdict(rows).check()["all"]
            >>> f"{opinion.held} of {opinion.judged} held"
            '3 of 3 held'
        """
        return self.judgement.check()

    def plot(self) -> "Figure":
        """Return the loss over the learning rate, by width and scheme, as a Plotly figure."""
        import plotly.graph_objects as go

        from .reports.figures import draw_loss_figure

        figure = draw_loss_figure(self.table, tuple(self.judgement.values()))
        return go.Figure(figure.plotly())


def tune(
    study: str | PathLike[str] | Mapping[str, Any] | None = None,
    *,
    out: str | PathLike[str] = STUDY_FOLDER,
    workers: int | None = None,
    allow_code: bool = False,
    **settings: Any,
) -> Answer:
    """Run a study, or go on with it, and return its answer.

    Arguments:
        study: Study file, or its settings as a mapping; None for the built-in study.
        out: Folder of the runs; finished ones are never trained again.
        workers: Number of processes; by default one per core, of a command one.
        allow_code: Run what a study file names: code as `pkg.module:function`, or the command of
            its trainer. What settings given here name is run anyway.
        **settings: Settings that go before those of the study, such as `seeds=5`.

    Raises:
        ConfigError: If a setting is wrong; the message names it.
        UserError: If the corpus or the folder cannot be used, or no run gives a result.

    Example:
        >>> import tempfile
        >>> trainer = {"command": "echo 2.5 {width} {lr}", "loss_from": "stdout:^[0-9.]+"}
        >>> settings = {"widths": (64, 128), "target": 256, "seeds": 1, "trainer": trainer}
        >>> answer = tune(settings, out=tempfile.mkdtemp())
        >>> answer.result.counts.diverged, answer.verdict
        (0, {'all': 'inconclusive'})
    """
    if study is None or isinstance(study, Mapping):
        typed = merge(study or {}, settings)
        complete = load(None, typed)
    elif isinstance(study, (str, PathLike)):
        typed = settings
        complete = load(Path(study), typed)
    else:
        raise ConfigError(f"study: got {study!r}, wanted a file, a mapping of settings, or None.")
    require_consent(complete, allow_code=allow_code, typed=typed)
    count = count_workers(complete, workers)
    if not isinstance(out, (str, PathLike)) or not str(out).strip() or "\0" in str(out):
        raise ConfigError(f"out: got {out!r}, wanted the path of a folder.")
    result = run_study(complete, Path(out), workers=count)
    warnings = tuple(list_warnings(result))
    return Answer(result.table, result.answers, complete.target, warnings, result)


def verdict(
    runs: Any,
    *,
    target: int | None = None,
    base: int | None = None,
    tolerance: float = 0.01,
    absolute_tolerance: float | None = None,
    columns: Mapping[str, str] | None = None,
    along: AxisName = "width",
    where: Mapping[str, Any] | None = None,
    group_by: str | Sequence[str] = (),
    maximize: bool = False,
) -> Answer:
    """Judge runs made anywhere.

    Arguments:
        runs: A file, as `lrtransfer verdict` takes it; a data frame of pandas or polars; rows as
            mappings; or a `RunTable`. A loss of NaN is a run that diverged; leave out the rows of
            runs that were not made, or give None.
        target: Size the learning rate is for; by default the largest.
        base: Size whose optimum would be used; by default the smallest.
        tolerance: Regret, as a share of the best loss, up to which a rate transfers.
        absolute_tolerance: The same in units of the loss.
        columns: Names of columns by field, such as `{"loss": "val/loss"}`.
        along: What is varied: the field whose values are the sizes, "width", "depth", "batch",
            "steps", "params" or "tokens". A `RunTable` has its sizes already.
        where: Values of the rows that count by column or field, such as `{"batch": 256}`: one, a
            list of them, or "*" for all together.
        group_by: Columns of settings, each of whose values is judged by itself as a scheme.
        maximize: Whether the loss is a score between 0 and 1, or a percentage, of which more is
            better: 1 minus the score is judged.

    Raises:
        TableError: If the runs or an option cannot be used.

    Example:
        >>> rows = [{"width": w, "lr": 2.0**x, "loss": 3 + (x + 6.3) ** 2 / 16}
        ...         for w in (64, 128, 256) for x in range(-10, -2)]
        >>> answer = verdict(rows, target=1024)
        >>> answer.verdict, round(answer.suggestion()["all"].lr, 3)
        ({'all': 'transfers'}, 0.013)
    """
    _require_mapping("columns", columns)
    _require_mapping("where", where)
    along = check_axis(along, "along")
    source = _read_table(
        runs,
        columns=columns,
        along=along,
        where=where,
        group_by=(group_by,) if isinstance(group_by, str) else tuple(group_by),
        maximize=maximize,
        any_sign=absolute_tolerance is not None,
    )
    largest = int(source.table.columns.size.max(initial=1))
    target = largest if target is None else _read_whole("target", target)
    judgement = judge(
        source.table,
        target=target,
        base=None if base is None else _read_whole("base", base),
        tolerance=_read_number("tolerance", tolerance),
        absolute_tolerance=(
            None
            if absolute_tolerance is None
            else _read_number("absolute_tolerance", absolute_tolerance)
        ),
        conditions=source.conditions,
        axis=along,
    )
    warnings = (*source.warnings, *describe_failures(judgement.failures, axis=along))
    return Answer(source.table, judgement, target, warnings, by_batch=source.by_batch)


@dataclass(frozen=True, eq=False)
class PairAnswers:
    """What runs say of two sizes at once.

    Attributes:
        answers: One answer per scheme.
        target: The sizes that the learning rate is for, by axis.
        conditions: What all runs have in common, for people.
        warnings: What to know before believing it, one line each.
    """

    answers: Mapping[str, PairAnswer]
    target: Mapping[AxisName, int]
    conditions: str = ""
    warnings: tuple[str, ...] = ()


def predict_pair(
    runs: Any,
    *,
    along: tuple[AxisName, AxisName],
    target: Mapping[str, int] | None = None,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, Any] | None = None,
    group_by: str | Sequence[str] = (),
    maximize: bool = False,
) -> PairAnswers:
    """Predict the learning rate where two sizes grow at once, such as parameters and tokens.

    Arguments:
        runs: A file, a data frame, or rows as mappings, as `verdict` takes them, with a column for
            either size.
        along: The two sizes, such as `("params", "tokens")`.
        target: The sizes that the learning rate is for, by axis; by default the largest of each. A
            pair need not be in the table.
        columns: Names of columns by field.
        where: Values of the rows that count by column or field.
        group_by: Columns of settings, each of whose values is a scheme by itself.
        maximize: Whether the loss is a score, of which more is better.

    Raises:
        TableError: If the runs or an option cannot be used, or the two sizes do not vary apart from
            each other.

    Example:
        >>> rows = [{"params": n, "tokens": d, "lr": 2.0**x, "loss": 3 + (x + n**0.5 / 20) ** 2 / 9}
        ...         for n in (4000, 16000) for d in (10**6, 10**7, 10**8) for x in range(-10, 0)]
        >>> answer = predict_pair(rows, along=("params", "tokens"), target={"params": 8000,
        ...     "tokens": 10**8}).answers["all"]
        >>> [round(slope.estimate, 1) + 0.0 for slope in answer.slopes]
        [-1.6, 0.0]
    """
    from .integrations.tables.pairs import name_target, read_pairs

    _require_mapping("columns", columns)
    _require_mapping("where", where)
    _require_mapping("target", target)
    if isinstance(along, str) or len(along) != 2:
        raise TableError(f"along: got {along!r}, wanted two axes, such as ('params', 'tokens').")
    source = read_pairs(
        Path(runs) if isinstance(runs, (str, PathLike)) else runs,
        along=along,
        columns=columns,
        where=where,
        group_by=(group_by,) if isinstance(group_by, str) else tuple(group_by),
        maximize=maximize,
    )
    axes = source.table.axes
    given = {key: _read_whole(f"target, {key}", value) for key, value in (target or {}).items()}
    pair = source.table.largest if target is None else name_target(given, axes)
    judgement = judge_pair(source.table, target=pair)
    by_axis = dict(zip(axes, pair, strict=True))
    warnings = (*source.warnings, *judgement.failures)
    return PairAnswers(judgement.answers, by_axis, source.conditions, warnings)


def _read_whole(key: str, value: object) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TableError(f"{key}: got {value!r}, wanted a whole number, such as 1024.") from None


def _read_number(key: str, value: object) -> float:
    if isinstance(value, Real):
        return float(value)
    raise TableError(f"{key}: got {value!r}, wanted a number, such as 0.01.")


def _require_mapping(key: str, value: object) -> None:
    if value is not None and not isinstance(value, Mapping):
        example = {"columns": "names by field, such as {'loss': 'val_loss'}"}.get(
            key, "values by column, such as {'batch': 256}"
        )
        raise TableError(f"{key}: got {value!r}, wanted {example}.")


def _require_no_reading(options: Mapping[str, Any]) -> None:
    for key in ("columns", "where", "group_by", "maximize"):
        if options[key]:
            raise TableError(
                f"{key}: got {options[key]!r} with a RunTable, wanted it with a file, a data frame "
                "or rows. A RunTable holds the runs to be judged, and has no columns to choose."
            )


def _read_table(runs: Any, **options: Any) -> "Runs":
    from .integrations.tables.runs import Runs, parse_runs, read_runs

    if isinstance(runs, RunTable):
        _require_no_reading(options)
        return Runs(runs, "", (), len(runs))
    if isinstance(runs, (str, PathLike)):
        return read_runs(Path(runs), **options)
    return parse_runs(runs, name="runs", **options)
