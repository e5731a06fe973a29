"""Naive intervals for the optimum, which must fail where the intervals of the product hold.

    python -m benchmarks.controls --curves 300

prints the coverage of each on several landscapes, beside that of `lrtransfer.statistics`. They are
what is commonly done: argmins of resampled seeds, vertices of parabolas through resampled seeds,
and the vertex of one parabola, taken for the true family, with the error of the seeds' noise.
"""

import argparse
import math
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.tally import print_table, spread
from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.fit import find_optima
from lrtransfer.statistics.simulation import simulate
from lrtransfer.statistics.table import LossCurve

_NAMES = ("quad", "skew", "wall", "quartic", "bimodal", "plateau", "powers")
_NOISES = (0.002, 0.008, 0.03)
_SEEDS = 3
RESAMPLES = 400
_NEIGHBOURS = 2  # rates on either side of the lowest that a parabola is fitted to

Bounds = tuple[float, float]


def bootstrap_argmin(curve: LossCurve, rng: np.random.Generator) -> Bounds:
    """Take the argmins of means over resampled seeds."""
    means = _resampled_means(curve, rng)
    return _middle(curve.log2_lr[means.argmin(axis=1)])


def bootstrap_parabola(curve: LossCurve, rng: np.random.Generator) -> Bounds:
    """Take the vertices of parabolas through means over resampled seeds, near their argmins."""
    return _middle(np.array([_vertex(curve.log2_lr, m)[0] for m in _resampled_means(curve, rng)]))


def one_parabola(curve: LossCurve, rng: np.random.Generator) -> Bounds:
    """Take the vertex of one parabola near the lowest mean, with the error of the seeds' noise."""
    loss = curve.loss
    rest = loss - loss.mean(axis=0) - loss.mean(axis=1, keepdims=True) + loss.mean()
    variance = (rest**2).sum() / ((loss.shape[0] - 1) * (loss.shape[1] - 1)) / len(loss)
    vertex, error = _vertex(curve.log2_lr, loss.mean(axis=0))
    half = 1.96 * error * math.sqrt(variance)
    return vertex - half, vertex + half


CONTROLS: dict[str, Callable[[LossCurve, np.random.Generator], Bounds]] = {
    "bootstrap argmin": bootstrap_argmin,
    "bootstrap parabola": bootstrap_parabola,
    "one parabola": one_parabola,
}


def coverage(name: str, *, curves: int, seed: int = 0) -> dict[str, float]:
    """Return the share of intervals that hold the optimum: of the controls and of ours."""
    held: dict[str, list[bool]] = {method: [] for method in (*CONTROLS, "ours")}
    for i in range(curves):
        rng = np.random.default_rng([seed, i])
        curve, truth = simulate(name, rng=rng, seeds=_SEEDS, noise=_NOISES[i % len(_NOISES)])
        for method, interval in CONTROLS.items():
            low, high = interval(curve, rng)
            held[method].append(low <= truth <= high)
        (optimum,) = find_optima([curve], seed=i)
        if optimum.low is not None and optimum.high is not None:
            held["ours"].append(optimum.low <= truth <= optimum.high)
    return {method: float(np.mean(answers)) for method, answers in held.items()}


def _resampled_means(curve: LossCurve, rng: np.random.Generator) -> FloatArray:
    seeds = rng.integers(len(curve.loss), size=(RESAMPLES, len(curve.loss)))
    means: FloatArray = curve.loss[seeds].mean(axis=1)
    return means


def _middle(values: FloatArray) -> Bounds:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _vertex(x: FloatArray, loss: FloatArray) -> tuple[float, float]:
    """Return a parabola's vertex and its standard error, in standard errors of the losses."""
    best = int(loss.argmin())
    near = slice(max(0, best - _NEIGHBOURS), best + _NEIGHBOURS + 1)
    design = np.vander(x[near] - x[best], 3)
    a, b, _ = np.linalg.lstsq(design, loss[near], rcond=None)[0]
    gradient = np.array([b / (2 * a**2), -1 / (2 * a), 0.0])
    variance = gradient @ np.linalg.inv(design.T @ design) @ gradient
    return float(x[best] - b / (2 * a)), math.sqrt(variance)


def main() -> None:
    """Parse the options and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--curves", type=int, default=99, help="curves per landscape")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    print(f"\n{options.curves} curves per landscape, {_SEEDS} seeds: % of intervals that hold\n")
    shares = spread(partial(coverage, curves=options.curves, seed=100), _NAMES, jobs=options.jobs)
    print_table(
        ("landscape", *CONTROLS, "ours"),
        (
            (name, *(f"{100 * share:.0f}" for share in by_method.values()))
            for name, by_method in zip(_NAMES, shares, strict=True)
        ),
    )


if __name__ == "__main__":
    main()
