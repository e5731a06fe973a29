"""Measure how often the intervals hold the truth, on landscapes with a known optimum.

    python benchmarks/coverage.py --curves 198 --verdicts 60 --studies 15

prints tables in Markdown: per landscape and number of seeds, the coverage of the 95 % interval of
the optimum with its Monte Carlo error, the median width and the share of refusals; per true regret,
how often the verdict is "transfers" and "does not transfer"; and for whole studies with a known
drift, how often their verdicts are wrong, and how often drift and prediction hold the truth. Runs
on one core.
"""

import argparse
import math
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial

import numpy as np

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum, SchemeAnswer
from lrtransfer.statistics.curves.fit import find_optima, fit_sizes
from lrtransfer.statistics.regret import Decision, RateUsed, decide_transfer
from lrtransfer.statistics.simulation import LANDSCAPES, Landscape, loss_shape, simulate
from lrtransfer.statistics.table import LossCurve, Observation, RunTable
from lrtransfer.statistics.transfer import judge

_NOISES = (0.002, 0.008, 0.03)  # standard deviation of a run, in loss ranges
_WIDTHS = (64, 128, 256)  # of one study: the noise is pooled over them
VERDICT_LANDSCAPES = ("quad", "skew", "wall", "cliff", "quartic", "plateau", "corr", "hetero")
_HELD_OUT = (
    "softkink",
    "kink",
    "powers",
    "well",
    "hyperbola",
    "ripple",
)  # beyond what the model assumes; not in the totals
STUDY_LANDSCAPES = ("quad", "skew", "wall", "cliff", "quartic", "plateau")
STUDY_WIDTHS = (64, 128, 256, 512)
STUDY_TARGET = 2048
CURVATURES = (0.0, 0.2, -0.2)  # change of log2 of the valley's height per doubling, in turn
_DRIFTS = (0.0, -0.2, -0.4, -0.8)  # octaves per doubling
REGRETS = (0.0, 0.5, 0.9, 1.1, 2.0, 4.0)  # true regret, in tolerances
TOLERANCE = 0.01
SLACK = 0.02 * TOLERANCE  # curves are drawn at points; the truth is known to a thousandth octave


@dataclass(frozen=True)
class GridSetting:
    """Conditions of a simulated study: the grid's spacing and the noise of its runs."""

    spacing: float
    noise: float


@dataclass
class IntervalCounts:
    """Optima whose truth is known: the widths of their intervals, and how many hold it."""

    widths: list[float] = field(default_factory=list)
    held: int = 0
    refused: int = 0

    def add(self, optimum: Optimum, truth: float) -> None:
        """Count one optimum."""
        if optimum.status != "ok" or optimum.low is None or optimum.high is None:
            self.refused += 1
            return
        self.held += optimum.low <= truth <= optimum.high
        self.widths.append(optimum.high - optimum.low)

    def __add__(self, other: "IntervalCounts") -> "IntervalCounts":
        """Return both together."""
        return IntervalCounts(
            self.widths + other.widths, self.held + other.held, self.refused + other.refused
        )

    @property
    def share(self) -> float:
        """Share of the stated intervals that hold the truth."""
        return self.held / len(self.widths) if self.widths else math.nan

    @property
    def refusals(self) -> float:
        """Share of the optima that were not stated."""
        return self.refused / (len(self.widths) + self.refused)

    def __str__(self) -> str:
        """Show coverage ± Monte Carlo error / median width, and refusals."""
        refused = f"refused {100 * self.refusals:.1f} %"
        if not self.widths:
            return refused
        answered = len(self.widths)
        error = np.sqrt(max(self.share * (1 - self.share), 1 / answered) / answered)
        return f"{100 * self.share:.1f} ± {100 * error:.1f} / {np.median(self.widths):.2f}" + (
            f", {refused}" if self.refused else ""
        )


def count_intervals(
    name: str, seeds: int, *, curves: int, spacings: Sequence[float], seed: int
) -> dict[GridSetting, IntervalCounts]:
    """Simulate curves of one landscape in every regime, and count what their intervals hold."""
    regimes = [GridSetting(spacing, noise) for spacing in spacings for noise in _NOISES]
    counts = {regime: IntervalCounts() for regime in regimes}
    for study in range(curves // len(_WIDTHS)):
        rng = np.random.default_rng([seed, study, seeds])
        regime = regimes[study % len(regimes)]
        drawn = [
            simulate(
                name,
                rng=rng,
                seeds=seeds,
                noise=regime.noise,
                spacing=regime.spacing,
                size=width,
            )
            for width in _WIDTHS
        ]
        optima = find_optima([curve for curve, _ in drawn], seed=study)
        for optimum, (_, truth) in zip(optima, drawn, strict=True):
            counts[regime].add(optimum, truth)
    return counts


def draw_decisions(
    name: str, regret: float, *, seeds: int, count: int, seed: int
) -> Iterator[Decision]:
    """Yield verdicts on a rate whose true regret is known, in tolerances."""
    land = LANDSCAPES[name]
    for i in range(count):
        rng = np.random.default_rng([seed, i, seeds, int(100 * regret)])
        floor = (1.0, 3.0)[i % 2]
        noise = _NOISES[i % len(_NOISES)]
        curve, best = simulate(name, rng=rng, seeds=seeds, noise=noise, floor=floor)
        away = np.linspace(0, 4.5, 4501) * rng.choice([-1, 1])
        excess = _with_cliff(land, away) / floor
        at = int(np.argmax(excess >= regret * TOLERANCE))
        x = best + float(away[at])
        if np.isfinite(excess[at]) and curve.log2_lr[0] <= x <= curve.log2_lr[-1]:
            yield verdict_at(x, curve, seed=i)


def verdict_at(x: float, curve: LossCurve, *, seed: int) -> Decision:
    """Judge a rate on one curve."""
    (fit,) = fit_sizes([curve], seed=seed)
    return decide_transfer(RateUsed.exactly(1, x), fit, tolerance=TOLERANCE, at_target=True)


def print_coverage(names: Sequence[str], seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Print what the intervals of the optimum hold, their widths, and the worst cells."""
    tasks = [(name, s) for name in names for s in seeds]
    count = partial(
        count_intervals, curves=options.curves, spacings=options.spacings, seed=options.seed
    )
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        counts = dict(zip(tasks, pool.starmap(count, tasks, chunksize=1), strict=True))
    regimes = len(options.spacings) * len(_NOISES)
    print(f"\n{options.curves} curves per entry, in turn from {regimes} regimes: learning rates")
    print(f"{options.spacings} octaves apart, noises {_NOISES} of the valley's height\n")
    print("| landscape | " + " | ".join(f"S={s}" for s in seeds) + " | lowest regime, % of n |")
    print("|---" * (2 + len(seeds)) + "|")
    for name in names:
        row = [str(sum(counts[name, s].values(), IntervalCounts())) for s in seeds]
        cells = {(s, *astuple(r)): t for s in seeds for r, t in counts[name, s].items()}
        print(f"| {name} | " + " | ".join(row) + f" | {_lowest(cells)} |")
    print("\nMedian over the landscapes of the median width in octaves\n")
    print("| S | spacing | " + " | ".join(f"noise {100 * noise:g} %" for noise in _NOISES) + " |")
    print("|---" * (2 + len(_NOISES)) + "|")
    for s in seeds:
        for spacing in options.spacings:
            medians = (
                np.median([
                    np.median(widths)
                    for name in names
                    if (widths := counts[name, s][GridSetting(spacing, noise)].widths)
                ])
                for noise in _NOISES
            )
            print(f"| {s} | {spacing:g} | " + " | ".join(f"{m:.2f}" for m in medians) + " |")


def _lowest(cells: Mapping[tuple[float, ...], IntervalCounts]) -> str:
    """Name the seeds, spacing and noise whose intervals hold the truth least often."""
    answered = {where: cell for where, cell in cells.items() if cell.widths}
    if not answered:
        return ""
    (seeds, spacing, noise), worst = min(answered.items(), key=lambda item: item[1].share)
    return f"{100 * worst.share:.0f} of {len(worst.widths)} (S={seeds:g}, {spacing:g}, {noise:g})"


def print_verdict_rates(seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Print the shares of the two closed verdicts, and of intervals that hold the true regret."""
    for s in seeds:
        print(f"\nS={s}, % transfers / % does not transfer / % of intervals that hold the truth")
        print("\nby true regret, in tolerances\n")
        print("| landscape | " + " | ".join(map(str, REGRETS)) + " |")
        print("|---" * (1 + len(REGRETS)) + "|")
        counts = [_verdict_counts(name, s, options) for name in VERDICT_LANDSCAPES]
        print(_shares("all of these", np.sum(counts, axis=0)), flush=True)
        for name in _HELD_OUT:
            _verdict_counts(name, s, options)


def _verdict_counts(name: str, seeds: int, options: argparse.Namespace) -> FloatArray:
    """Count both closed verdicts, all verdicts, intervals that hold the truth, all intervals."""
    counts = np.zeros((len(REGRETS), 5))
    for row, regret in zip(counts, REGRETS, strict=True):
        for decision in draw_decisions(
            name, regret, seeds=seeds, count=options.verdicts, seed=options.seed
        ):
            verdict, held = decision.verdict, _holds(decision, regret * TOLERANCE)
            yes, no = verdict == "transfers", verdict == "does not transfer"
            row += (yes, no, 1, held, decision.regret is not None)
    print(_shares(name, counts), flush=True)
    return counts


def _holds(decision: Decision, truth: float) -> bool:
    regret = decision.regret
    if regret is None or regret.low is None:
        return False
    return regret.low <= truth + SLACK and (regret.high is None or truth <= regret.high + SLACK)


def _shares(name: str, counts: FloatArray) -> str:
    cells = [
        f"{100 * yes / n:.1f} / {100 * no / n:.1f} / {100 * held / stated:.0f}" if n else ""
        for yes, no, n, held, stated in counts
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


@dataclass
class StudyTally:
    """Right, wrong and open verdicts of studies, and how many of their intervals hold the truth."""

    right: int = 0
    wrong: int = 0
    undecided: int = 0
    drifts: int = 0
    drifts_held: int = 0
    predictions: int = 0
    predictions_held: int = 0
    expected: int = 0
    expected_held: int = 0

    def add(
        self,
        answer: SchemeAnswer,
        *,
        transfers: bool,
        drift: float,
        log2_lr: float,
        regret: float,
    ) -> None:
        """Compare one answer with the truth; regret is that at the target."""
        if answer.verdict == "inconclusive":
            self.undecided += 1
        elif (answer.verdict == "transfers") == transfers:
            self.right += 1
        else:
            self.wrong += 1
        slope, prediction = answer.drift, answer.prediction
        if slope is not None and slope.low is not None and slope.high is not None:
            self.drifts += 1
            self.drifts_held += slope.low <= drift <= slope.high
        if prediction is not None:
            self.predictions += 1
            self.predictions_held += prediction.low <= 2.0**log2_lr <= prediction.high
        for stated in answer.regrets:
            if not stated.measured:
                self.expected += 1
                self.expected_held += (stated.low or 0) <= regret + SLACK and (
                    stated.high is None or regret <= stated.high + SLACK
                )

    def __str__(self) -> str:
        """Show the counts as cells of a table."""
        return (
            f"{self.right} | {self.wrong} | {self.undecided} | "
            f"{self.drifts_held} of {self.drifts} | {self.predictions_held} of {self.predictions}"
            f" | {self.expected_held} of {self.expected}"
        )


def print_studies(seeds: Sequence[int], options: argparse.Namespace) -> None:
    """Print how often whole studies, judged as users judge theirs, are right."""
    print(f"\n{options.studies} studies of widths {STUDY_WIDTHS} per landscape and drift\n")
    print(
        "| S | drift | right | wrong | open | drift held | prediction held | expected regret held |"
    )
    print("|---" * 8 + "|")
    for s in seeds:
        for drift in _DRIFTS:
            counts = StudyTally()
            for name in STUDY_LANDSCAPES:
                for i in range(options.studies):
                    _judge_study(name, s, drift, counts, seed=(options.seed, i))
            print(f"| {s} | {drift} | {counts} |", flush=True)


def _judge_study(
    name: str, seeds: int, drift: float, counts: StudyTally, *, seed: tuple[int, int]
) -> None:
    rng = np.random.default_rng([*seed, seeds])
    x: FloatArray = np.arange(-12.0, -3.0)
    first = rng.uniform(-8.0, -6.0)
    land, noise = LANDSCAPES[name], _NOISES[seed[1] % len(_NOISES)]
    curvature = CURVATURES[seed[1] // len(_NOISES) % len(CURVATURES)]

    def excess(x: FloatArray, doubling: float) -> FloatArray:
        scale = 2.0 ** (curvature * doubling)
        scaled: FloatArray = scale * _with_cliff(land, x - first - drift * doubling)
        return scaled

    rows = []
    for doubling, width in enumerate(STUDY_WIDTHS):
        loss = 3 + excess(x, doubling)
        for s in range(seeds):
            error = noise * (2 * rng.standard_normal() + rng.standard_normal(len(x)))
            rows += [
                Observation(name, width, 2.0**rate, s, float(value))
                for rate, value in zip(x, loss + error, strict=True)
            ]
    answer = judge(RunTable(tuple(rows)), target=STUDY_TARGET)[name]
    used = answer.optima[0].log2_lr
    if used is None or answer.optima[0].status != "ok":
        counts.undecided += 1
        return
    doublings = float(np.log2(STUDY_TARGET / STUDY_WIDTHS[0]))
    at_widest, at_target = (
        float(excess(np.array([used]), d)[0]) / 3 for d in (len(STUDY_WIDTHS) - 1, doublings)
    )
    counts.add(
        answer,
        transfers=at_widest <= TOLERANCE,
        drift=drift,
        log2_lr=first + drift * doublings,
        regret=at_target,
    )


def _with_cliff(land: Landscape, d: FloatArray) -> FloatArray:
    excess = loss_shape(land.shape, d)
    return excess if land.cliff is None else np.where(d > land.cliff, np.inf, excess)


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--curves", type=int, default=99, help="curves per landscape and seeds")
    parser.add_argument("--verdicts", type=int, default=30, help="verdicts per true regret")
    parser.add_argument("--studies", type=int, default=3, help="studies per landscape and drift")
    parser.add_argument(
        "--spacings", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="octaves between rates"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5], help="numbers of seeds")
    parser.add_argument("--landscapes", nargs="+", default=list(LANDSCAPES), help="which ones")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    start = time.perf_counter()
    if options.curves:
        print_coverage(options.simulation, options.seeds, options)
        spent = time.perf_counter() - start
        fitted = options.curves * len(options.simulation) * len(options.seeds)
        print(f"\n{spent:.0f} s, {1000 * options.jobs * spent / fitted:.0f} ms per curve")
    if options.verdicts:
        print_verdict_rates(options.seeds, options)
    if options.studies:
        print_studies(options.seeds, options)


if __name__ == "__main__":
    main()
