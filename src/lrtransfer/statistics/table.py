"""The runs of a study as loss curves.

S seeds, K learning rates. A curve belongs to one scheme and one size; its learning rates are
kept as log2. Divergence is data: a diverged run is +inf, a run that was not made is NaN.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..scaling import FloatArray


@dataclass(frozen=True)
class Observation:
    """Outcome of one run: its final held-out loss, or that it diverged.

    Attributes:
        scheme: Name of the scheme.
        size: Size n along the axis that is varied.
        lr: Learning rate, not its logarithm.
        seed: Seed of initial weights and batches.
        loss: Final loss; None, or not finite, if the run diverged.
        diverged: Whether it diverged: then `loss` is not read.
    """

    scheme: str
    size: int
    lr: float
    seed: int
    loss: float | None
    diverged: bool = False


@dataclass(frozen=True, eq=False)
class LossCurve:
    """Final losses of one size under one scheme.

    Attributes:
        size: Size n.
        log2_lr: Learning rates as log2, increasing, shape (K,).
        loss: Final losses, shape (S, K); +inf where diverged, NaN where no run was made.
        seeds: Seeds of the rows of `loss`, S of them; empty where they are not known.
    """

    size: int
    log2_lr: FloatArray
    loss: FloatArray
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class RunTable:
    """Outcomes of a study, one observation per scheme, size, learning rate and seed."""

    observations: tuple[Observation, ...]

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes in order of first appearance."""
        return tuple(dict.fromkeys(row.scheme for row in self.observations))

    def curves(self, scheme: str) -> tuple[LossCurve, ...]:
        """Return one loss curve per size of a scheme, by increasing size."""
        rows = [row for row in self.observations if row.scheme == scheme]
        sizes = sorted({row.size for row in rows})
        return tuple(_curve(size, [r for r in rows if r.size == size]) for size in sizes)


def _curve(size: int, rows: Iterable[Observation]) -> LossCurve:
    rows = list(rows)
    rates = sorted({row.lr for row in rows})
    seeds = sorted({row.seed for row in rows})
    loss = np.full((len(seeds), len(rates)), np.nan)
    for row in rows:
        ended = not row.diverged and row.loss is not None and math.isfinite(row.loss)
        value = row.loss if ended else math.inf
        loss[seeds.index(row.seed), rates.index(row.lr)] = value
    return LossCurve(size=size, log2_lr=np.log2(rates), loss=loss, seeds=tuple(seeds))
