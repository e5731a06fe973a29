"""Measure predictions one and two doublings beyond the largest size, on simulated studies.

    python -m benchmarks.predictions --studies 54

simulates studies of 3 to 6 sizes in all regimes in turn, judges them as users would, and prints per
number of sizes and doublings ahead: how often the 95 % interval of the predicted optimum holds the
truth, its median width, how far its middle is from the truth, how many studies get no prediction,
and the true regret of the learning rate that is suggested, beside that of the middle.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.regimes import Draw, add_options, list_draws, list_regimes
from benchmarks.tally import print_table, show_share, spread
from lrtransfer.statistics.answer import Prediction
from lrtransfer.statistics.axis import AXES, AxisName
from lrtransfer.statistics.simulated_study import SimulatedStudy
from lrtransfer.statistics.transfer import judge

AHEAD = 2  # doublings
CAP = 100.0  # %: beyond a cliff a rate costs everything


@dataclass(frozen=True)
class Guess:
    """A prediction and the truth.

    Attributes:
        study: The study that was judged.
        ahead: Doublings beyond its largest size.
        prediction: What is predicted, None where nothing is.
    """

    study: SimulatedStudy
    ahead: int
    prediction: Prediction | None

    @property
    def doubling(self) -> int:
        """Doubling of the target."""
        return len(self.study.curves) - 1 + self.ahead

    @property
    def truth(self) -> float:
        """True log2 optimum at the target."""
        return float(self.study.optima[self.doubling])

    def regret(self, lr: float) -> float:
        """Return the true regret of a rate at the target, in %."""
        return 100 * self.study.regret(math.log2(lr), doubling=self.doubling)


def predict_all(draw: Draw, axis: AxisName) -> list[Guess]:
    """Judge a study for every target."""
    study = draw.simulate()
    guesses = []
    for ahead in range(1, draw.ahead + 1):
        target = study.curves[-1].size * 2**ahead
        judgement = judge(study.table, target=target, seed=draw.number, axis=axis)
        guesses.append(Guess(study, ahead, judgement[draw.landscape].prediction))
    return guesses


HEADER = (
    *("n", "not predicted %", "holds %", "median width", "median error", "90 % error"),
    *("regret %: median", "mean", "90 %", "of the middle: median", "mean", "90 %"),
)


def describe(guesses: Sequence[Guess]) -> Iterator[object]:
    """Yield a row of the table."""
    stated = [(g, g.prediction) for g in guesses if g.prediction is not None]
    yield len(guesses)
    yield f"{100 * (1 - len(stated) / len(guesses)):.1f}"
    if not stated:
        return
    yield show_share(p.low <= 2.0**g.truth <= p.high for g, p in stated)
    yield f"{np.median([math.log2(p.high / p.low) for _, p in stated]):.2f}"
    errors = [abs(math.log2(p.middle) - g.truth) for g, p in stated]
    yield from (f"{np.quantile(errors, share):.2f}" for share in (0.5, 0.9))
    for rates in ([p.lr for _, p in stated], [p.middle for _, p in stated]):
        costs = [g.regret(lr) for (g, _), lr in zip(stated, rates, strict=True)]
        capped = np.minimum(costs, CAP)
        quantiles = np.quantile(capped, (0.5, 0.9))
        yield from (f"{cost:.3f}" for cost in (quantiles[0], capped.mean(), quantiles[1]))


def print_by(title: str, guesses: Sequence[Guess], key: Callable[[Guess], object]) -> None:
    """Print a table with one row per value of a key and number of doublings ahead."""
    groups = defaultdict[tuple[object, int], list[Guess]](list)
    for guess in guesses:
        groups[key(guess), guess.ahead].append(guess)
    print()
    print_table((title, "ahead", *HEADER), ((*k, *describe(some)) for k, some in groups.items()))


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, studies=54)
    parser.add_argument("--axis", choices=list(AXES), default="width", help="whose prior is used")
    options = parser.parse_args()
    draws = list_draws(options, list_regimes(options), ahead=AHEAD)
    work = partial(predict_all, axis=options.axis)
    guesses = [guess for found in spread(work, draws, jobs=options.jobs) for guess in found]
    print(f"\n{options.studies} studies per landscape; costs above {CAP:g} % count as {CAP:g} %")
    print_by("all", guesses, lambda g: "")
    print_by("sizes", sorted(guesses, key=count_sizes), count_sizes)
    print_by("landscape", guesses, lambda g: g.study.landscape)
    print_by(
        "span, spacing, S",
        sorted(guesses, key=lambda g: (g.study.regime.span, g.study.regime.spacing)),
        lambda g: f"{g.study.regime.span:g}, {g.study.regime.spacing:g}, {g.study.regime.seeds}",
    )


def count_sizes(guess: Guess) -> int:
    """Return the number of sizes measured."""
    return len(guess.study.curves)


if __name__ == "__main__":
    main()
