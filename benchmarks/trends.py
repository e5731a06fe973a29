"""Measure how often drift and prediction hold the truth, from curves to intervals.

    python -m benchmarks.trends --studies 600

simulates studies of 4, 5 and 6 widths whose optima follow a known trend, with and without scatter
about it, fits their curves and prints how often the interval of the drift holds the true slope
(beside a fixed-effect line, a control that must fail), and how often the predictive interval holds
the optimum two, three and four doublings beyond the widest width.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product

import numpy as np

from benchmarks.regimes import NOISES
from benchmarks.tally import print_table, show_share, spread
from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.curves.fit import SizeFit, fit_sizes
from lrtransfer.statistics.drift import NORMAL, fit_drift
from lrtransfer.statistics.prediction import list_locations, predict
from lrtransfer.statistics.simulated_study import SMALLEST, SweepRegime, simulate_study

_NAMES = ("quad", "skew", "powers", "wall", "cliff", "quartic")
_SEEDS = 3
SLOPE = -0.2
TRENDS: dict[str, Callable[[float], float]] = {
    "constant": lambda doubling: 0.0,
    "linear": lambda doubling: -0.3 * doubling,
    "saturating": lambda doubling: 1.5 * 2.0 ** (-0.5 * doubling),
}
BEYOND = (2, 3, 4)  # doublings


def study(
    number: int, *, widths: int, trend: Callable[[float], float], scatter: float
) -> tuple[tuple[SizeFit, ...], FloatArray]:
    """Simulate a study; return its fits and the true optima, four doublings more of them."""
    ahead = max(BEYOND)
    simulated = simulate_study(
        _NAMES[number % len(_NAMES)],
        path=[trend(k) for k in range(widths + ahead)],
        rng=np.random.default_rng([11, number, widths]),
        regime=SweepRegime(seeds=_SEEDS, noise=NOISES[number // len(_NAMES) % len(NOISES)]),
        ahead=ahead,
        scatter=scatter,
    )
    return fit_sizes(simulated.curves, seed=number), simulated.optima


def fixed_effect(optima: Sequence[Optimum]) -> tuple[float, float] | None:
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
    fits, _ = study(number, widths=widths, trend=lambda k: SLOPE * k, scatter=scatter)
    drift = fit_drift(list_locations(fits))
    control = fixed_effect([fit.optimum for fit in fits])
    if drift is None or drift.low is None or drift.high is None or control is None:
        return math.nan, math.nan, math.nan
    held = float(drift.low <= SLOPE <= drift.high)
    return held, float(control[0] <= SLOPE <= control[1]), drift.high - drift.low


def prediction_row(number: int, *, name: str) -> list[tuple[float, float]]:
    """Return whether predictions hold the truth, and their half widths, by doublings beyond."""
    widths = 5
    fits, truth = study(number, widths=widths, trend=TRENDS[name], scatter=0.07)
    row = []
    for beyond in BEYOND:
        prediction = predict(fits, size=SMALLEST * 2 ** (widths - 1 + beyond))
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
    missing = f", {len(held) - len(stated)} not stated" if len(stated) < len(held) else ""
    return show_share(bool(one) for one in stated) + missing


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=36, help="studies per entry")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    numbers = range(options.studies)
    print(f"\n{options.studies} studies per entry: % of drift intervals that hold the truth\n")
    print_table(
        ("widths", "scatter", "drift", "median width", "fixed effect (control)"),
        (
            (widths, scatter, *describe_drifts(widths, scatter, numbers, jobs=options.jobs))
            for widths, scatter in product((4, 5, 6), (0.0, 0.1, 0.2))
        ),
    )
    print("\n5 widths, scatter 0.07: % of predictions that hold the truth / median ± octaves\n")
    print_table(
        ("trend", *(f"+{k} doublings" for k in BEYOND)),
        ((name, *describe_predictions(name, numbers, jobs=options.jobs)) for name in TRENDS),
    )


def describe_drifts(
    widths: int, scatter: float, numbers: Sequence[int], *, jobs: int
) -> tuple[str, str, str]:
    """Return the coverage of the drift, its median width, and the coverage of the control."""
    row = partial(drift_row, widths=widths, scatter=scatter)
    held, control, width = np.array(spread(row, numbers, jobs=jobs)).T
    return count_share(held), f"{np.nanmedian(width):.2f}", count_share(control)


def describe_predictions(name: str, numbers: Sequence[int], *, jobs: int) -> Iterator[str]:
    """Yield coverage and half width of predictions, by doublings beyond."""
    rows = np.array(spread(partial(prediction_row, name=name), numbers, jobs=jobs))
    for k in range(len(BEYOND)):
        yield f"{count_share(rows[:, k, 0])} / {np.nanmedian(rows[:, k, 1]):.2f}"


if __name__ == "__main__":
    main()
