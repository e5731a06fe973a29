"""How finite widths approach the limit: the mean as c/n, the spread as n^-1/2.

Measured on the output along the targets, ⟨f, y⟩ / ‖y‖², at one learning rate.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lrtransfer.scaling import Exponent, FloatArray, LineFit, fit_power_law, fit_signed_power_law
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_width import draw_weights, finite_trajectory
from lrtransfer.theory.exact.limit import limit_trajectory
from lrtransfer.theory.regression import draw_regression

from .section import Row, Section, loglog, markdown_table

DEPTHS, STEPS = (2, 3), (1, 2, 4, 8)
MEAN_WIDTHS, MEAN_PAIRS = (64, 128, 256, 512), (6_000, 4_000, 2_000, 1_000)
SPREAD_WIDTHS, SPREAD_PAIRS = (64, 256, 1024, 4096, 8192), (1_000, 600, 200, 24, 12)
SHARE = 0.1  # of the first step's optimum: training has not converged at any step


@dataclass(frozen=True)
class _StepFit:
    """Bias and spread over widths at one step, with the fitted exponents of n."""

    depth: int
    step: int
    limit: float
    biases: list[float]
    bias_errors: list[float]
    bias_law: Exponent
    sds: list[float]
    relative_errors: list[float]  # of the standard deviations
    spread_law: LineFit

    @property
    def row(self) -> list[str]:
        """The row of the table."""
        spreads = zip(SPREAD_WIDTHS, self.sds, self.relative_errors, strict=True)
        law = self.spread_law
        return [
            f"{self.depth}",
            f"{self.step}",
            f"{self.limit:.4f}",
            *_scaled(self.biases, self.bias_errors),
            _interval(self.bias_law),
            *(f"{math.sqrt(n) * s:.3f} ± {math.sqrt(n) * s * r:.3f}" for n, s, r in spreads),
            f"{law.slope:.3f} ({law.slope_low:.3f} … {law.slope_high:.3f})",
        ]


def measure() -> Section:
    """Fit the exponents of bias and spread of the output along the targets."""
    fits = [fit for depth in DEPTHS for fit in _fit_steps(depth)]
    table = [fit.row for fit in fits]
    scaled = (f"n × bias, n = {n}" for n in MEAN_WIDTHS)
    spread_headers = (f"√n × sd, n = {n}" for n in SPREAD_WIDTHS)
    headers = ["L", "t", "limit", *scaled, "bias ~ n^", *spread_headers, "spread ~ n^"]
    text = (
        f"The output along the targets, ⟨f, y⟩ / ‖y‖², at {SHARE:g} times the first step's "
        f"optimum. Means over {_listed(MEAN_PAIRS)} pairs of draws (V and −V) at "
        f"n = {_listed(MEAN_WIDTHS)}; spreads over {_listed(SPREAD_PAIRS)} pairs at "
        f"n = {_listed(SPREAD_WIDTHS)}. At t = 1 the bias is almost zero. Exponents with "
        "95 % intervals.\n\n" + markdown_table(headers, table) + "\n" + _draw_picture(fits)
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


def _fit_steps(depth: int) -> list[_StepFit]:
    data = draw_regression(count=500, dimension=10, noise=0.1, seed=0)
    problem = Problem(data, depth=depth)
    y, pull = data.targets, data.pull
    lr = SHARE * data.count / depth * float((y * pull).sum() / (pull * pull).sum())
    limit = _along_targets(problem, limit_trajectory(problem, np.array([lr]), steps=max(STEPS)))
    means = [
        _pairs(problem, lr, n, count) - limit[:, None, None]
        for n, count in zip(MEAN_WIDTHS, MEAN_PAIRS, strict=True)
    ]
    spreads = [
        _pairs(problem, lr, n, count) for n, count in zip(SPREAD_WIDTHS, SPREAD_PAIRS, strict=True)
    ]
    return [
        _fit_step(depth, t, float(limit[t]), [m[t] for m in means], [s[t] for s in spreads])
        for t in STEPS
    ]


def _fit_step(
    depth: int, step: int, limit: float, means: list[FloatArray], spreads: list[FloatArray]
) -> _StepFit:
    biases = [float(m.mean()) for m in means]
    errors = [float(m.mean(axis=1).std(ddof=1)) / math.sqrt(len(m)) for m in means]
    sds = [float(s.std(ddof=1)) for s in spreads]
    relative = [_relative_error(s) for s in spreads]
    return _StepFit(
        depth=depth,
        step=step,
        limit=limit,
        biases=biases,
        bias_errors=errors,
        bias_law=fit_signed_power_law(MEAN_WIDTHS, biases, sd=errors),
        sds=sds,
        relative_errors=relative,
        spread_law=fit_power_law(SPREAD_WIDTHS, sds, relative_sd=relative),
    )


def _draw_picture(fits: list[_StepFit]) -> str:
    series, errors = dict[str, tuple[ArrayLike, ArrayLike]](), dict[str, ArrayLike]()
    for fit in fits:
        if fit.depth == 3 and fit.step in {1, 4}:
            bias = f"|bias|, t = {fit.step}"
            series[f"spread, t = {fit.step}"] = (SPREAD_WIDTHS, fit.sds)
            series[bias] = (MEAN_WIDTHS, np.abs(fit.biases))
            errors[bias] = np.array(fit.bias_errors)
    return loglog(
        "theory-limit", series, x="width n", y="output along the targets (L = 3)", errors=errors,
        guides={"n^-1/2": -0.5},
    )  # fmt: skip


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
