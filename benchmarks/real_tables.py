"""Predict the largest size of real sweeps from the smaller ones, and check tables as a whole.

    python -m benchmarks.real_tables FOLDER
    python -m benchmarks.real_tables TABLE.csv --along params --within tokens/params batch_size

takes CSV files of real runs (`benchmarks.real_sweeps` says what they hold) and prints per axis how
often the predicted interval holds the optimum measured at the largest size, which was left out;
how wide it is, how far its middle lies from that optimum, what the suggested rate costs there, and
what three simple rules cost; whether the whole tables contradict what is stated of them; and every
miss. Run it on tables that nothing was chosen on.

The optimum measured is the vertex of a parabola through the rates within an octave of the lowest
loss; it is not judged where that loss lies at the end of the rates. Costs are read off a monotone
cubic (PCHIP) through the losses of the largest size. For both, a loss above 1.6 times the lowest is
left out as failed; what is judged gets every loss.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import PchipInterpolator

import lrtransfer as lt
from lrtransfer.errors import UserError
from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Prediction, SchemeAnswer
from lrtransfer.statistics.curves.fit import SizeFit
from lrtransfer.statistics.regret import RateUsed, decide_transfer

from .real_sweeps import AXIS, Run, Sweep, find_sweeps

FAILED = 1.6  # times the lowest loss: failed, for the yardstick
SLACK = 5e-4  # share of the loss by which a measured regret may err
TOLERANCE = 0.01
NEAR = 1.05  # octaves about the lowest loss that the parabola takes in
RULES = ("ours", "carry", "line", "last vertex")


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The largest size of a sweep, measured and predicted; rates as log2.

    Attributes:
        sweep: The sweep.
        vertices: Optima measured at the smaller sizes.
        truth: Optimum measured at the largest.
        at_edge: Whether the lowest loss there is at the end of the rates tried.
        interval: Ends and middle of the predicted interval; None if nothing is predicted.
        regrets: Cost of the rate of each of `RULES`; NaN where it was not tried or not stated.
    """

    sweep: Sweep
    vertices: tuple[float, ...]
    truth: float
    at_edge: bool
    interval: tuple[float, float, float] | None
    regrets: tuple[float, ...]

    @property
    def held(self) -> float:
        """Whether the interval holds the truth; NaN where it cannot be judged."""
        if self.interval is None or self.at_edge:
            return math.nan
        return float(self.interval[0] <= self.truth <= self.interval[1])


@dataclass
class Check:
    """A claim that whole tables may contradict: how often it was looked at, and where it fails."""

    claim: str
    looked: int = 0
    wrong: tuple[str, ...] = ()

    def look(self, is_wrong: bool, where: str) -> None:
        """Count one look."""
        self.looked += 1
        self.wrong += (where,) if is_wrong else ()


@dataclass(frozen=True)
class Checks:
    """What is checked on whole tables.

    A measured loss is one run or a few, and its regret is counted from the lowest of them: some
    contradictions of an interval that ends at quantiles are due.
    """

    upper: Check
    lower: Check
    verdict: Check
    estimate: Check

    @classmethod
    def start(cls) -> "Checks":
        """Return checks that have looked at nothing."""
        stated = "regret of a rate tried: the interval's"
        return cls(
            Check(f"{stated} upper end (95 % quantile) below the measured one"),
            Check(f"{stated} lower end (1 % quantile) above the measured one"),
            Check("verdict on a rate tried, contradicted by its loss"),
            Check("estimate outside its own interval"),
        )


def average_losses(runs: Iterable[Run], size: int) -> tuple[FloatArray, FloatArray]:
    """Return the rates of a size as log2, increasing, and their mean losses."""
    losses: dict[float, list[float]] = {}
    for run in runs:
        if run.size == size:
            losses.setdefault(math.log2(run.lr), []).append(run.loss)
    x = np.array(sorted(losses))
    return x, np.array([np.mean(losses[rate]) for rate in x])


def read_curve(runs: Iterable[Run], size: int) -> tuple[FloatArray, FloatArray]:
    """Return the same without the rates that failed."""
    x, loss = average_losses(runs, size)
    trained = loss <= FAILED * np.min(loss[np.isfinite(loss)], initial=math.inf)
    return x[trained], loss[trained]


def find_vertex(x: FloatArray, loss: FloatArray) -> float:
    """Return the minimum of a parabola about the lowest loss, no farther than the next rate."""
    k = int(np.argmin(loss))
    away = np.abs(x - x[k])
    if len(x) < 3:
        return float(x[k])
    near = away <= max(NEAR, np.sort(away)[2])
    curvature, slope, _ = np.polyfit(x[near] - x[k], loss[near], 2)
    if curvature <= 0:
        return float(x[k])
    ends = x[max(k - 1, 0)], x[min(k + 1, len(x) - 1)]
    return float(np.clip(x[k] - slope / (2 * curvature), *ends))


def measure_costs(x: FloatArray, loss: FloatArray) -> Callable[[float], float]:
    """Return a function from a log2 rate to its regret on measured losses; NaN beyond the rates."""
    through = PchipInterpolator(x, loss)
    best = min(float(through(np.linspace(x[0], x[-1], 2001)).min()), float(loss.min()))

    def cost(rate: float) -> float:
        inside = x[0] - 1e-6 <= rate <= x[-1] + 1e-6
        return float(through(np.clip(rate, x[0], x[-1]))) / best - 1 if inside else math.nan

    return cost


def judge(sweep: Sweep, sizes: Sequence[int], target: int) -> lt.Answer:
    """Return the product's answer from some sizes of a sweep."""
    rows = sweep.rows(sizes)
    return lt.verdict(rows, target=target, along=sweep.along, tolerance=TOLERANCE)


def predict_largest(sweep: Sweep) -> Prediction | None:
    """Return what is predicted for the largest size; a refusal is said, and counts as silent."""
    *smaller, largest = sweep.sizes
    try:
        (prediction,) = judge(sweep, smaller, largest).suggestion().values()
    except UserError as error:
        print(f"{sweep.title}: {error}", file=sys.stderr)
        return None
    return prediction


def leave_out(sweep: Sweep) -> LeftOut | None:
    """Predict the largest size from the smaller ones; None where it cannot be measured."""
    *smaller, largest = sweep.sizes
    curves = [read_curve(sweep.runs, size) for size in smaller]
    curves = [(x, loss) for x, loss in curves if len(x) >= 2]
    x, loss = read_curve(sweep.runs, largest)
    if len(x) < 3 or len(curves) < 3:
        return None
    vertices = [find_vertex(*curve) for curve in curves]
    line = math.nan
    if len(vertices) == len(smaller):
        line = float(np.polyval(np.polyfit(np.log2(smaller), vertices, 1), math.log2(largest)))
    carry = float(curves[0][0][int(np.argmin(curves[0][1]))])
    ours, interval = math.nan, None
    if (prediction := predict_largest(sweep)) is not None:
        ours = math.log2(prediction.lr)
        low, middle, high = map(math.log2, (prediction.low, prediction.middle, prediction.high))
        interval = (low, high, middle)
    cost = measure_costs(x, loss)
    return LeftOut(
        sweep=sweep,
        vertices=tuple(vertices),
        truth=find_vertex(x, loss),
        at_edge=int(np.argmin(loss)) in (0, len(x) - 1),
        interval=interval,
        regrets=tuple(map(cost, (ours, carry, line, vertices[-1]))),
    )


def check_whole(sweep: Sweep, checks: Checks) -> None:
    """Add what the whole table of a sweep contradicts."""
    answer = judge(sweep, sweep.sizes, sweep.sizes[-1])
    ((scheme, said),) = answer.judgement.items()
    for name, low, estimate, high in list_estimates(said):
        outside = (low is not None and estimate < low) or (high is not None and estimate > high)
        checks.estimate.look(outside, f"{sweep.title}: {name}: {estimate:.4g}, {low} to {high}")
    base, *larger = answer.judgement.fits[scheme]
    if base.optimum.log2_lr is not None:
        for fit in larger:
            check_regret(sweep, base.optimum.log2_lr, fit, checks)


def list_estimates(
    said: SchemeAnswer,
) -> Iterator[tuple[str, float | None, float, float | None]]:
    """Yield every estimate with the ends of its interval: name, low, estimate, high."""
    for optimum in said.optima:
        if optimum.status == "ok" and optimum.log2_lr is not None:
            yield f"optimum at {optimum.size}", optimum.low, optimum.log2_lr, optimum.high
    for regret in said.regrets:
        yield f"regret at {regret.size}", regret.low, regret.estimate, regret.high
    if (found := said.prediction) is not None:
        yield f"middle for {found.size}", found.low, found.middle, found.high
        yield f"rate for {found.size}", found.low, found.lr, found.high


def check_regret(sweep: Sweep, rate: float, fit: SizeFit, checks: Checks) -> None:
    """Compare what is stated of the rate tried that is nearest to another with its own loss."""
    size = fit.columns.size
    x, loss = average_losses(sweep.runs, size)
    if not np.isfinite(loss).any():
        return
    k, best = int(np.argmin(abs(x - rate))), float(np.min(loss[np.isfinite(loss)]))
    regret = float(loss[k]) / best - 1 if math.isfinite(loss[k]) else math.inf
    at_edge = best in (loss[0], loss[-1])  # then it may cost more than is measured
    used = RateUsed.exactly(sweep.sizes[0], float(x[k]))
    said = decide_transfer(used, fit, tolerance=TOLERANCE, at_target=True, axis=sweep.along)
    where = f"{sweep.title}: at {size}, 2^{x[k]:.2f} costs {100 * regret:.3g} %"
    if said.verdict == "transfers":
        checks.verdict.look(regret - SLACK > TOLERANCE, f"{where}; {said.reason}")
    elif said.verdict == "does not transfer" and not at_edge:
        checks.verdict.look(regret + SLACK < TOLERANCE, f"{where}; {said.reason}")
    if said.regret is None:
        return
    if (high := said.regret.high) is not None:
        checks.upper.look(regret - SLACK > high, f"{where}, stated at most {100 * high:.3g} %")
    if (low := said.regret.low) is not None and not at_edge:
        checks.lower.look(regret + SLACK < low, f"{where}, stated at least {100 * low:.3g} %")


def print_predictions(entries: Sequence[LeftOut]) -> None:
    """Print the table of predictions and that of costs."""
    axes = [axis for axis in AXIS if any(entry.sweep.axis == axis for entry in entries)]
    parts = {axis: [entry for entry in entries if entry.sweep.axis == axis] for axis in axes}
    parts["all"] = list(entries)
    print("\n| along | cases | silent | held, % of judged | width | error of the middle |")
    print("|---|---|---|---|---|---|")
    for name, part in parts.items():
        print(f"| {name} | {len(part)} | " + " | ".join(describe_intervals(part)) + " |")
    print(
        "\n| along | costs of | " + " | ".join(RULES) + " |\n|---|---" + "|---" * len(RULES) + "|"
    )
    for name, part in parts.items():
        costs = np.array([entry.regrets for entry in part])
        scored = 100 * costs[np.isfinite(costs).all(axis=1) & (costs < 1).all(axis=1)]
        cells = [
            f"{np.median(c):.3f} / {np.mean(c):.3f} / {np.quantile(c, 0.9):.3f}" for c in scored.T
        ]
        print(
            f"| {name} | {len(scored)} | " + " | ".join(cells if len(scored) else ["–"] * 4) + " |"
        )


def describe_intervals(part: Sequence[LeftOut]) -> Iterator[str]:
    """Yield the entries of a row: silent, held, width, error."""
    made = [entry for entry in part if entry.interval is not None]
    yield str(len(part) - len(made))
    held = np.array([entry.held for entry in made])
    judged = int(np.sum(~np.isnan(held)))
    yield f"{format_share(held[~np.isnan(held)])} of {judged}" if judged else "–"
    ends = np.array([entry.interval for entry in made if entry.interval is not None]).reshape(-1, 3)
    yield format_quantiles(ends[:, 1] - ends[:, 0], (0.1, 0.5, 0.9))
    truths = np.array([entry.truth for entry in made])
    inside = ~np.isnan(held)
    yield format_quantiles(np.abs(ends[:, 2] - truths)[inside], (0.5, 0.9, 0.95))


def format_share(held: FloatArray) -> str:
    """Show a share in % with its Monte Carlo error, as if no two sweeps had runs in common."""
    p, n = float(held.mean()), len(held)
    return f"{100 * p:.1f} ± {100 * math.sqrt(max(p * (1 - p), 1 / n) / n):.1f}"


def format_quantiles(values: FloatArray, levels: Sequence[float]) -> str:
    """Show quantiles in octaves."""
    return " / ".join(f"{q:.2f}" for q in np.quantile(values, levels)) if len(values) else "–"


def print_misses(entries: Sequence[LeftOut]) -> None:
    """Print every sweep whose interval misses, with its measured optima."""
    for entry in entries:
        if entry.held == 0 and entry.interval is not None:
            low, high, middle = entry.interval
            optima = " ".join(f"{vertex:.2f}" for vertex in entry.vertices)
            print(f"missed: {entry.sweep.title}, sizes {entry.sweep.sizes}: {optima} ->", end=" ")
            print(f"{middle:.2f} ({low:.2f} to {high:.2f}), measured {entry.truth:.2f}")


def print_checks(checks: Checks) -> None:
    """Print what whole tables contradict."""
    for check in (checks.upper, checks.lower, checks.verdict, checks.estimate):
        print(f"\n{len(check.wrong)} of {check.looked}: {check.claim}")
        for where in check.wrong:
            print(f"- {where}")


def list_tables(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files named and the CSV files of the folders named."""
    for path in paths:
        yield from sorted(path.glob("*.csv")) if path.is_dir() else [path]


def report(sweeps: Iterable[Sweep]) -> None:
    """Measure every sweep and print the tables."""
    entries, checks = [], Checks.start()
    for sweep in sweeps:
        if (entry := leave_out(sweep)) is not None:
            entries.append(entry)
        try:
            check_whole(sweep, checks)
        except UserError as error:
            print(f"{sweep.title}, whole: {error}", file=sys.stderr)
    if not entries:
        raise SystemExit("real_tables: got no sweep of 4 sizes, wanted one. Choose --within.")
    print_predictions(entries)
    print()
    print_misses(entries)
    print_checks(checks)


def main() -> None:
    """Parse the options, find the sweeps and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="+", type=Path, help="CSV files, or folders of them")
    parser.add_argument("--along", choices=AXIS, help="axis (default: all that a table has)")
    parser.add_argument("--within", nargs="+", help="columns, or ratios a/b, equal in a sweep")
    options = parser.parse_args()
    tables = list_tables(options.tables)
    report(s for t in tables for s in find_sweeps(t, along=options.along, within=options.within))


if __name__ == "__main__":
    main()
