"""Measure how often whole studies, judged as users judge theirs, are right.

    python -m benchmarks.studies --studies 30

simulates studies of four widths, learning rates an octave apart over 8 octaves, with a known drift,
and prints per number of seeds and drift: how many verdicts are right, wrong and open; the share of
open ones; how many intervals of the drift, of the prediction at four times the widest width and of
the regret expected there hold the truth; and how often the verdict differs between two seeds of the
study's draws. The height of the valley changes with width by 0, +0.2 and -0.2 in log2 per doubling,
in turn.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.regimes import GROWTHS, NOISES
from benchmarks.tally import print_table, show_share, spread
from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import SchemeAnswer
from lrtransfer.statistics.simulated_study import SimulatedStudy, SweepRegime
from lrtransfer.statistics.simulation import LANDSCAPES, draw_losses
from lrtransfer.statistics.table import LossCurve
from lrtransfer.statistics.transfer import judge

NAMES = ("quad", "skew", "wall", "cliff", "quartic", "plateau")
WIDTHS = (64, 128, 256, 512)
TARGET = 2048
AT_WIDEST, AT_TARGET = 3, 5  # doublings
DRIFTS = (0.0, -0.2, -0.4, -0.8)  # octaves per doubling
TOLERANCE = 0.01
SLACK = 0.02 * TOLERANCE  # curves are drawn at points


@dataclass(frozen=True)
class Setting:
    """One simulated study."""

    landscape: str
    seeds: int
    drift: float
    number: int
    seed: int


@dataclass(frozen=True)
class Grade:
    """What of a study's answer is true; None where nothing is stated.

    Attributes:
        right: Whether the verdict is right; None where it is open.
        flipped: Whether another seed of the draws gives another verdict.
        drift: Whether the interval of the drift holds the truth.
        prediction: Whether that of the predicted learning rate does.
        expected: Whether that of the regret expected at the target does.
    """

    setting: Setting
    right: bool | None
    flipped: bool
    drift: bool | None
    prediction: bool | None
    expected: bool | None


def simulate(setting: Setting) -> SimulatedStudy:
    """Draw a study whose widths share one grid, however far the optimum drifts on it."""
    rng = np.random.default_rng([
        setting.seed,
        NAMES.index(setting.landscape),
        setting.number,
        setting.seeds,
    ])
    x: FloatArray = np.arange(-12.0, -3.0)
    regime = SweepRegime(span=8.0, seeds=setting.seeds, noise=NOISES[setting.number % len(NOISES)])
    growth = GROWTHS[setting.number // len(NOISES) % len(GROWTHS)]
    optima = rng.uniform(-8.0, -6.0) + setting.drift * np.arange(AT_TARGET + 1.0)
    land = LANDSCAPES[setting.landscape]
    curves = []
    for k, width in enumerate(WIDTHS):
        loss = draw_losses(
            land,
            x - optima[k],
            rng=rng,
            seeds=regime.seeds,
            noise=regime.noise,
            floor=regime.floor,
            height=2.0 ** (growth * k),
        )
        curves.append(LossCurve(width, x, loss))
    return SimulatedStudy(
        landscape=setting.landscape,
        regime=regime,
        curves=tuple(curves),
        optima=optima,
        growth=growth,
    )


def grade(setting: Setting) -> Grade:
    """Judge a study twice, and compare its answer with the truth."""
    study = simulate(setting)
    answer, again = (
        judge(study.table, target=TARGET, tolerance=TOLERANCE, seed=seed)[setting.landscape]
        for seed in (0, 1)
    )
    flipped = answer.verdict != again.verdict
    used = answer.optima[0]
    if used.log2_lr is None or used.status != "ok":
        return Grade(setting, None, flipped, None, None, None)
    transfers = study.regret(used.log2_lr, doubling=AT_WIDEST) <= TOLERANCE
    is_open = answer.verdict == "inconclusive"
    slope = answer.drift
    return Grade(
        setting,
        right=None if is_open else (answer.verdict == "transfers") == transfers,
        flipped=flipped,
        drift=None if slope is None else _within(setting.drift, slope.low, slope.high),
        prediction=_holds_optimum(answer, float(study.optima[AT_TARGET])),
        expected=_holds_regret(answer, study.regret(used.log2_lr, doubling=AT_TARGET)),
    )


def _within(truth: float, low: float | None, high: float | None) -> bool:
    return (low is None or low <= truth) and (high is None or truth <= high)


def _holds_optimum(answer: SchemeAnswer, truth: float) -> bool | None:
    prediction = answer.prediction
    return None if prediction is None else prediction.low <= 2.0**truth <= prediction.high


def _holds_regret(answer: SchemeAnswer, truth: float) -> bool | None:
    for stated in answer.regrets:
        if not stated.measured:
            high = None if stated.high is None else stated.high + SLACK
            return _within(truth, (stated.low or 0) - SLACK, high)
    return None


HEADER = (
    *("right", "wrong", "open", "open %", "drift held", "prediction held"),
    *("expected regret held", "verdict differs %"),
)


def describe(grades: Sequence[Grade]) -> tuple[object, ...]:
    """Return a row of the table."""
    right = [grade.right for grade in grades]
    return (
        right.count(True),
        right.count(False),
        right.count(None),
        show_share(answer is None for answer in right),
        _count(grade.drift for grade in grades),
        _count(grade.prediction for grade in grades),
        _count(grade.expected for grade in grades),
        show_share(grade.flipped for grade in grades),
    )


def _count(held: Iterable[bool | None]) -> str:
    stated = [holds for holds in held if holds is not None]
    return f"{sum(stated)} of {len(stated)}"


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=9, help="per landscape, seeds and drift")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5], help="numbers of seeds")
    parser.add_argument("--drifts", type=float, nargs="+", default=list(DRIFTS), help="octaves")
    parser.add_argument("--seed", type=int, default=0, help="seed of the simulation")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    choices = product(NAMES, options.seeds, options.drifts, range(options.studies))
    grades = spread(
        grade, [Setting(*choice, options.seed) for choice in choices], jobs=options.jobs
    )
    print(f"\n{options.studies} studies of widths {WIDTHS} per landscape, S and drift\n")
    print_table(
        ("S", "drift", *HEADER),
        (
            (s, drift, *describe([g for g in grades if matches(g, s, drift)]))
            for s, drift in product(options.seeds, options.drifts)
        ),
    )
    print("\nBy landscape, all of these\n")
    print_table(
        ("landscape", *HEADER),
        ((name, *describe([g for g in grades if g.setting.landscape == name])) for name in NAMES),
    )


def matches(grade: Grade, seeds: int, drift: float) -> bool:
    """Tell whether a study has so many seeds and that drift."""
    return (grade.setting.seeds, grade.setting.drift) == (seeds, drift)


if __name__ == "__main__":
    main()
