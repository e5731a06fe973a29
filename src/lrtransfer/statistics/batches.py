r"""The batch size of the lowest loss, and the learning rate that goes with it.

At one size, every batch size B tried has a lowest loss over the learning rates, drawn with its
curve. With :math:`u = \log_2 B`, the best batch is the vertex of the parabola through the lowest of
these and its two neighbours, draw by draw; where the lowest batch is the first or the last of those
tried, nothing bounds it there.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray
from .answer import TAIL, Interval
from .curves.curve import find_minima
from .curves.fit import SizeFit
from .joint import CellTable, fit_cells

LEAST_BATCHES = 3  # a parabola has three coefficients


@dataclass(frozen=True, kw_only=True)
class BatchLoss:
    """The lowest loss over the learning rates at one batch size, with its 95 % interval."""

    batch: int
    loss: Interval


@dataclass(frozen=True, kw_only=True)
class BestBatch:
    """The batch size of the lowest loss at one size.

    Attributes:
        scheme: Name of the scheme.
        size: Size along the axis.
        batch: The best batch size; `low` or `high` is None where the lowest loss may lie at the
            first or the last batch tried.
        log2_lr: Log2 of the learning rate that goes with it.
        losses: The lowest loss at every batch size.
    """

    scheme: str
    size: int
    batch: Interval
    log2_lr: Interval
    losses: tuple[BatchLoss, ...]


def find_best_batches(table: CellTable, *, seed: int = 0) -> tuple[BestBatch, ...]:
    """Return the best batch of every scheme and size at which three batches or more bound a loss.

    Arguments:
        table: Runs of cells; the second size is the batch.
        seed: Seed of the posterior draws.

    Example:
        >>> from .table import Observation, RunTable
        >>> cells = tuple((64, 2**b) for b in range(3, 8))
        >>> rows = [Observation("all", k + 1, 2.0**x, 0, 3 + (x + 6) ** 2 / 16 + (k - 2) ** 2 / 20)
        ...         for k in range(5) for x in range(-10, -2)]
        >>> (best,) = find_best_batches(
        ...     CellTable(runs=RunTable(rows), cells=cells, axes=("width", "batch")))
        >>> round(np.log2(best.batch.estimate)), round(best.log2_lr.estimate)
        (5, -6)
    """
    found = []
    for scheme in table.runs.schemes:
        pairs, fits, _ = fit_cells(table, scheme, seed=seed)
        by_size: defaultdict[int, list[tuple[int, SizeFit]]] = defaultdict(list)
        for (size, batch), fit in zip(pairs, fits, strict=True):
            if fit.location is not None:
                by_size[size].append((batch, fit))
        found += [
            _find_best(scheme, size, sorted(tried, key=lambda one: one[0]))
            for size, tried in sorted(by_size.items())
            if len(tried) >= LEAST_BATCHES
        ]
    return tuple(found)


def _find_best(scheme: str, size: int, tried: Sequence[tuple[int, SizeFit]]) -> BestBatch:
    draws = [fit.draws for _, fit in tried if fit.draws is not None]
    lowest = np.stack([one.loss.min(axis=1) for one in draws], axis=1)  # (D, K)
    rates = np.stack([find_minima(one) for one in draws], axis=1)
    u = np.log2([batch for batch, _ in tried])
    best = find_vertices(u, lowest)
    # Curves are drawn apart from each other: any draw of one batch goes with any of another.
    rate = np.array([np.interp(at, u, row) for at, row in zip(best, rates, strict=True)])
    low, middle, high = np.quantile(best, (TAIL, 0.5, 1 - TAIL))
    return BestBatch(
        scheme=scheme,
        size=size,
        batch=Interval(
            float(2**middle),
            float(2**low) if low > u[0] else None,
            float(2**high) if high < u[-1] else None,
        ),
        log2_lr=_summarise(rate),
        losses=tuple(
            BatchLoss(batch=batch, loss=_summarise(column))
            for (batch, _), column in zip(tried, lowest.T, strict=True)
        ),
    )


def find_vertices(u: FloatArray, loss: FloatArray) -> FloatArray:
    """Return where the loss is lowest, by a parabola through its lowest value and the neighbours.

    Arguments:
        u: Places, increasing, shape (K,).
        loss: Losses of D draws, shape (D, K).

    Returns:
        Vertices, shape (D,); the first or last place where the lowest loss is there.

    Example:
        >>> u = np.array([0.0, 1.0, 3.0])
        >>> find_vertices(u, np.array([(u - 1.25) ** 2, u])).round(3)
        array([1.25, 0.  ])
    """
    k = loss.argmin(axis=1)
    inside = np.clip(k, 1, len(u) - 2)
    rows = np.arange(len(loss))
    a, b, c = (u[inside + step] for step in (-1, 0, 1))
    fa, fb, fc = (loss[rows, inside + step] for step in (-1, 0, 1))
    left, right = (b - a) * (fb - fc), (b - c) * (fb - fa)
    with np.errstate(invalid="ignore", divide="ignore"):
        vertex = b - ((b - a) * left - (b - c) * right) / (2 * (left - right))
    vertex = np.where(np.isfinite(vertex), np.clip(vertex, a, c), b)
    vertices: FloatArray = np.where(k == inside, vertex, u[k])
    return vertices


def _summarise(draws: FloatArray) -> Interval:
    low, middle, high = (float(q) for q in np.quantile(draws, (TAIL, 0.5, 1 - TAIL)))
    return Interval(middle, low, high)
