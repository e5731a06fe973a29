"""Measure how often verdicts are right where the true regret is known.

    python -m benchmarks.verdicts --studies 90 --jobs 2

prints, per landscape and true regret in tolerances, how often the verdict is "transfers" and "does
not transfer", and how often the interval of the regret holds the truth, in two settings: `exact`, a
rate that is known exactly, judged by the runs of one size; and `study`, whole studies of 3 to 6
sizes through `judge`, whose smallest size's optimum is used at the largest. There the true regret
is that of the true optimum, and the estimate that is used costs a little more or less; the shares
of false verdicts are also given by what it truly costs. Then the power at zero regret, with three
seeds and rates an octave apart.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from benchmarks.regimes import Draw, add_options, list_draws, list_regimes
from benchmarks.tally import print_table, show_share, spread
from lrtransfer.statistics.answer import Optimum, Regret, VerdictName
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.failures import exclude_failures
from lrtransfer.statistics.regret import RateUsed, decide_transfer
from lrtransfer.statistics.simulated_study import SimulatedStudy, SweepRegime, simulate_study
from lrtransfer.statistics.simulation import LANDSCAPES, true_excess
from lrtransfer.statistics.transfer import judge

REGRETS = (0.0, 0.5, 1.1, 2.0, 4.0)  # true regret, in tolerances
TOLERANCE = 0.01
SLACK = 0.02  # tolerances; curves are drawn at points, the truth is known to a thousandth octave
FLOORS = (1.0, 3.0)  # losses at the optimum, in turn: the tolerance is 1 or 3 % of the height
AWAY = np.linspace(0, 4.5, 4501)  # octaves
POWER = SweepRegime(spacing=1.0, seeds=3)
SETTINGS = ("exact", "study")


@dataclass(frozen=True)
class Case:
    """Verdict whose truth is known; regrets are in tolerances.

    Attributes:
        landscape: A key of `LANDSCAPES`.
        aimed: True regret of the rate that is used, or of the true optimum that it estimates.
        regret: True regret of the rate that is used.
        verdict: The verdict.
        held: Whether the stated interval holds the regret, None where none is stated.
    """

    landscape: str
    aimed: float
    regret: float
    verdict: VerdictName
    held: bool | None


def find_distance(landscape: str, regret: float, *, floor: float, sign: int) -> float | None:
    """Return where a rate has a true regret, in octaves from the optimum; None where it jumps."""
    excess = true_excess(LANDSCAPES[landscape], sign * AWAY) / floor / TOLERANCE
    at = int(np.argmax(excess >= regret))
    reached = regret <= excess[at] <= regret + 0.1
    return sign * float(AWAY[at]) if reached else None


def judge_rate(draw: Draw, regret: float) -> Case | None:
    """Judge a rate of known regret, beyond the optimum of one simulated size."""
    rng = draw.make_rng(round(100 * regret))
    sign, floor = int(rng.choice([-1, 1])), FLOORS[draw.number % 2]
    distance = find_distance(draw.landscape, regret, floor=floor, sign=sign)
    if distance is None:
        return None
    regime = replace(draw.regime, floor=floor)
    study = simulate_study(draw.landscape, path=(0.0,), rng=rng, regime=regime)
    rate = float(study.optima[0]) + distance
    (curve,), _ = exclude_failures(draw.landscape, study.curves)
    if not curve.log2_lr[0] <= rate <= curve.log2_lr[-1]:
        return None
    (fit,) = fit_sizes([curve], seed=draw.number)
    decision = decide_transfer(RateUsed.exactly(1, rate), fit, tolerance=TOLERANCE, at_target=True)
    truth = study.regret(rate, doubling=0) / TOLERANCE
    held = holds(decision.regret, truth)
    return Case(draw.landscape, regret, truth, decision.verdict, held)


def judge_study(draw: Draw, regret: float) -> Case | None:
    """Judge a study whose first optimum has a known regret at its largest size."""
    rng = draw.make_rng(round(100 * regret))
    sign, floor = int(rng.choice([-1, 1])), FLOORS[draw.number % 2]
    distance = find_distance(draw.landscape, regret, floor=floor, sign=sign)
    if distance is None:
        return None
    path = -distance * np.linspace(0, 1, rng.choice(draw.sizes))
    regime = replace(draw.regime, floor=floor)
    study = simulate_study(draw.landscape, path=path, rng=rng, regime=regime)
    largest = study.curves[-1].size
    judgement = judge(study.table, target=largest, tolerance=TOLERANCE, seed=draw.number)
    answer = judgement[draw.landscape]
    truth = _cost(study, answer.optima[0], doubling=len(path) - 1) / TOLERANCE
    return Case(draw.landscape, regret, truth, answer.verdict, holds(answer.regret, truth))


def _cost(study: SimulatedStudy, used: Optimum, *, doubling: int) -> float:
    """Return the true regret of the rate used; where it is only bounded, of the cheapest one."""
    if used.status == "ok" and used.log2_lr is not None:
        return study.regret(used.log2_lr, doubling=doubling)
    low = -math.inf if used.low is None else used.low
    high = math.inf if used.high is None else used.high
    return study.regret(float(np.clip(study.optima[doubling], low, high)), doubling=doubling)


def holds(regret: Regret | None, truth: float) -> bool | None:
    """Tell whether a stated interval holds the true regret, in tolerances."""
    if regret is None or regret.low is None:
        return None
    high = math.inf if regret.high is None else regret.high
    return regret.low / TOLERANCE <= truth + SLACK and truth - SLACK <= high / TOLERANCE


def judge_all(draw: Draw, setting: str) -> list[Case]:
    """Judge one draw at every true regret."""
    judged = judge_rate if setting == "exact" else judge_study
    cases = (judged(draw, regret) for regret in REGRETS)
    return [case for case in cases if case is not None]


def summarize(cases: Sequence[Case]) -> Iterator[str]:
    """Yield transfers / does not transfer / regret held, in %, per true regret."""
    for regret in REGRETS:
        some = [case for case in cases if case.aimed == regret]
        yes, no = (sum(c.verdict == v for c in some) for v in ("transfers", "does not transfer"))
        held = [case.held for case in some if case.held is not None]
        share = f"{100 * sum(held) / len(held):.0f}" if held else ""
        n = len(some)
        yield f"{100 * yes / n:.1f} / {100 * no / n:.1f} / {share} ({n})" if n else ""


def list_false(cases: Sequence[Case]) -> Iterator[tuple[object, ...]]:
    """Yield the shares of false verdicts by what the rate used truly costs, in all and at worst."""
    for verdict, wrong in (
        ("transfers", [case for case in cases if case.regret >= 1.1]),
        ("does not transfer", [case for case in cases if case.regret <= 0.5]),
    ):
        by_name = {
            name: [case.verdict == verdict for case in wrong if case.landscape == name]
            for name in dict.fromkeys(case.landscape for case in wrong)
        }
        name = max(by_name, key=lambda name: float(np.mean(by_name[name])), default="")
        total = show_share(found for some in by_name.values() for found in some)
        yield verdict, len(wrong), total, name, show_share(by_name.get(name, []))


def print_setting(setting: str, options: argparse.Namespace) -> None:
    """Print the tables of one setting."""
    regimes = list_regimes(options)
    draws = list_draws(options, regimes)
    work = partial(judge_all, setting=setting)
    cases = [c for found in spread(work, draws, jobs=options.jobs) for c in found]
    print(f"\n{setting}: % transfers / % does not transfer / % of intervals that hold (n),")
    print(f"by true regret in tolerances; {len(regimes)} regimes in turn\n")
    print_table(("landscape", *map(str, REGRETS)), list_rows(cases))
    print("\nFalse verdicts by the true regret of the rate that is used\n")
    header = ("verdict", "where it is false", "given in %", "worst landscape", "given in %")
    print_table(header, list_false(cases))


def list_rows(cases: Sequence[Case]) -> Iterator[tuple[str, ...]]:
    """Yield a row per landscape, and one of all."""
    yield "all", *summarize(cases)
    for name in dict.fromkeys(case.landscape for case in cases):
        yield name, *summarize([case for case in cases if case.landscape == name])


def print_power(options: argparse.Namespace) -> None:
    """Print how often a rate without regret is said to transfer, in the regime of `POWER`."""
    regimes = tuple(replace(POWER, noise=noise) for noise in options.noises)
    print(f"\n% transfers at zero regret: {POWER.seeds} seeds, {POWER.spacing:g} octave apart\n")
    draws = list_draws(options, regimes)
    rows = defaultdict[str, list[str]](list)
    for setting in options.settings:
        judged = judge_rate if setting == "exact" else judge_study
        cases = spread(partial(judged, regret=0.0), draws, jobs=options.jobs)
        for name in options.landscapes:
            found = [c.verdict == "transfers" for c in cases if c and c.landscape == name]
            rows[name].append(show_share(found))
    print_table(("landscape", *options.settings), ((name, *row) for name, row in rows.items()))


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, studies=18)
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--parts", nargs="+", default=["regrets", "power"], help="which tables")
    options = parser.parse_args()
    if "regrets" in options.parts:
        for setting in options.settings:
            print_setting(setting, options)
    if "power" in options.parts:
        print_power(options)


if __name__ == "__main__":
    main()
