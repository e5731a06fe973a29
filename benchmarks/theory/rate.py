"""The rate at which a plotted optimum seems to converge, by the way in which it is plotted."""

import math
from dataclasses import dataclass

import numpy as np

from lrtransfer.scaling import FloatArray, fit_power_law, fit_signed_power_law
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_optimum import draw_optimum
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses
from lrtransfer.theory.exact.first_step_variance import first_step_variance
from lrtransfer.theory.exact.optimum import limit_optimum
from lrtransfer.theory.regression import draw_regression

from .section import Row, Section, loglog, markdown_table

WIDTHS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
PAIRS = (600, 600, 400, 300, 150, 80, 40, 20)
BREAK = 1024  # width from which the paper reports faster convergence
DEPTH = 3
GRIDS = (8, 20)  # learning rates per decade
SEEDS = 10  # draws whose mean is plotted


@dataclass(frozen=True)
class _Width:
    """Optima of all draws at one width: exact and on grids."""

    exact: FloatArray  # (pairs, 2)
    on_grid: dict[int, FloatArray]  # per grid, (pairs,)


def measure() -> Section:
    """Measure the errors of the same draws in all the ways in which one might plot them."""
    rows, text = [], ""
    for dimension in (1, 10):
        problem = Problem(
            draw_regression(count=500, dimension=dimension, noise=0.1, seed=123), depth=DEPTH
        )
        limit = limit_optimum(problem, steps=1).lr
        draws = [_draw(problem, limit, n, p) for n, p in zip(WIDTHS, PAIRS, strict=True)]
        measured = _measures(draws, limit)
        text += _describe(problem, limit, draws, measured)
        table = [
            [label, *(f"{v:.4g}" for v in values), *_slopes(values)]
            for label, values in measured.items()
        ]
        headers = ["plotted error", *map(str, WIDTHS), f"slope to {BREAK}", f"slope from {BREAK}"]
        text += markdown_table(headers, table) + "\n"
        positive = {
            label: (WIDTHS, np.where(np.array(v) > 0, v, np.nan)) for label, v in measured.items()
        }
        text += loglog(
            f"theory-rate-{dimension}",
            positive,
            x="width n",
            y=f"error of the optimum (d = {dimension})",
            guides={"n^-1/2": -0.5, "n^-1": -1.0},
        )
        text += "\n"
        early, late = _slopes(measured["one draw (rms)"])
        what = f"spread of the optimum at t = 1, d = {dimension}, exponent to and from n = {BREAK}"
        rows.append(Row(what, f"{early}, {late}", "−1/2"))
    return Section("Rate of convergence after one step", tuple(rows), text)


def _draw(problem: Problem, limit: float, width: int, pairs: int) -> _Width:
    exact, on_grid = [], {grid: list[float]() for grid in GRIDS}
    for seed in range(pairs):
        weights = draw_weights(problem, width=width, seed=seed)
        both = (weights, weights.mirror())
        exact.append([draw_optimum(problem, draw, steps=1).lr for draw in both])
        for grid in GRIDS:
            rates = _grid(limit, grid)
            losses = finite_losses(problem, weights, rates, steps=1)[:, 1]
            on_grid[grid].append(float(rates[losses.argmin()]))
    return _Width(np.array(exact), {grid: np.array(v) for grid, v in on_grid.items()})


def _grid(limit: float, per_decade: int) -> FloatArray:
    """Return a grid of learning rates, a decade around the limit, equally spaced on a log axis."""
    centre = round(per_decade * math.log10(limit))
    powers = np.arange(centre - per_decade // 2, centre + per_decade // 2 + 1)
    rates: FloatArray = 10.0 ** (powers / per_decade)
    return rates


def _measures(draws: list[_Width], limit: float) -> dict[str, list[float]]:
    """Return the error at every width, for every way to plot it."""
    nearest = {g: float(r[abs(r - limit).argmin()]) for g in GRIDS for r in [_grid(limit, g)]}
    widest = float(draws[-1].exact.mean())
    measures = {
        "one draw (rms)": [_rms(w.exact - limit) for w in draws],
        "bias of all draws (absolute)": [abs(float(w.exact.mean()) - limit) for w in draws],
        f"mean of {SEEDS} draws (rms)": [_rms(_groups(w.exact[:, 0]) - limit) for w in draws],
        f"mean of {SEEDS} draws against the widest mean": [
            _rms(_groups(w.exact[:, 0]) - widest) for w in draws
        ],
    }
    for grid in GRIDS:
        name = f"grid of {grid} per decade"
        measures[f"{name}, against the limit"] = [_rms(w.on_grid[grid] - limit) for w in draws]
        measures[f"{name}, against its nearest point"] = [
            _rms(w.on_grid[grid] - nearest[grid]) for w in draws
        ]
    return measures


def _groups(values: FloatArray) -> FloatArray:
    """Return means of disjoint groups of draws."""
    count = len(values) // SEEDS
    means: FloatArray = values[: count * SEEDS].reshape(count, SEEDS).mean(axis=1)
    return means


def _rms(values: FloatArray) -> float:
    return float(np.sqrt((values**2).mean()))


def _slopes(values: list[float]) -> list[str]:
    """Return the exponents up to and from the break, by least squares."""
    n, v = np.array(WIDTHS), np.array(values)
    cells = []
    for part in (n <= BREAK, n >= BREAK):
        positive = part & (v > 0)
        slope = fit_power_law(n[positive], v[positive]).slope if positive.sum() > 2 else None
        cells.append("–" if slope is None else f"{slope:.2f}")
        if (part & (v == 0)).any():
            cells[-1] += " then 0"
    return cells


def _describe(
    problem: Problem, limit: float, draws: list[_Width], measured: dict[str, list[float]]
) -> str:
    bias = [float(w.exact.mean()) - limit for w in draws]
    error = [float(w.exact.mean(axis=1).std(ddof=1)) / math.sqrt(len(w.exact)) for w in draws]
    law = fit_signed_power_law(WIDTHS, bias, sd=error)
    variance = first_step_variance(problem)
    sds = [w.exact.std(ddof=1) * math.sqrt(n) for n, w in zip(WIDTHS, draws, strict=True)]
    scaled = ", ".join(
        f"{n * b:.1f} ± {n * e:.1f}" for n, b, e in zip(WIDTHS, bias, error, strict=True)
    )
    return (
        f"d = {problem.data.dimension}: limit {limit:.6g}. √n × sd between draws: "
        f"{', '.join(f'{s:.3g}' for s in sds)}; closed form of its limit "
        f"{math.sqrt(variance or math.nan):.3g}. n × bias: {scaled}; exponent of the bias "
        f"{law.value:.2f} ({law.low:.2f} … {law.high:.2f}).\n\n"
    )
