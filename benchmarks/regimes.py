"""The regimes that simulated studies are measured in, and the options that choose them."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lrtransfer.statistics.simulated_study import SimulatedStudy, SweepRegime, simulate_study
from lrtransfer.statistics.simulation import LANDSCAPES

NOISES = (0.002, 0.008, 0.03)  # standard deviation of a run, in heights of the valley
SIZES = (3, 4, 5, 6)  # of one study
DRIFTS = (0.0, -0.2, -0.5)  # octaves per doubling
SCATTER = 0.05  # octaves
GROWTHS = (0.0, 0.2, -0.2)  # change of log2 of the valley's height per doubling
NAMES = tuple(LANDSCAPES)
WITH_OPTIMUM = tuple(name for name, land in LANDSCAPES.items() if not land.outside)


@dataclass(frozen=True)
class Draw:
    """Where one simulated study comes from.

    Attributes:
        landscape: A key of `LANDSCAPES`.
        number: Number of the study; regimes take turns.
        regimes: What they take turns in.
        seed: Seed of the benchmark.
        sizes: Numbers of sizes that are measured, one of which is drawn.
        ahead: Doublings beyond the measured sizes whose truth is wanted.
    """

    landscape: str
    number: int
    regimes: tuple[SweepRegime, ...]
    seed: int
    sizes: tuple[int, ...] = SIZES
    ahead: int = 0

    @property
    def regime(self) -> SweepRegime:
        """How the study is measured; landscapes begin at different regimes."""
        first = 7 * NAMES.index(self.landscape)
        return self.regimes[(first + self.number) % len(self.regimes)]

    def make_rng(self, *more: int) -> np.random.Generator:
        """Return the generator of the study, or another one of each `more`."""
        return np.random.default_rng([
            self.seed,
            NAMES.index(self.landscape),
            self.number,
            *more,
        ])

    def simulate(self) -> SimulatedStudy:
        """Draw the number of sizes, drift, growth, and the runs."""
        rng = self.make_rng()
        sizes, drift, growth = (rng.choice(c) for c in (self.sizes, DRIFTS, GROWTHS))
        return simulate_study(
            self.landscape,
            path=drift * np.arange(sizes + self.ahead),
            rng=rng,
            regime=self.regime,
            ahead=self.ahead,
            scatter=SCATTER,
            growth=float(growth),
        )


def add_options(
    parser: argparse.ArgumentParser, *, studies: int, landscapes: Sequence[str] = WITH_OPTIMUM
) -> None:
    """Add the options that choose landscapes, regimes, seeds and processes."""
    add = parser.add_argument
    add("--studies", type=int, default=studies, help="studies per landscape")
    add("--landscapes", nargs="+", default=list(landscapes), choices=NAMES, help="which ones")
    add("--spans", type=float, nargs="+", default=[4.0, 6.0, 9.0], help="octaves swept")
    add("--spacings", type=float, nargs="+", default=[0.5, 1.0, 2.0], help="octaves between rates")
    add("--seeds", type=int, nargs="+", default=[1, 3], help="numbers of seeds of a study")
    add("--noises", type=float, nargs="+", default=list(NOISES), help="in heights of the valley")
    add("--seed", type=int, default=0, help="seed of the simulation")
    add("--jobs", type=int, default=1, help="processes")


def list_draws(
    options: argparse.Namespace, regimes: tuple[SweepRegime, ...], *, ahead: int = 0
) -> list[Draw]:
    """Return the draws of all landscapes that the options choose."""
    return [
        Draw(name, number, regimes, options.seed, ahead=ahead)
        for name in options.landscapes
        for number in range(options.studies)
    ]


def list_regimes(options: argparse.Namespace) -> tuple[SweepRegime, ...]:
    """Return the regimes that the options choose, in an order that mixes them.

    The order is a permutation, so that any number of studies sees all settings about equally often.
    """
    choices = product(options.spans, options.spacings, options.seeds, options.noises)
    regimes = [
        SweepRegime(span=span, spacing=spacing, seeds=seeds, noise=noise)
        for span, spacing, seeds, noise in choices
    ]
    order = np.random.default_rng(0).permutation(len(regimes))
    return tuple(regimes[i] for i in order)
