"""The learning rate over two sizes at once, such as parameters and tokens.

A *cell* is a pair of sizes at which learning rates were tried. Every cell has a loss curve and an
optimum of its own; `surface` says how the optimum moves over the cells, and with it where it lies
at a pair that was not measured.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from ..errors import TableError
from .answer import Interval, OptimumStatus
from .axis import AXES
from .curves.fit import SizeFit, fit_sizes
from .failures import FailedRuns, describe_failed, exclude_failures
from .prediction import MOST_OCTAVES, find_least_risk
from .rows import check_rows
from .surface import (
    Axes,
    PairLocation,
    measure_interaction,
    measure_slopes,
    predict_cell,
    vary_apart,
)
from .table import RunTable
from .trend import NormalMixture

LEAST_CELLS = 3  # a plane has three coefficients

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False, kw_only=True)
class CellTable:
    """Runs of cells.

    Attributes:
        runs: The runs; their sizes are numbers of cells, from 1.
        cells: The sizes of every cell.
        axes: What the two sizes are.
    """

    runs: RunTable
    cells: tuple[Pair, ...]
    axes: Axes

    @property
    def largest(self) -> Pair:
        """The largest of either size, measured together or not."""
        return max(a for a, _ in self.cells), max(b for _, b in self.cells)

    def describe(self, cell: int) -> str:
        """Return the sizes of a cell by its number, for people."""
        return describe_pair(self.axes, self.cells[cell - 1])


@dataclass(frozen=True, kw_only=True)
class CellOptimum:
    """Optimum of one cell, as `Optimum` has it for one size.

    Attributes:
        sizes: The pair of sizes.
        log2_lr: Estimate, or at an edge the rate of the lowest loss; None without a minimum.
        low: Lower end of the 95 % interval; None where there is no lower bound.
        high: Upper end; None where there is no upper bound.
        status: `ok`, `edge` or `none`.
    """

    sizes: Pair
    log2_lr: float | None
    low: float | None
    high: float | None
    status: OptimumStatus


@dataclass(frozen=True, kw_only=True)
class PairPrediction:
    """Learning rate for a pair of sizes; fields as in `Prediction`."""

    sizes: Pair
    lr: float
    low: float
    high: float
    middle: float


@dataclass(frozen=True, kw_only=True)
class PairAnswer:
    """What the runs of one scheme say of two sizes together.

    Attributes:
        scheme: Name of the scheme.
        axes: What the two sizes are.
        optima: The optimum of every cell.
        slopes: Octaves per doubling of either size, in the middle of the other; None if unknown.
        interaction: By how many octaves per doubling a doubling of the one size changes the slope
            over the other; None if unknown.
        prediction: The learning rate for the target; None if it cannot be said.
        reason: Why something cannot be said, or on what it rests.
    """

    scheme: str
    axes: Axes
    optima: tuple[CellOptimum, ...]
    slopes: tuple[Interval, Interval] | None
    interaction: Interval | None
    prediction: PairPrediction | None
    reason: str


@dataclass(frozen=True, eq=False)
class PairJudgement:
    """Answers over two sizes by scheme, and the runs that count as failed, in words."""

    answers: Mapping[str, PairAnswer]
    failures: tuple[str, ...]


def judge_pair(table: CellTable, *, target: Pair, seed: int = 0) -> PairJudgement:
    """Predict the learning rate for a pair of sizes from the cells of every scheme.

    Arguments:
        table: Runs of cells.
        target: Pair of sizes to predict for, measured or not.
        seed: Seed of the posterior draws.

    Raises:
        TableError: If the two sizes do not vary apart from each other under any scheme, or the
            target or a run cannot be.

    Example:
        >>> from .table import Observation
        >>> cells = tuple((2**i, 2**j) for i in range(3) for j in range(3))
        >>> rows = [Observation("all", k + 1, 2.0**x, 0, 3 + (x + 6 + np.log2(a) / 2) ** 2 / 16)
        ...         for k, (a, b) in enumerate(cells) for x in range(-10, -2)]
        >>> table = CellTable(runs=RunTable(rows), cells=cells, axes=("params", "tokens"))
        >>> answer = judge_pair(table, target=(8, 4)).answers["all"]
        >>> [round(slope.estimate, 1) + 0.0 for slope in answer.slopes]
        [-0.5, 0.0]
    """
    check_rows(table.runs.columns, replace(AXES[table.axes[0]], name="cell", plural="cells"))
    if min(target) <= 0:
        raise TableError(
            f"target: got {describe_pair(table.axes, target)}, wanted two positive sizes. Give "
            "those that the learning rate is for."
        )
    _require_both_vary(table)
    answers, failures = dict[str, PairAnswer](), list[str]()
    for scheme in table.runs.schemes:
        cells, fits, failed = fit_cells(table, scheme, seed=seed)
        with threadpool_limits(limits=1, user_api="blas"):
            answers[scheme] = _answer(scheme, cells, fits, axes=table.axes, target=target)
        failures += [describe_failed(one, table.describe(one.size)) for one in failed]
    return PairJudgement(answers, tuple(failures))


def fit_cells(
    table: CellTable, scheme: str, *, seed: int = 0
) -> tuple[tuple[Pair, ...], tuple[SizeFit, ...], tuple[FailedRuns, ...]]:
    """Fit the curves of all cells of a scheme together.

    Arguments:
        table: Runs of cells.
        scheme: Name of the scheme.
        seed: Seed of the posterior draws.

    Returns:
        The pairs, their fits, and runs that failed with a finite loss (at numbers of cells). The
        size of a fit is the geometric mean of its pair: cells as far apart as that share curvature
        as sizes do.
    """
    curves, failed = exclude_failures(scheme, table.runs.curves(scheme))
    pairs = tuple(table.cells[curve.size - 1] for curve in curves)
    between = [
        replace(curve, size=math.isqrt(a * b)) for curve, (a, b) in zip(curves, pairs, strict=True)
    ]
    # One thread, for equal bits, as in `judge`.
    with threadpool_limits(limits=1, user_api="blas"):
        fits = fit_sizes(between, seed=seed)
    return pairs, fits, failed


def describe_pair(axes: Axes, pair: Pair) -> str:
    """Return a pair of sizes for people.

    Example:
        >>> describe_pair(("params", "tokens"), (1000, 20000))
        'model size 1000 and number of tokens 20000'
    """
    return " and ".join(f"{AXES[axis].name} {size}" for axis, size in zip(axes, pair, strict=True))


def _require_both_vary(table: CellTable) -> None:
    columns = table.runs.columns
    for code in np.unique(columns.scheme):
        numbers = np.unique(columns.size[columns.scheme == code])
        if vary_apart([table.cells[number - 1] for number in numbers]):
            return
    one, other = table.axes
    first, second = (len({pair[side] for pair in table.cells}) for side in (0, 1))
    if first > 1 and second > 1:
        raise TableError(
            f"along: got {one} and {other} that grow together in all runs, wanted runs in which "
            "each varies by itself: else what one does cannot be told from what the other does. "
            f"Judge both together with --along {one}, or add runs of one {AXES[one].name} with "
            f"another {AXES[other].name}."
        )
    alone, fixed = (one, other) if first > 1 else (other, one)
    raise TableError(
        f"along: got runs of a single {AXES[fixed].name}, wanted two or more {AXES[fixed].plural} "
        f"and {AXES[alone].plural}. Judge one alone with --along {alone}, or add runs."
    )


def _answer(
    scheme: str, pairs: Sequence[Pair], fits: Sequence[SizeFit], *, axes: Axes, target: Pair
) -> PairAnswer:
    places = [
        PairLocation(pair, fit.location.log2_lr, fit.location.sd)
        for pair, fit in zip(pairs, fits, strict=True)
        if fit.location is not None
    ]
    optima = tuple(_take_optimum(pair, fit) for pair, fit in zip(pairs, fits, strict=True))
    known = [place.sizes for place in places]
    if len(places) < LEAST_CELLS or not vary_apart(known):
        names = " and ".join(AXES[axis].name for axis in axes)
        reason = (
            f"{len(places)} of {len(pairs)} cells bound their optimum; it takes {LEAST_CELLS} of "
            f"them, not all on a line, to tell {names} apart. Add learning rates to the others"
        )
        return PairAnswer(
            scheme=scheme,
            axes=axes,
            optima=optima,
            slopes=None,
            interaction=None,
            prediction=None,
            reason=reason,
        )
    first, second = measure_slopes(places, axes=axes)
    return PairAnswer(
        scheme=scheme,
        axes=axes,
        optima=optima,
        slopes=(_summarise(first), _summarise(second)),
        interaction=_summarise(measure_interaction(places, axes=axes)),
        prediction=_predict(places, pairs, fits, axes=axes, target=target),
        reason=f"Rests on the optima of {len(places)} cells; each size moves the optimum as it did "
        "in public sweeps, and no jump lies beyond the cells",
    )


def _take_optimum(pair: Pair, fit: SizeFit) -> CellOptimum:
    found = fit.optimum
    return CellOptimum(
        sizes=pair, log2_lr=found.log2_lr, low=found.low, high=found.high, status=found.status
    )


def _summarise(where: NormalMixture) -> Interval:
    low, middle, high = where.interval()
    return Interval(middle, low, high)


def _predict(
    places: Sequence[PairLocation],
    pairs: Sequence[Pair],
    fits: Iterable[SizeFit],
    *,
    axes: Axes,
    target: Pair,
) -> PairPrediction | None:
    where = predict_cell(places, sizes=target, axes=axes)
    found = _summarise(where)
    assert found.low is not None
    assert found.high is not None
    if found.high - found.low > 2 * MOST_OCTAVES:
        return None
    drawn = [(_distance(p, target), fit) for p, fit in zip(pairs, fits, strict=True)]
    bounded = [pair for pair in drawn if pair[1].optimum.status == "ok"] or [
        pair for pair in drawn if pair[1].location is not None
    ]
    curve = min(bounded, key=lambda pair: pair[0])[1].draws
    assert curve is not None  # it has a location
    best = find_least_risk(curve, where, found.estimate)
    return PairPrediction(
        sizes=target,
        lr=2.0 ** min(max(best, found.low), found.high),
        low=2.0**found.low,
        high=2.0**found.high,
        middle=2.0**found.estimate,
    )


def _distance(one: Pair, other: Pair) -> float:
    """Return how many doublings lie between two pairs."""
    return math.hypot(*(math.log2(a / b) for a, b in zip(one, other, strict=True)))
