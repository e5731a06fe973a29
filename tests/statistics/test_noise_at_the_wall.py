"""Runs that scatter more at the wall than in the valley tell as much of the valley."""

import numpy as np

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Regret
from lrtransfer.statistics.simulation import loss_shape
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

BEST, USED = -6.3, -6.8  # of the larger and of the smaller size
VALLEY, WALL = 0.004, 0.1  # noise of a run; the wall begins two octaves above the optimum
LOG2_LRS: FloatArray = np.arange(-11.0, -2.9, 0.5)


def judge_sweep(number: int, *, cut: bool) -> Regret:
    rng = np.random.default_rng([3, number])
    runs = []
    for size, best in ((64, USED), (128, BEST)):
        for seed in range(3):
            noise = np.where(LOG2_LRS > best + 2, WALL, VALLEY) * rng.standard_normal(len(LOG2_LRS))
            loss = 3 + loss_shape("skew", LOG2_LRS - best) + noise
            runs += [
                Observation("mup", size, 2.0 ** float(x), seed, float(y))
                for x, y in zip(LOG2_LRS, loss, strict=True)
                if not (cut and x > best + 2)
            ]
    regret = judge(RunTable(tuple(runs)), target=128, seed=number)["mup"].regret
    assert regret is not None
    return regret


def width(regret: Regret) -> float:
    assert regret.low is not None
    assert regret.high is not None
    return regret.high - regret.low


def test_noise_at_the_wall_does_not_widen_the_regret() -> None:
    full = [judge_sweep(i, cut=False) for i in range(8)]
    cut = [judge_sweep(i, cut=True) for i in range(8)]
    ratios = [width(a) / width(b) for a, b in zip(full, cut, strict=True)]
    assert np.median(ratios) <= 1.5
    truths = [float(loss_shape("skew", np.array([r.log2_lr - BEST]))[0]) / 3 for r in full]
    held = [
        r.low is not None and r.high is not None and r.low <= truth <= r.high
        for r, truth in zip(full, truths, strict=True)
    ]
    assert sum(held) >= 7
