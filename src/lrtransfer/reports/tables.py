"""The words and tables of a report, as strings ready to be escaped and laid out."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..statistics.answer import Optimum, Regret, SchemeAnswer, VerdictName
from ..statistics.table import RunTable
from .notation import (
    NOTHING,
    compute_log2,
    format_cost,
    format_interval,
    format_loss,
    format_optimum,
    format_optimum_range,
    format_prediction_range,
    format_rate,
)
from .quantities import STATUSES, list_quantities
from .rate_runs import RateRuns, group_by_rate

# word, symbol and class: a verdict is never told by colour alone
_SYMBOLS: dict[VerdictName, tuple[str, str]] = {
    "transfers": ("✓", "yes"),
    "does not transfer": ("✗", "no"),
    "inconclusive": ("?", "open"),
}


@dataclass(frozen=True)
class Headline:
    """The answer of one scheme in words.

    Attributes:
        scheme: Name of the scheme.
        verdict: The verdict.
        symbol: Its symbol.
        kind: Its class in the style sheet.
        rate: Learning rate for the target, if it can be said.
        interval: Its interval.
        assumption: What the rate assumes.
        size: The target.
        reason: What decided.
        hangs_on: What it hangs on, if on anything.
        covers: What the verdict speaks of.
    """

    scheme: str
    verdict: str
    symbol: str
    kind: str
    rate: str | None
    interval: str | None
    assumption: str | None
    size: int
    reason: str
    hangs_on: str | None
    covers: str


@dataclass(frozen=True)
class ComparisonRow:
    """One quantity of every scheme."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class OptimumRow:
    """The optimum of one size, and how many runs it rests on."""

    size: int
    rate: str
    interval: str
    status: str
    runs: int
    diverged: int


@dataclass(frozen=True)
class OptimumTable:
    """The optima of one scheme."""

    scheme: str
    rows: tuple[OptimumRow, ...]


@dataclass(frozen=True)
class RunRow:
    """The mean losses of one learning rate, one per size."""

    rate: str
    losses: tuple[str, ...]


@dataclass(frozen=True)
class RunMeans:
    """The mean losses of one scheme, learning rates down, sizes across."""

    scheme: str
    sizes: tuple[int, ...]
    rows: tuple[RunRow, ...]


def make_headline(answer: SchemeAnswer, *, target: int) -> Headline:
    """Return what the top of the page says about one scheme.

    Arguments:
        answer: What was concluded for the scheme.
        target: Size the learning rate is wanted for.
    """
    symbol, kind = _SYMBOLS[answer.verdict]
    prediction = answer.prediction
    rate = interval = None
    if prediction is not None:
        rate = format_rate(compute_log2(prediction.lr))
        interval = format_interval(format_prediction_range(prediction))
    return Headline(
        scheme=answer.scheme,
        verdict=answer.verdict,
        symbol=symbol,
        kind=kind,
        rate=rate,
        interval=interval,
        assumption=None if prediction is None else prediction.assumption,
        size=target if prediction is None else prediction.size,
        reason=answer.reason,
        hangs_on=answer.hangs_on,
        covers=answer.covers,
    )


def compare_answers(
    answers: Sequence[SchemeAnswer], *, target: int, unit: str
) -> tuple[ComparisonRow, ...]:
    """Return the numbers behind the answers, one quantity a row, one scheme a column.

    Arguments:
        answers: What was concluded for each scheme.
        target: Size the learning rate is wanted for.
        unit: Unit of the loss.
    """
    columns = [
        {
            "rate carried over": NOTHING if regret is None else format_rate(regret.log2_lr),
            "tolerance": NOTHING if regret is None else _format_tolerance(regret, unit),
            **dict(list_quantities(answer, target=target, unit=unit)),
        }
        for answer in answers
        for regret in [answer.regret]
    ]
    labels = dict.fromkeys(label for column in columns for label in column)
    return tuple(
        ComparisonRow(label, tuple(column.get(label, NOTHING) for column in columns))
        for label in labels
    )


def _format_tolerance(regret: Regret, unit: str) -> str:
    return format_cost(regret, regret.tolerance, unit=unit).removesuffix(" of the best loss")


def make_optimum_table(table: RunTable, answer: SchemeAnswer) -> OptimumTable:
    """Return the optimum of every size, and how many runs there are, and how many of them diverged.

    Arguments:
        table: The runs of a study.
        answer: What was concluded for the scheme.
    """
    groups = group_by_rate(table, answer.scheme)
    optima = {optimum.size: optimum for optimum in answer.optima}
    sizes = sorted({*optima, *(group.size for group in groups)})
    rows = (
        _make_optimum_row(size, optima.get(size), [g for g in groups if g.size == size])
        for size in sizes
    )
    return OptimumTable(scheme=answer.scheme, rows=tuple(rows))


def _make_optimum_row(size: int, optimum: Optimum | None, groups: Sequence[RateRuns]) -> OptimumRow:
    return OptimumRow(
        size=size,
        rate=NOTHING if optimum is None else format_optimum(optimum),
        interval=NOTHING if optimum is None else format_optimum_range(optimum),
        status=NOTHING if optimum is None else STATUSES[optimum.status],
        runs=sum(group.total for group in groups),
        diverged=sum(group.diverged for group in groups),
    )


def average_runs(table: RunTable, scheme: str) -> RunMeans:
    """Return the mean final loss of every learning rate and size.

    Arguments:
        table: The runs of a study.
        scheme: The scheme.

    Returns:
        Strings: a mean over the runs that did not diverge, how many did, or a dash for no run.
    """
    groups = {(group.lr, group.size): group for group in group_by_rate(table, scheme)}
    sizes = tuple(sorted({size for _, size in groups}))
    rows = (
        RunRow(
            rate=format_rate(compute_log2(lr), tried=True),
            losses=tuple(_format_mean(groups.get((lr, size))) for size in sizes),
        )
        for lr in sorted({lr for lr, _ in groups})
    )
    return RunMeans(scheme=scheme, sizes=sizes, rows=tuple(rows))


def _format_mean(group: RateRuns | None) -> str:
    if group is None:
        return NOTHING
    if group.mean is None:
        return "diverged"
    if group.diverged:
        return f"{format_loss(group.mean)} ({group.diverged} of {group.total} diverged)"
    return format_loss(group.mean)
