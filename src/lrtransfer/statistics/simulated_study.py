"""Simulated studies: several sizes on one landscape, whose optima follow a known path.

Doubling k stands for the size 64 * 2^k. All sizes share one lattice of learning rates; a size's
grid is another part of it where the optimum would leave the middle of the first size's grid.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray
from .simulation import LANDSCAPES, SPAN, draw_losses, draw_place, place_bounds, true_excess
from .table import LossCurve, Observation, RunTable

SMALLEST = 64


@dataclass(frozen=True, kw_only=True)
class SweepRegime:
    """How a simulated study is measured.

    Attributes:
        span: Octaves from the lowest to the highest learning rate of a size.
        spacing: Octaves between learning rates.
        seeds: Number of seeds S.
        noise: Standard deviation of a run in units of the valley's height R at the first size.
        floor: Loss at the optimum; R is 1 at the first size.
    """

    span: float = SPAN
    spacing: float = 1.0
    seeds: int = 3
    noise: float = 0.01
    floor: float = 3.0


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedStudy:
    """Runs of a study and the truth behind them.

    Attributes:
        landscape: A key of `LANDSCAPES`.
        regime: How it was measured.
        curves: Runs of the measured sizes, by increasing size.
        optima: True x* at doublings 0, 1, …, also beyond the measured ones.
        growth: Change of log2 of the valley's height per doubling.
    """

    landscape: str
    regime: SweepRegime
    curves: tuple[LossCurve, ...]
    optima: FloatArray
    growth: float

    @property
    def table(self) -> RunTable:
        """The runs as a table, of one scheme with the landscape's name."""
        return RunTable(tuple(self._list_runs()))

    def _list_runs(self) -> Iterator[Observation]:
        for curve in self.curves:
            for (seed, k), loss in np.ndenumerate(curve.loss):
                if not np.isnan(loss):
                    lr = 2.0 ** float(curve.log2_lr[k])
                    yield Observation(self.landscape, curve.size, lr, seed, float(loss))

    def regret(self, log2_lr: float, *, doubling: int) -> float:
        """Return the true regret of a rate at a size, as a share of the best loss there."""
        d = np.array([log2_lr - self.optima[doubling]])
        excess = float(true_excess(LANDSCAPES[self.landscape], d)[0])
        return float(2.0 ** (self.growth * doubling)) * excess / self.regime.floor


def simulate_study(
    name: str,
    *,
    path: Sequence[float] | FloatArray,
    rng: np.random.Generator,
    regime: SweepRegime | None = None,
    ahead: int = 0,
    scatter: float = 0.0,
    growth: float = 0.0,
) -> SimulatedStudy:
    """Draw the runs of a study on a landscape.

    Arguments:
        name: A key of `LANDSCAPES`.
        path: Where x* lies at doublings 0, 1, …, in octaves from an origin that is drawn.
        rng: Source of the lattice's phase, the origin, the scatter and the noise.
        regime: How the study is measured.
        ahead: How many of the last doublings are not measured.
        scatter: Standard deviation of the optima about their path, in octaves.
        growth: Change of log2 of the valley's height per doubling.

    Returns:
        The study with its true optima.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> study = simulate_study("skew", path=(0.0, -0.5, -1.0), ahead=1, rng=rng)
        >>> [(curve.size, curve.loss.shape) for curve in study.curves]
        [(64, (3, 10)), (128, (3, 10))]
        >>> (study.optima - study.optima[0]).round(6)
        array([ 0. , -0.5, -1. ])
    """
    regime, land = regime or SweepRegime(), LANDSCAPES[name]
    path = np.asarray(path, dtype=np.float64)
    steps = regime.spacing * np.arange(int(regime.span / regime.spacing) + 1.0)
    grid: FloatArray = -12 + rng.uniform(0, regime.spacing) + steps
    origin = draw_place(land, grid, regime.span, rng)
    optima = origin + path - path[0] + scatter * rng.standard_normal(len(path))
    curves = []
    for k, best in enumerate(optima[: len(path) - ahead]):
        # a minimum outside stays as far outside
        moved = best - origin if land.outside else _follow(best - float(grid[0]), regime)
        loss = draw_losses(
            land,
            grid + moved - best,
            rng=rng,
            seeds=regime.seeds,
            noise=regime.noise,
            floor=regime.floor,
            height=2.0 ** (growth * k),
        )
        curves.append(LossCurve(SMALLEST * 2**k, grid + moved, loss))
    return SimulatedStudy(
        landscape=name, regime=regime, curves=tuple(curves), optima=optima, growth=growth
    )


def _follow(place: float, regime: SweepRegime) -> float:
    """Return how far a grid moves, in whole spacings, so that an optimum lies well inside it."""
    low, high = place_bounds(regime.span)
    if low <= place <= high:
        return 0.0
    return regime.spacing * round((place - (low + high) / 2) / regime.spacing)
