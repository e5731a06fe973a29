"""Measure how often drift and prediction hold the truth, from curves to intervals.

    python -m benchmarks.trends --studies 600

simulates studies of 4, 5 and 6 widths whose optima follow a known trend, with and without scatter
about it, fits their curves and prints how often the interval of the drift holds the true slope
(beside a fixed-effect line, a control that must fail), and how often the predictive interval holds
the optimum two, three and four doublings beyond the widest width.
"""

import argparse
import math
import multiprocessing
from collections.abc import Callable
from functools import partial

import numpy as np

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.curves.fit import find_optima
from lrtransfer.statistics.drift import NORMAL, fit_drift, predict
from lrtransfer.statistics.simulation import LANDSCAPES, loss_shape
from lrtransfer.statistics.table import LossCurve

_NAMES = ("quad", "skew", "powers", "wall", "cliff", "quartic")
_NOISES = (0.002, 0.008, 0.03)
_SEEDS = 3
SLOPE = -0.2
TRENDS: dict[str, Callable[[float], float]] = {
    "constant": lambda doubling: 0.0,
    "linear": lambda doubling: -0.3 * doubling,
    "saturating": lambda doubling: 1.5 * 2.0 ** (-0.5 * doubling),
}
BEYOND = (2, 3, 4)  # doublings
NARROWEST = 64


def study(
    number: int, *, widths: int, trend: Callable[[float], float], scatter: float
) -> tuple[tuple[Optimum, ...], FloatArray]:
    """Simulate a study; return its optima and the true ones, four doublings more of them."""
    rng = np.random.default_rng([11, number, widths])
    land, noise = (
        LANDSCAPES[_NAMES[number % len(_NAMES)]],
        _NOISES[number // len(_NAMES) % len(_NOISES)],
    )
    count = widths + max(BEYOND)
    truth = rng.uniform(-8, -6) + np.array([trend(k) for k in range(count)])
    truth = truth + scatter * rng.standard_normal(count)
    curves = []
    for k in range(widths):
        x: FloatArray = np.arange(-12.0, -2.0)
        loss = 3 + loss_shape(land.shape, x - truth[k])
        shift = 2 * rng.standard_normal((_SEEDS, 1))
        loss = loss + noise * (shift + rng.standard_normal((_SEEDS, len(x))))
        if land.cliff is not None:
            loss = np.where(x - truth[k] > land.cliff, np.inf, loss)
        curves.append(LossCurve(NARROWEST * 2**k, x, loss))
    return find_optima(curves, seed=number), truth


def fixed_effect(optima: tuple[Optimum, ...]) -> tuple[float, float] | None:
    """Fit a line as if optima scattered by their own intervals alone: a control."""
    points = [
        (math.log2(o.size), o.log2_lr, (o.high - o.low) / (2 * NORMAL))
        for o in optima
        if o.log2_lr is not None and o.low is not None and o.high is not None
    ]
    if len(points) < 3:
        return None
    x, y, sd = np.array(points).T
    weights = 1 / np.maximum(sd, 1e-3) ** 2
    centred = x - np.average(x, weights=weights)
    slope = float(weights @ (centred * y) / (weights @ centred**2))
    half = NORMAL / math.sqrt(weights @ centred**2)
    return slope - half, slope + half


def drift_row(number: int, *, widths: int, scatter: float) -> tuple[float, float, float]:
    """Return whether the drift and the control hold the slope (NaN: none stated), and a width."""
    optima, _ = study(number, widths=widths, trend=lambda k: SLOPE * k, scatter=scatter)
    drift, control = fit_drift(optima), fixed_effect(optima)
    if drift is None or drift.low is None or drift.high is None or control is None:
        return math.nan, math.nan, math.nan
    held = float(drift.low <= SLOPE <= drift.high)
    return held, float(control[0] <= SLOPE <= control[1]), drift.high - drift.low


def prediction_row(number: int, *, name: str) -> list[tuple[float, float]]:
    """Return whether predictions hold the truth, and their half widths, by doublings beyond."""
    widths = 5
    optima, truth = study(number, widths=widths, trend=TRENDS[name], scatter=0.07)
    row = []
    for beyond in BEYOND:
        prediction = predict(optima, size=NARROWEST * 2 ** (widths - 1 + beyond))
        if prediction is None:
            row.append((math.nan, math.nan))
            continue
        true = 2.0 ** truth[widths - 1 + beyond]
        held = float(prediction.low <= true <= prediction.high)
        row.append((held, math.log2(prediction.high / prediction.low) / 2))
    return row


def count_share(held: FloatArray) -> str:
    """Show a share of those stated in %, with its Monte Carlo error, and how many were not."""
    stated = held[~np.isnan(held)]
    p = float(stated.mean())
    error = math.sqrt(max(p * (1 - p), 1 / len(stated)) / len(stated))
    missing = f", {len(held) - len(stated)} not stated" if len(stated) < len(held) else ""
    return f"{100 * p:.1f} ± {100 * error:.1f}{missing}"


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=36, help="studies per entry")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    numbers = range(options.studies)
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        print(f"\n{options.studies} studies per entry: % of drift intervals that hold the truth\n")
        print("| widths | scatter | drift | median width | fixed effect (control) |")
        print("|---|---|---|---|---|")
        for widths in (4, 5, 6):
            for scatter in (0.0, 0.1, 0.2):
                row = partial(drift_row, widths=widths, scatter=scatter)
                held, control, width = np.array(pool.map(row, numbers)).T
                cells = (count_share(held), f"{np.nanmedian(width):.2f}", count_share(control))
                print(f"| {widths} | {scatter} | " + " | ".join(cells) + " |", flush=True)
        print("\n5 widths, scatter 0.07: % of predictions that hold the truth / median ± octaves\n")
        print("| trend | " + " | ".join(f"+{k} doublings" for k in BEYOND) + " |")
        print("|---" * (1 + len(BEYOND)) + "|")
        for name in TRENDS:
            rows = np.array(pool.map(partial(prediction_row, name=name), numbers))
            entries = tuple(
                f"{count_share(rows[:, k, 0])} / {np.nanmedian(rows[:, k, 1]):.2f}"
                for k in range(len(BEYOND))
            )
            print(f"| {name} | " + " | ".join(entries) + " |", flush=True)


if __name__ == "__main__":
    main()
