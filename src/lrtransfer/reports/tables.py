"""The words and tables of a report, as strings ready to be escaped and laid out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..statistics.answer import Optimum, OptimumStatus, SchemeAnswer, VerdictName, axis_of
from ..statistics.table import RunTable
from .cells import Cell, gather
from .notation import (
    NOTHING,
    drift_text,
    log2_of,
    loss_text,
    optimum_text,
    power_text,
    prediction_range_text,
    rate_range_text,
    rate_text,
    regret_text,
    share_text,
)

# word, symbol and class: a verdict is never told by colour alone
_SYMBOLS: dict[VerdictName, tuple[str, str]] = {
    "transfers": ("✓", "yes"),
    "does not transfer": ("✗", "no"),
    "inconclusive": ("?", "open"),
}
_STATUSES: dict[OptimumStatus, str] = {
    "ok": "ok",
    "edge": "edge",
    "none": "no minimum",
}


@dataclass(frozen=True)
class Headline:
    """State the answer of one scheme in words."""

    scheme: str
    verdict: str
    symbol: str
    kind: str
    rate: str | None
    interval: str | None
    assumption: str | None
    width: int
    reason: str
    covers: str


@dataclass(frozen=True)
class ComparisonRow:
    """State one quantity for every scheme."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class OptimumRow:
    """State the optimum of one width and how many runs it rests on."""

    width: int
    rate: str
    interval: str
    status: str
    finished: int
    diverged: int


@dataclass(frozen=True)
class OptimumTable:
    """Hold the optima of one scheme."""

    scheme: str
    rows: tuple[OptimumRow, ...]


@dataclass(frozen=True)
class RunRow:
    """Hold the mean losses of one learning rate, one per width."""

    power: str
    decimal: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class RunMeans:
    """Hold the mean losses of one scheme, learning rates down, widths across."""

    scheme: str
    widths: tuple[int, ...]
    rows: tuple[RunRow, ...]


def headline(answer: SchemeAnswer, *, target: int) -> Headline:
    """Return what the top of the page says about one scheme.

    Arguments:
        answer: What was concluded for the scheme.
        target: The width whose learning rate is wanted.
    """
    symbol, kind = _SYMBOLS[answer.verdict]
    prediction = answer.prediction
    return Headline(
        scheme=answer.scheme,
        verdict=answer.verdict,
        symbol=symbol,
        kind=kind,
        rate=None if prediction is None else rate_text(log2_of(prediction.lr)),
        interval=None if prediction is None else prediction_range_text(prediction),
        assumption=None if prediction is None else prediction.assumption,
        width=target if prediction is None else prediction.size,
        reason=answer.reason,
        covers=answer.covers,
    )


def comparison(answers: Sequence[SchemeAnswer], *, target: int) -> tuple[ComparisonRow, ...]:
    """Return the numbers behind the answers, one quantity a row, one scheme a column.

    Arguments:
        answers: What was concluded for each scheme.
        target: The width whose learning rate is wanted.
    """
    size = axis_of(answers).name
    quantities: dict[str, Callable[[SchemeAnswer], str]] = {
        "rate carried over": _carried_text,
        "its regret, 95 %": lambda answer: regret_text(answer.regret),
        f"measured at {size}": _regret_width_text,
        "tolerance": _tolerance_text,
        "drift, octaves per doubling, 95 %": lambda answer: drift_text(answer.drift),
        f"predicted for {size} {target}": _predicted_text,
        "its 95 % interval": _predicted_range_text,
    }
    return tuple(
        ComparisonRow(label, tuple(write(answer) for answer in answers))
        for label, write in quantities.items()
    )


def _carried_text(answer: SchemeAnswer) -> str:
    return NOTHING if answer.regret is None else rate_text(answer.regret.log2_lr)


def _regret_width_text(answer: SchemeAnswer) -> str:
    if answer.regret is None:
        return NOTHING
    return str(answer.regret.size) if answer.regret.measured else f"{answer.regret.size} (no runs)"


def _tolerance_text(answer: SchemeAnswer) -> str:
    return NOTHING if answer.regret is None else share_text(answer.regret.tolerance)


def _predicted_text(answer: SchemeAnswer) -> str:
    return NOTHING if answer.prediction is None else rate_text(log2_of(answer.prediction.lr))


def _predicted_range_text(answer: SchemeAnswer) -> str:
    return NOTHING if answer.prediction is None else prediction_range_text(answer.prediction)


def optimum_table(table: RunTable, answer: SchemeAnswer) -> OptimumTable:
    """Return the optimum of every width, and how many runs finished or diverged there.

    Arguments:
        table: The runs of a study.
        answer: What was concluded for the scheme.
    """
    cells = gather(table, answer.scheme)
    optima = {optimum.size: optimum for optimum in answer.optima}
    widths = sorted({*optima, *(cell.width for cell in cells)})
    rows = (
        _optimum_row(width, optima.get(width), [cell for cell in cells if cell.width == width])
        for width in widths
    )
    return OptimumTable(scheme=answer.scheme, rows=tuple(rows))


def _optimum_row(width: int, optimum: Optimum | None, cells: Sequence[Cell]) -> OptimumRow:
    known = optimum is not None and optimum.status == "ok"
    return OptimumRow(
        width=width,
        rate=NOTHING if optimum is None else optimum_text(optimum),
        interval=rate_range_text(optimum.low, optimum.high) if optimum and known else NOTHING,
        status=NOTHING if optimum is None else _STATUSES[optimum.status],
        finished=sum(len(cell.runs) for cell in cells),
        diverged=sum(cell.diverged for cell in cells),
    )


def run_means(table: RunTable, scheme: str) -> RunMeans:
    """Return the mean final loss of every learning rate and width.

    Arguments:
        table: The runs of a study.
        scheme: The scheme whose runs are wanted.

    Returns:
        Strings: a mean over the runs that finished, how many diverged, or a dash for no run.
    """
    cells = {(cell.lr, cell.width): cell for cell in gather(table, scheme)}
    widths = tuple(sorted({width for _, width in cells}))
    rates = sorted({lr for lr, _ in cells})
    rows = (
        RunRow(
            power=power_text(log2_of(lr), digits=2),
            decimal=f"{lr:.4g}",
            cells=tuple(_mean_text(cells.get((lr, width))) for width in widths),
        )
        for lr in rates
    )
    return RunMeans(scheme=scheme, widths=widths, rows=tuple(rows))


def _mean_text(cell: Cell | None) -> str:
    if cell is None:
        return NOTHING
    if cell.mean is None:
        return "diverged"
    if cell.diverged:
        return f"{loss_text(cell.mean)} ({cell.diverged} of {cell.total} diverged)"
    return loss_text(cell.mean)
