"""How finite widths approach the limit: the mean as c/n, the spread as n^-1/2."""

import math

import numpy as np
from numpy.typing import ArrayLike

from lrtransfer.scaling import Exponent, FloatArray, fit_power_law, fit_signed_power_law
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_width import draw_weights, finite_trajectory
from lrtransfer.theory.exact.limit import limit_trajectory
from lrtransfer.theory.regression import draw_regression

from .section import Row, Section, loglog, markdown_table

DEPTHS, STEPS = (2, 3), (1, 2, 4, 8)
MEAN_WIDTHS, MEAN_PAIRS = (64, 128, 256, 512), (6_000, 4_000, 2_000, 1_000)
SPREAD_WIDTHS, SPREAD_PAIRS = (64, 256, 1024, 4096, 8192), (1_000, 600, 200, 24, 12)
SHARE = 0.1  # of the first step's optimum: far from converged at every step


def measure() -> Section:
    """Fit the exponents of bias and spread of the output along the targets."""
    data = draw_regression(count=500, dimension=10, noise=0.1, seed=0)
    table = list[list[str]]()
    plotted, errors = dict[str, tuple[ArrayLike, ArrayLike]](), dict[str, ArrayLike]()
    for depth in DEPTHS:
        problem = Problem(data, depth=depth)
        y, pull = data.targets, data.pull
        lr = SHARE * data.count / depth * float((y * pull).sum() / (pull * pull).sum())
        limit = _along_targets(problem, limit_trajectory(problem, np.array([lr]), steps=max(STEPS)))
        means = [
            _pairs(problem, lr, n, count) - limit[:, None, None]
            for n, count in zip(MEAN_WIDTHS, MEAN_PAIRS, strict=True)
        ]
        spreads = [
            _pairs(problem, lr, n, count)
            for n, count in zip(SPREAD_WIDTHS, SPREAD_PAIRS, strict=True)
        ]
        for t in STEPS:
            bias = [m[t].mean() for m in means]
            error = [m[t].mean(axis=1).std(ddof=1) / math.sqrt(m.shape[1]) for m in means]
            law = fit_signed_power_law(MEAN_WIDTHS, bias, sd=error)
            sd = [s[t].std(ddof=1) for s in spreads]
            relative = [_relative_error(s[t]) for s in spreads]
            spread = fit_power_law(SPREAD_WIDTHS, sd, relative_sd=relative)
            table.append([
                f"{depth}", f"{t}", f"{limit[t]:.4f}",
                *_scaled(bias, error),
                _interval(law),
                *(f"{math.sqrt(n) * s:.3f} ± {math.sqrt(n) * s * r:.3f}"
                  for n, s, r in zip(SPREAD_WIDTHS, sd, relative, strict=True)),
                f"{spread.slope:.3f} ({spread.slope_low:.3f} … {spread.slope_high:.3f})",
            ])  # fmt: skip
            if depth == 3 and t in {1, 4}:
                plotted |= {f"spread, t = {t}": (SPREAD_WIDTHS, sd)}
                plotted |= {f"|bias|, t = {t}": (MEAN_WIDTHS, np.abs(bias))}
                errors[f"|bias|, t = {t}"] = np.array(error)
    scaled = (f"n × bias, n = {n}" for n in MEAN_WIDTHS)
    spread_headers = (f"√n × sd, n = {n}" for n in SPREAD_WIDTHS)
    headers = ["L", "t", "limit", *scaled, "bias ~ n^", *spread_headers, "spread ~ n^"]
    picture = loglog(
        "theory-limit", plotted, x="width n", y="output along the targets (L = 3)", errors=errors,
        guides={"n^-1/2": -0.5},
    )  # fmt: skip
    text = (
        f"The output along the targets, ⟨f, y⟩ / ‖y‖², at {SHARE:g} times the first step's "
        f"optimum. Means over {_listed(MEAN_PAIRS)} pairs of draws (V and −V) at "
        f"n = {_listed(MEAN_WIDTHS)}; spreads over {_listed(SPREAD_PAIRS)} pairs at "
        f"n = {_listed(SPREAD_WIDTHS)}. At t = 1 the bias is almost zero. Exponents with "
        "95 % intervals.\n\n" + markdown_table(headers, table) + "\n" + picture
    )
    rows = (
        Row(
            "mean of outputs minus the limit, exponent of n (n = 64 … 512, t ≥ 2)",
            _span([row for row in table if row[1] != "1"], 3 + len(MEAN_WIDTHS)),
            "−1",
        ),
        Row("spread of outputs, exponent of n (n = 64 … 8192)", _span(table, -1), "−1/2"),
    )
    return Section("The limit is the limit", rows, text)


def _scaled(bias: list[float], error: list[float]) -> list[str]:
    return [f"{n * b:+.2f} ± {n * e:.2f}" for n, b, e in zip(MEAN_WIDTHS, bias, error, strict=True)]


def _interval(law: Exponent) -> str:
    if math.isinf(law.low) and math.isinf(law.high):
        return "not seen"
    return f"{law.value:.2f} ({law.low:.2f} … {law.high:.2f})"


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(f"{value:,}" for value in values)


def _span(table: list[list[str]], column: int) -> str:
    values = [float(row[column].split()[0]) for row in table]
    return f"{min(values):.2f} … {max(values):.2f} over L and t"


def _along_targets(problem: Problem, phi: FloatArray) -> FloatArray:
    """Return ⟨f, y⟩ / ‖y‖² at every step of the one learning rate."""
    y = problem.data.targets
    weights = problem.data.basis.T @ problem.data.inputs.T @ y / (y**2).sum()
    along: FloatArray = (phi[:, 0] * weights).sum(axis=(-2, -1))
    return along


def _pairs(problem: Problem, lr: float, width: int, pairs: int) -> FloatArray:
    """Return the outputs along the targets, shape (steps + 1, pairs, 2)."""
    values = []
    for seed in range(pairs):
        weights = draw_weights(problem, width=width, seed=seed)
        values.append([
            _along_targets(
                problem, finite_trajectory(problem, draw, np.array([lr]), steps=max(STEPS))
            )
            for draw in (weights, weights.mirror())
        ])
    return np.moveaxis(np.array(values), 2, 0)


def _relative_error(pairs: FloatArray) -> float:
    squares = ((pairs - pairs.mean()) ** 2).mean(axis=1)
    return float(squares.std(ddof=1) / math.sqrt(len(squares)) / (2 * squares.mean()))
