"""The three axes of transfer quality on valleys with known truth."""

import numpy as np
import pytest

from lrtransfer.statistics.answer import Quality
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

WIDTHS = (64, 128, 256, 512, 1024)


def quality_of(optima: tuple[float, ...], *, seeds: int = 3) -> Quality:
    """Judge parabolas with these optima, one width each."""
    rng, rows = np.random.default_rng(3), []
    for width, best in zip(WIDTHS, optima, strict=False):
        for x in range(-13, -1):
            for seed in range(seeds):
                loss = 3 + (x - best) ** 2 / 16 + 0.001 * rng.standard_normal()
                rows.append(Observation("mup", width, 2.0**x, seed, loss))
    return judge(RunTable(tuple(rows)), target=WIDTHS[-1])["mup"].quality


def test_optima_on_a_line_fit_and_extrapolate() -> None:
    quality = quality_of((-6, -6.3, -6.6, -6.9, -7.2))
    assert quality.scatter is not None
    assert quality.scatter < 0.02
    assert quality.extrapolation is not None
    assert quality.extrapolation.size == 1024
    assert quality.extrapolation.estimate < 1e-4


def test_scatter_is_found() -> None:
    quality = quality_of((-6, -6.8, -6.0, -6.9, -6.1))
    assert quality.scatter is not None
    assert quality.scatter == pytest.approx(0.47, abs=0.1)  # of these points about their line


def test_a_kink_is_paid_at_the_widest_width() -> None:
    regret = quality_of((-6, -6, -6, -6, -7.0)).extrapolation
    assert regret is not None
    assert regret.estimate == pytest.approx(1 / 16 / 3, rel=0.05)


def test_the_penalty_is_that_of_the_drift() -> None:
    penalty = quality_of((-6, -6.2, -6.4, -6.6, -6.8)).penalty
    assert penalty is not None
    assert penalty.size == 8 * 1024
    assert penalty.low is not None
    assert penalty.low <= (7 * 0.2) ** 2 / 16 / 3
    assert penalty.high is None or penalty.high >= (7 * 0.2) ** 2 / 16 / 3


def test_what_the_runs_do_not_tell_is_none() -> None:
    two = quality_of((-6, -6))
    assert (two.scatter, two.extrapolation) == (None, None)
    one = quality_of((-6, -1.0))  # the second optimum lies at the end of the rates
    assert (one.scatter, one.extrapolation, one.penalty) == (None, None, None)
