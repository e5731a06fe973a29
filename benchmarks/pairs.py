"""Predict cells of two sizes from smaller ones on tables of real runs.

    python -m benchmarks.pairs TABLE.csv --along params tokens --within batch_size

takes a CSV file of real runs with a column for either size, and, for every value of the columns of
`--within`, leaves out cells: each one that no cell exceeds in both sizes (`one cell`), and all of
the largest first size at once (`largest`). It prints how often the predicted interval holds the
optimum measured in the cell left out, how wide it is, how far its middle lies from that optimum,
and what the suggested rate and those of three simple rules cost there: the rate of the smallest
cell carried over, a plane through the vertices of the cells with an interaction, and the vertex of
the nearest cell. Optima and costs are measured as `benchmarks.real_tables` does.
"""

import argparse
import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.axis import check_axis
from lrtransfer.statistics.joint import CellTable, Pair, judge_pair
from lrtransfer.statistics.surface import Axes, vary_apart
from lrtransfer.statistics.table import Observation, RunTable

from .real_sweeps import AXIS, Run, group
from .real_tables import find_vertex, format_quantiles, format_share, measure_costs, read_curve

RULES = ("ours", "carry", "plane", "nearest vertex")
LEAST_CELLS = 4  # besides the one left out: a plane with an interaction has four coefficients


@dataclass(frozen=True)
class Guess:
    """A cell left out: measured and predicted, rates as log2.

    Attributes:
        title: Settings, sizes.
        how: What was left out.
        truth: The optimum measured; NaN where it lies at the end of the rates.
        interval: Ends and middle of the prediction; None where there is none.
        costs: Of every rule, as a share.
    """

    title: str
    how: str
    truth: float
    interval: tuple[float, float, float] | None
    costs: tuple[float, ...]


def read_cells(rows: Sequence[dict[str, str]], columns: tuple[str, str]) -> dict[Pair, list[Run]]:
    """Return the runs of every cell; the size of a run is that of the first axis."""
    cells: defaultdict[Pair, list[Run]] = defaultdict(list)
    for row in rows:
        if row["loss"]:
            pair = round(float(row[columns[0]])), round(float(row[columns[1]]))
            cells[pair].append(Run(pair[0], float(row["lr"]), float(row["loss"])))
    return dict(cells)


def list_left_out(cells: Sequence[Pair]) -> Iterator[tuple[str, list[Pair]]]:
    """Yield what is left out together, with its name."""
    for a, b in cells:
        if not any(c >= a and d >= b and (c, d) != (a, b) for c, d in cells):
            yield "one cell", [(a, b)]
    largest = max(a for a, _ in cells)
    yield "largest", [pair for pair in cells if pair[0] == largest]


def make_table(cells: dict[Pair, list[Run]], axes: Axes) -> CellTable:
    """Return the runs of cells, repeats numbered as seeds."""
    rows, seen = [], defaultdict[tuple[int, float], int](int)
    for number, runs in enumerate(cells.values(), start=1):
        for run in runs:
            rows.append(Observation("all", number, run.lr, seen[number, run.lr], run.loss))
            seen[number, run.lr] += 1
    return CellTable(runs=RunTable(rows), cells=tuple(cells), axes=axes)


def fit_plane(pairs: Sequence[Pair], vertices: Sequence[float], target: Pair) -> float:
    """Return the plane with an interaction through vertices, at the target."""
    logs = np.log2(np.array([*pairs, target], dtype=np.float64))
    a, b = (logs - logs[:-1].mean(axis=0)).T
    design = np.stack((np.ones_like(a), a, b, a * b), axis=1)
    coefficients = np.linalg.lstsq(design[:-1], np.array(vertices), rcond=None)[0]
    return float(design[-1] @ coefficients)


def guess_cell(
    cells: dict[Pair, list[Run]], target: Pair, left: dict[Pair, list[Run]], axes: Axes, how: str
) -> Guess | None:
    """Predict one cell from those that are left; None where it cannot be measured."""
    x, loss = read_curve(cells[target], target[0])
    curves = {pair: read_curve(runs, pair[0]) for pair, runs in left.items()}
    curves = {pair: curve for pair, curve in curves.items() if len(curve[0]) >= 3}
    if len(x) < 3 or len(curves) < LEAST_CELLS or not vary_apart(list(curves)):
        return None
    vertices = {pair: find_vertex(*curve) for pair, curve in curves.items()}
    near = min(vertices, key=lambda pair: math.dist(np.log2(pair), np.log2(target)))
    small = min(curves, key=lambda pair: pair[0] * pair[1])
    carry = float(curves[small][0][int(np.argmin(curves[small][1]))])
    found = judge_pair(make_table(left, axes), target=target).answers["all"].prediction
    ours, interval = math.nan, None
    if found is not None:
        ours = math.log2(found.lr)
        interval = (math.log2(found.low), math.log2(found.high), math.log2(found.middle))
    cost = measure_costs(x, loss)
    at_edge = int(np.argmin(loss)) in (0, len(x) - 1)
    plane = fit_plane(list(vertices), list(vertices.values()), target)
    return Guess(
        title=str(target),
        how=how,
        truth=math.nan if at_edge else find_vertex(x, loss),
        interval=interval,
        costs=tuple(map(cost, (ours, carry, plane, vertices[near]))),
    )


def guess_table(path: Path, along: tuple[str, str], within: Sequence[str]) -> Iterator[Guess]:
    """Yield what is left out of a table and predicted."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    first, second = (check_axis(axis, "along") for axis in along)
    columns = AXIS[first], AXIS[second]
    for key, rows in group(table, within):
        cells = read_cells([table[number] for number in rows], columns)
        for how, gone in list_left_out(list(cells)):
            left = {pair: runs for pair, runs in cells.items() if pair not in gone}
            for target in gone:
                found = guess_cell(cells, target, left, (first, second), how)
                if found is not None:
                    yield replace(found, title=f"{key}: {found.title}")


def print_guesses(how: str, guesses: Sequence[Guess]) -> None:
    """Print one row of intervals and one of costs."""
    made = [guess for guess in guesses if guess.interval is not None]
    judged = [guess for guess in made if not math.isnan(guess.truth)]
    ends = np.array([guess.interval for guess in judged]).reshape(-1, 3)
    truth = np.array([guess.truth for guess in judged])
    held = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).astype(float)
    width, error = ends[:, 1] - ends[:, 0], abs(ends[:, 2] - truth)
    shown = f"{format_share(held)} of {len(held)}" if len(held) else "–"
    print(
        f"| {how} | {len(guesses)} | {len(guesses) - len(made)} | {shown} "
        f"| {format_quantiles(width, (0.1, 0.5, 0.9))} | {format_quantiles(error, (0.5, 0.9))} |"
    )


def print_costs(how: str, guesses: Sequence[Guess]) -> None:
    """Print what the rates of all rules cost, where all of them can be read off."""
    costs: FloatArray = 100 * np.array([guess.costs for guess in guesses])
    costs = costs[np.isfinite(costs).all(axis=1)]
    cells = [f"{np.median(c):.3f} / {np.mean(c):.3f} / {np.quantile(c, 0.9):.3f}" for c in costs.T]
    print(f"| {how} | {len(costs)} | " + " | ".join(cells if len(costs) else ["–"] * 4) + " |")


def report(guesses: Sequence[Guess]) -> None:
    """Print both tables and the misses."""
    hows = list(dict.fromkeys(guess.how for guess in guesses))
    print("| left out | cells | silent | held, % of judged | width | error of the middle |")
    print("|---|---|---|---|---|---|")
    for how in hows:
        print_guesses(how, [guess for guess in guesses if guess.how == how])
    print("\n| left out | costs of | " + " | ".join(RULES) + " |\n|---|---" + "|---" * 4 + "|")
    for how in hows:
        print_costs(how, [guess for guess in guesses if guess.how == how])
    for guess in guesses:
        if guess.interval is not None and not math.isnan(guess.truth):
            low, high, middle = guess.interval
            if not low <= guess.truth <= high:
                print(f"missed ({guess.how}): {guess.title}: {middle:.2f} ", end="")
                print(f"({low:.2f} to {high:.2f}), measured {guess.truth:.2f}")


def main() -> None:
    """Parse the options and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", type=Path, help="CSV files")
    parser.add_argument("--along", nargs=2, default=("params", "tokens"), choices=AXIS)
    parser.add_argument("--within", nargs="+", default=[], help="columns that are equal in a sweep")
    options = parser.parse_args()
    found = [g for t in options.tables for g in guess_table(t, options.along, options.within)]
    if not found:
        raise SystemExit("pairs: got no table of 5 cells, wanted one. Choose --within.")
    report(found)


if __name__ == "__main__":
    main()
