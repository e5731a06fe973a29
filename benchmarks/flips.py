"""Measure whether answers name the random draws where other draws turn the verdict.

    python -m benchmarks.flips --studies 60

judges each simulated study of three widths under several seeds of the posterior draws, and prints
how many answers name the draws (`hangs_on`), of studies whose verdict differs between the seeds and
of those whose verdict does not.
"""

import argparse
from collections import Counter

import numpy as np

from lrtransfer.statistics.simulated_study import SMALLEST, SweepRegime, simulate_study
from lrtransfer.statistics.transfer import judge

_NAMES = ("quad", "skew", "wall", "quartic")
_REGIME = SweepRegime(span=8.0, spacing=1.0, seeds=2, noise=0.01)
_SEEDS = 4
_FIRST = 5000  # of the studies: others than those that the rule was found on


def count_flips(studies: int) -> Counter[tuple[bool, bool]]:
    """Return answers by whether seeds differ in their verdict and whether draws are named."""
    counts = Counter[tuple[bool, bool]]()
    for number in range(studies):
        name = _NAMES[number % len(_NAMES)]
        rng = np.random.default_rng(_FIRST + number)
        slope = float(rng.uniform(0.2, 0.6))
        path = [slope * doubling for doubling in range(3)]
        table = simulate_study(name, path=path, rng=rng, regime=_REGIME).table
        answers = [judge(table, target=4 * SMALLEST, seed=seed)[name] for seed in range(_SEEDS)]
        flips = len({answer.verdict for answer in answers}) > 1
        counts.update((flips, "random draws" in (answer.hangs_on or "")) for answer in answers)
    return counts


def main() -> None:
    """Read the options and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=60)
    counts = count_flips(parser.parse_args().studies)
    for flips, what in ((True, "differs between seeds"), (False, "does not differ")):
        named, silent = counts[flips, True], counts[flips, False]
        print(f"verdict {what}: draws named in {named} of {named + silent} answers")


if __name__ == "__main__":
    main()
