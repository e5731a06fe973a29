"""Measure how few runs an adaptive design needs, and that its answers stay right.

    python -m benchmarks.adaptive --studies 30

simulates studies of four widths with a known drift, and prints per landscape: how many runs the
adaptive design needs to predict the target's learning rate as narrowly as the whole grid of 12
rates x 5 seeds x 4 widths; how narrowly golden section search and Optuna's TPE and GP samplers
predict it from a fifth of the grid's runs; and how often verdicts that the design stopped at are
wrong. All tables of runs are judged by the same statistics.
"""

import argparse
import math
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import optuna

from lrtransfer.runs.digests import Digests
from lrtransfer.statistics.prediction import octaves_either_way
from lrtransfer.statistics.simulation import LANDSCAPES, true_excess
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import Judgement, judge
from lrtransfer.statistics.trend import least_octaves
from lrtransfer.study.load import load
from lrtransfer.study.study import Study
from lrtransfer.sweeps.plan import Plan
from lrtransfer.sweeps.sweep import Sweep

_NAMES = ("quad", "skew", "wall", "cliff", "quartic", "plateau", "bimodal", "powers", "hyperbola")
_NOISES = (0.002, 0.008, 0.03)
_DRIFTS = (0.0, -0.2, -0.5)
_WIDTHS = (64, 128, 256, 512)
TARGET = 1024
SCHEME = "mup"
FLOOR = 3.0  # loss at the optimum; the valley is 1 high
_LOW, _HIGH = -12, -1  # log2 learning rates of the grid: 12 rates
_SEEDS = 5
FIFTH = 48  # runs, of 240


@dataclass(frozen=True)
class Truth:
    """Simulated study: its valley, where it lies at each width, and its noise."""

    landscape: str
    first: float
    drift: float
    noise: float
    seed: int

    def optimum(self, width: float) -> float:
        """Return log2 of the best learning rate."""
        return self.first + self.drift * math.log2(width / _WIDTHS[0])

    def excess(self, width: float, x: float) -> float:
        """Return the loss above the best one, infinite beyond the cliff."""
        d = np.array([x - self.optimum(width)])
        return float(true_excess(LANDSCAPES[self.landscape], d)[0])

    def run(self, width: int, x: float, seed: int) -> Observation:
        """Return the outcome of a run, the same whenever it is asked for."""
        shift = np.random.default_rng([self.seed, width, seed]).standard_normal()
        stream = np.random.default_rng([self.seed, width, seed, round(1e6 * (x + 100))])
        error = self.noise * (2 * shift + stream.standard_normal())
        loss = FLOOR + self.excess(width, x) + error
        return Observation(SCHEME, width, 2.0**x, seed, loss, diverged=math.isinf(loss))


def draw_truth(landscape: str, study: int) -> Truth:
    """Draw a study of a landscape."""
    rng = np.random.default_rng([7, study])
    return Truth(
        landscape,
        first=rng.uniform(-8, -6),
        drift=_DRIFTS[study // len(_NOISES) % len(_DRIFTS)],
        noise=_NOISES[study % len(_NOISES)],
        seed=study,
    )


def settings(**changes: object) -> Study:
    """Return the study that is simulated."""
    return load(
        None,
        {
            "widths": _WIDTHS,
            "base_width": _WIDTHS[0],
            "target": TARGET,
            "schemes": (SCHEME,),
            "seeds": _SEEDS,
            "grid": {"low": 2.0**_LOW, "high": 2.0**_HIGH},
            **changes,
        },
    )


def judge_runs(
    truth: Truth, runs: Iterable[tuple[int, float, int]], *, looks: int = 1
) -> Judgement:
    """Judge the outcomes of runs (width, log2 learning rate, seed)."""
    table = RunTable(tuple(truth.run(*run) for run in runs))
    return judge(table, target=TARGET, base=_WIDTHS[0], looks=looks, seed=truth.seed)


def carry_out(truth: Truth, study: Study) -> tuple[Judgement, int]:
    """Carry out the design of a study; return the last judgement and the number of runs."""
    sweep = Sweep(study, Digests())
    plan, round = sweep.design.first(), 0
    while True:
        round += 1
        runs = _list_runs(study, plan)
        judgement = judge_runs(truth, runs, looks=sweep.design.looks)
        larger = sweep.design.next(plan, judgement, round=round).plan
        if larger == plan:
            return judgement, len(runs)
        plan = larger


def _list_runs(study: Study, plan: Plan) -> list[tuple[int, float, int]]:
    return [
        (width, math.log2(study.search.lattice.rate(index)), seed)
        for (_, width), points in plan.items()
        for index, seed in points
    ]


def golden_section(loss: Callable[[float], float], count: int) -> list[float]:
    """Search the lowest loss with `count` evaluations; return where it was evaluated."""
    share = (math.sqrt(5) - 1) / 2
    low, high = float(_LOW), float(_HIGH)
    inner = [high - share * (high - low), low + share * (high - low)]
    values = [loss(x) for x in inner]
    tried = list(inner)
    while len(tried) < count:
        if values[0] <= values[1]:
            high, inner[1], values[1] = inner[1], inner[0], values[0]
            inner[0] = high - share * (high - low)
            values[0] = loss(inner[0])
            tried.append(inner[0])
        else:
            low, inner[0], values[0] = inner[0], inner[1], values[1]
            inner[1] = low + share * (high - low)
            values[1] = loss(inner[1])
            tried.append(inner[1])
    return tried


def sample_rates(
    sampler: optuna.samplers.BaseSampler, loss: Callable[[float], float], count: int
) -> list[float]:
    """Search the lowest loss with a sampler of Optuna; return where it was evaluated."""
    search = optuna.create_study(sampler=sampler)
    tried = []
    for _ in range(count):
        trial = search.ask()
        x = trial.suggest_float("log2_lr", _LOW, _HIGH)
        value = loss(x)
        tried.append(x)
        if math.isfinite(value):
            search.tell(trial, value)
        else:
            search.tell(trial, state=optuna.trial.TrialState.FAIL)
    return tried


def search_optima(truth: Truth, method: str) -> Judgement:
    """Search the optimum of every width with a fifth of the grid's runs, and judge the runs."""
    runs: list[tuple[int, float, int]] = []
    for width in _WIDTHS:

        def loss(x: float, width: int = width) -> float:
            value = truth.run(width, x, 0).loss
            return math.inf if value is None else value

        count = FIFTH // len(_WIDTHS)
        if method == "golden":
            tried = golden_section(loss, count)
        elif method == "tpe":
            tried = sample_rates(optuna.samplers.TPESampler(seed=truth.seed), loss, count)
        else:
            tried = sample_rates(optuna.samplers.GPSampler(seed=truth.seed), loss, count)
        runs += [(width, x, 0) for x in dict.fromkeys(tried)]
    return judge_runs(truth, runs)


@dataclass
class Score:
    """Half widths of predictions, and how many predictions hold the truth."""

    halves: list[float]
    held: int = 0
    refused: int = 0

    def add(self, judgement: Judgement, truth: Truth) -> float | None:
        """Count a prediction; return its half width in octaves, None where there is none."""
        prediction = judgement[SCHEME].prediction
        half = octaves_either_way(prediction)
        if prediction is None or half is None:
            self.refused += 1
            return None
        self.halves.append(half)
        self.held += prediction.low <= 2.0 ** truth.optimum(TARGET) <= prediction.high
        return half

    def __str__(self) -> str:
        """Show the median, the share that holds the truth, and refusals."""
        if not self.halves:
            return "none"
        refused = f", {self.refused} refused" if self.refused else ""
        return f"±{np.median(self.halves):.2f} ({self.held} of {len(self.halves)}{refused})"


def print_rates(studies: int) -> None:
    """Print the runs needed for the grid's predictive width, and what others reach with a fifth."""
    print(f"\n{studies} studies per landscape; ± octaves of the predicted rate (truth held)\n")
    methods = ("golden", "tpe", "gp")
    print(
        "| landscape | grid, 240 runs | adaptive, as narrow | runs | adaptive, 48 runs | ", end=""
    )
    print(" | ".join(f"{method}, 48 runs" for method in methods) + " |")
    print("|---" * (5 + len(methods)) + "|")
    medians = []
    for name in _NAMES:
        grid, narrow, fifth = Score([]), Score([]), Score([])
        others = {method: Score([]) for method in methods}
        counts = []
        for i in range(studies):
            truth = draw_truth(name, i)
            judgement, _ = carry_out(truth, settings())
            half = grid.add(judgement, truth)
            if half is not None:
                octaves = max(half, least_octaves(_WIDTHS, target=TARGET) + 1e-6)
                study = settings(design="adaptive", stopping_rule=f"octaves={octaves:.6f}")
                judgement, runs = carry_out(truth, study)
                narrow.add(judgement, truth)
                counts.append(runs)
            study = settings(design="adaptive", stopping_rule="octaves=0.4", budget=FIFTH)
            fifth.add(carry_out(truth, study)[0], truth)
            for method in methods:
                others[method].add(search_optima(truth, method), truth)
        medians.append(np.median(counts))
        row = [name, grid, narrow, f"{medians[-1]:.0f}", fifth, *others.values()]
        print("| " + " | ".join(map(str, row)) + " |", flush=True)
    print(f"\nMedian over the landscapes: {np.median(medians):.0f} of 240 runs.")


def print_verdicts(studies: int) -> None:
    """Print how often verdicts that the design stopped at are right and wrong."""
    print(f"\n{studies} studies per landscape, until regret=0.01\n")
    print("| landscape | right | wrong | open | median runs | grid: right | wrong | open |")
    print("|---" * 8 + "|")
    for name in _NAMES:
        adaptive, grid = np.zeros(3, int), np.zeros(3, int)
        counts = []
        for i in range(studies):
            truth = draw_truth(name, i)
            judgement, runs = carry_out(
                truth, settings(design="adaptive", stopping_rule="regret=0.01")
            )
            counts.append(runs)
            adaptive[_grade(judgement, truth)] += 1
            grid[_grade(carry_out(truth, settings())[0], truth)] += 1
        cells = (*adaptive, f"{np.median(counts):.0f}", *grid)
        print(f"| {name} | " + " | ".join(map(str, cells)) + " |", flush=True)


def _grade(judgement: Judgement, truth: Truth) -> int:
    """Return 0 for a right verdict, 1 for a wrong one, 2 for none."""
    answer = judgement[SCHEME]
    used = answer.optima[0].log2_lr
    if answer.verdict == "inconclusive" or used is None:
        return 2
    transfers = truth.excess(_WIDTHS[-1], used) / FLOOR <= 0.01
    return 0 if (answer.verdict == "transfers") == transfers else 1


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=9, help="studies per landscape")
    parser.add_argument("--parts", nargs="+", default=["rates", "verdicts"], help="which tables")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    if "rates" in options.parts:
        print_rates(options.studies)
    if "verdicts" in options.parts:
        print_verdicts(options.studies)


if __name__ == "__main__":
    main()
