"""Measure what noisy runs at the wall do to the regret of an optimum in the valley.

    python -m benchmarks.noise --runs runs.csv

trains MLPs on scikit-learn's digits with SGD, at learning rates up to the wall and with many seeds,
unless the file with the runs is there already. Near the wall their losses scatter far more than in
the valley. Splits the seeds into studies of `--study-seeds` and judges each, once with rates half
an octave apart, and once with those of them below the wall, where the median loss is half as high
as it gets. Prints how noise grows, how often the interval of the regret holds the truth, found from
all seeds and rates a quarter octave apart, and how wide it is beside that of the cut sweep. Needs
the extra `digits`.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import PchipInterpolator

from benchmarks.tally import print_table, show_share, spread
from lrtransfer.data.configs import DigitsConfig
from lrtransfer.data.digits import read_digits
from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Regret
from lrtransfer.statistics.table import LARGEST_LOSS, Observation, RunTable
from lrtransfer.statistics.transfer import judge

WIDTHS = (16, 32, 64, 128)
LOG2_LRS = tuple(np.arange(-6.0, 1.01, 0.25))
EVERY = 2  # a study has every second of these rates, half an octave apart; the truth has all
SEEDS = 48
STEPS, BATCH = 300, 64
SCHEME = "sgd"
RESAMPLES = 200
TOLERANCE = 0.05  # losses near zero: regrets are large shares of them


@dataclass(frozen=True, eq=False)
class Sweep:
    """Final losses, shape (W, K, N): widths, learning rates, seeds; +inf where diverged."""

    widths: tuple[int, ...]
    log2_lr: FloatArray
    loss: FloatArray


def train(width: int) -> FloatArray:
    """Train all rates and seeds of one width side by side; return held-out losses, (K, N).

    Runs of one seed share initial weights and batches, whatever their learning rate.
    """
    train_set, held_out = read_digits(DigitsConfig())
    x, y = torch.from_numpy(train_set.inputs), torch.from_numpy(train_set.targets)
    losses = np.empty((len(LOG2_LRS), SEEDS))
    for seed in range(SEEDS):
        random = torch.Generator().manual_seed(1000 * seed + width)
        rates = torch.tensor([2.0**lr for lr in LOG2_LRS]).view(-1, 1, 1)
        weights = [
            (torch.randn(rows, columns, generator=random) / rows**0.5)
            .expand(len(rates), -1, -1)
            .clone()
            .requires_grad_()
            for rows, columns in ((64, width), (width, width), (width, 10))
        ]
        for _ in range(STEPS):
            batch = torch.randint(len(x), (BATCH,), generator=random)
            loss = forward(x[batch], weights, y[batch])
            gradients = torch.autograd.grad(loss.sum(), weights)
            with torch.no_grad():
                for weight, gradient in zip(weights, gradients, strict=True):
                    weight -= rates * gradient
        with torch.no_grad():
            inputs, targets = map(torch.from_numpy, (held_out.inputs, held_out.targets))
            losses[:, seed] = forward(inputs, weights, targets).double().numpy()
    return np.where(np.isfinite(losses) & (losses < LARGEST_LOSS), losses, np.inf)


def forward(x: torch.Tensor, weights: Sequence[torch.Tensor], y: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of K networks on the same N examples, shape (K,)."""
    h = x.expand(len(weights[0]), -1, -1)
    for weight in weights[:-1]:
        h = torch.relu(torch.bmm(h, weight))
    logits = torch.bmm(h, weights[-1])
    losses = F.cross_entropy(logits.flatten(0, 1), y.repeat(len(logits)), reduction="none")
    return losses.view(len(logits), -1).mean(dim=1)


def write(losses: Sequence[FloatArray], path: Path) -> None:
    """Write one row per run."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["width", "log2_lr", "seed", "loss"])
        for width, found in zip(WIDTHS, losses, strict=True):
            for (k, seed), loss in np.ndenumerate(found):
                rows.writerow([width, LOG2_LRS[k], seed, loss])


def read(path: Path) -> Sweep:
    """Read the runs."""
    with path.open(newline="") as file:
        rows = [tuple(map(float, row.values())) for row in csv.DictReader(file)]
    widths, rates, seeds = (sorted({row[i] for row in rows}) for i in range(3))
    loss = np.full((len(widths), len(rates), len(seeds)), np.nan)
    for width, rate, seed, value in rows:
        loss[widths.index(width), rates.index(rate), seeds.index(seed)] = value
    return Sweep(tuple(int(width) for width in widths), np.array(rates), loss)


def measure_scatter(loss: FloatArray) -> FloatArray:
    """Return what runs of one rate scatter by once each seed's own offset is removed, shape (K,).

    The offset is that in the valley: the half of the rates with the lowest medians. Robust against
    single runs: 1.48 times the median distance from the median.

    Arguments:
        loss: Losses of one width, shape (K, N).
    """
    middle = np.median(loss, axis=1)
    valley = middle <= np.median(middle)
    with np.errstate(invalid="ignore"):
        left = loss - np.mean(loss[valley] - middle[valley, None], axis=0)
        left = np.abs(left - np.median(left, axis=1, keepdims=True))
    scatter: FloatArray = 1.48 * np.median(np.where(np.isnan(left), np.inf, left), axis=1)
    return scatter


def find_wall(loss: FloatArray) -> int:
    """Return the first rate above the best one whose median loss is half of the highest, or more.

    Arguments:
        loss: Losses of one width, shape (K, N).
    """
    middle = np.median(loss, axis=1)
    best = int(middle.argmin())
    beyond = np.flatnonzero(middle[best:] >= middle[np.isfinite(middle)].max() / 2)
    return best + int(beyond[0]) if len(beyond) else len(middle)


def make_table(sweep: Sweep, seeds: Sequence[int], *, cut: bool) -> RunTable:
    """Return the runs of some seeds, of every second rate or of those below each width's wall.

    Studies begin at the first rate and at the second in turn.
    """
    first = seeds[0] // len(seeds) % EVERY
    rows = []
    for width, loss in zip(sweep.widths, sweep.loss, strict=True):
        last = find_wall(loss) if cut else len(loss)
        rows += [
            Observation(SCHEME, width, 2.0 ** float(x), seed, float(loss[k, seed]))
            for k, x in enumerate(sweep.log2_lr[:last])
            if k % EVERY == first
            for seed in seeds
        ]
    return RunTable(tuple(rows))


def true_regret(sweep: Sweep, log2_lr: float) -> tuple[float, float]:
    """Return the regret of a rate at the largest width in the mean of all seeds, and its error.

    Between the rates the mean losses are interpolated (PCHIP). The error is the standard deviation
    over resampled seeds.
    """
    rng, loss = np.random.default_rng(0), sweep.loss[-1]
    samples = rng.integers(loss.shape[1], size=(RESAMPLES, loss.shape[1]))
    resampled = [_regret_on(sweep.log2_lr, loss[:, some].mean(axis=1), log2_lr) for some in samples]
    truth = _regret_on(sweep.log2_lr, loss.mean(axis=1), log2_lr)
    return truth, float(np.std(resampled))


def _regret_on(x: FloatArray, mean: FloatArray, log2_lr: float) -> float:
    finite = np.isfinite(mean)
    curve = PchipInterpolator(x[finite], mean[finite])
    lowest = float(curve(np.linspace(x[finite][0], x[finite][-1], 1001)).min())
    return float(curve(np.clip(log2_lr, x[finite][0], x[finite][-1]))) / lowest - 1


@dataclass(frozen=True)
class Answer:
    """Regret of one study and the truth, with the truth's own error."""

    regret: Regret | None
    truth: tuple[float, float] | None

    @property
    def width(self) -> float:
        """Width of the interval, infinite where it has no upper end."""
        regret = self.regret
        if regret is None or regret.high is None or regret.low is None:
            return math.inf
        return regret.high - regret.low

    @property
    def held(self) -> bool | None:
        """Whether the interval holds the truth, give or take twice the truth's own error."""
        if self.regret is None or self.regret.low is None or self.truth is None:
            return None
        value, error = self.truth
        high = math.inf if self.regret.high is None else self.regret.high
        return self.regret.low <= value + 2 * error and value - 2 * error <= high


def judge_seeds(sweep: Sweep, seeds: Sequence[int], *, cut: bool) -> Answer:
    """Judge the whole or the cut sweep of some seeds."""
    table = make_table(sweep, seeds, cut=cut)
    regret = judge(table, target=sweep.widths[-1], tolerance=TOLERANCE)[SCHEME].regret
    return Answer(regret, None if regret is None else true_regret(sweep, regret.log2_lr))


def list_scatter(sweep: Sweep) -> Iterator[tuple[object, ...]]:
    """Yield median loss and scatter per rate, both of all widths."""
    for k, x in enumerate(sweep.log2_lr):
        cells = []
        for loss in sweep.loss:
            scatter = measure_scatter(loss)[k]
            mark = " cut" if k >= find_wall(loss) else ""
            cells.append(f"{np.median(loss[k]):.3f} ± {scatter:.3f}{mark}")
        yield f"2^{x:g}", *cells


def main() -> None:
    """Train unless that was done, judge, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="CSV file of the runs")
    parser.add_argument("--study-seeds", type=int, nargs="+", default=[1, 3], help="of one study")
    parser.add_argument("--studies", type=int, default=None, help="at most")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    options = parser.parse_args()
    if not options.runs.exists():
        torch.set_num_threads(1)
        write(spread(train, WIDTHS, jobs=options.jobs), options.runs)
    sweep = read(options.runs)
    print("\nMedian loss ± scatter of runs without their seed's offset\n")
    print_table(("lr", *(f"width {width}" for width in sweep.widths)), list_scatter(sweep))
    print("\nRegret of the smallest width's optimum at the largest width\n")
    header = ("interval holds %", "without upper end", "median width")
    print_table(
        ("seeds", "studies", *header, *(f"cut sweep: {name}" for name in header), "ratio"),
        (describe(sweep, count, options.studies) for count in options.study_seeds),
    )


def describe(sweep: Sweep, count: int, most: int | None) -> tuple[object, ...]:
    """Judge studies of so many seeds each, and return a row of the table."""
    seeds = range(sweep.loss.shape[2])
    groups = [seeds[i : i + count] for i in range(0, len(seeds) - count + 1, count)][:most]
    full, short = ([judge_seeds(sweep, g, cut=cut) for g in groups] for cut in (False, True))
    cells: list[object] = [count, len(groups)]
    for answers in (full, short):
        widths = [answer.width for answer in answers]
        cells += [
            show_share(answer.held for answer in answers if answer.held is not None),
            int(np.isinf(widths).sum()),
            f"{100 * np.median(widths):.1f} %",
        ]
    ratios = [a.width / b.width for a, b in zip(full, short, strict=True) if np.isfinite(b.width)]
    return *cells, f"{np.median(ratios):.2f}" if ratios else ""


if __name__ == "__main__":
    main()
