"""The three axes of transfer quality on valleys with known truth."""

import numpy as np
import pytest

from lrtransfer.statistics.answer import Quality
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

WIDTHS = (64, 128, 256, 512, 1024)


def quality(optima: tuple[float, ...], *, seeds: int = 3) -> Quality:
    """Judge parabolas with these optima, one width each."""
    rng, rows = np.random.default_rng(3), []
    for width, best in zip(WIDTHS, optima, strict=False):
        for x in range(-13, -1):
            for seed in range(seeds):
                loss = 3 + (x - best) ** 2 / 16 + 0.001 * rng.standard_normal()
                rows.append(Observation("mup", width, 2.0**x, seed, loss))
    return judge(RunTable(tuple(rows)), target=WIDTHS[-1])["mup"].quality


def test_optima_on_a_line_fit_and_extrapolate() -> None:
    found = quality((-6, -6.3, -6.6, -6.9, -7.2))
    assert found.scatter is not None
    assert found.scatter < 0.02
    assert found.extrapolation is not None
    assert found.extrapolation.size == 1024
    assert found.extrapolation.estimate < 1e-4


def test_scatter_is_found() -> None:
    found = quality((-6, -6.8, -6.0, -6.9, -6.1))
    assert found.scatter is not None
    assert found.scatter == pytest.approx(0.47, abs=0.1)  # of these points about their line


def test_a_kink_is_paid_at_the_widest_width() -> None:
    found = quality((-6, -6, -6, -6, -7.0)).extrapolation
    assert found is not None
    assert found.estimate == pytest.approx(1 / 16 / 3, rel=0.05)


def test_the_penalty_is_that_of_the_drift() -> None:
    found = quality((-6, -6.2, -6.4, -6.6, -6.8)).penalty
    assert found is not None
    assert found.size == 8 * 1024
    assert found.low is not None
    assert found.low <= (7 * 0.2) ** 2 / 16 / 3
    assert found.high is None or found.high >= (7 * 0.2) ** 2 / 16 / 3


def test_what_the_runs_do_not_tell_is_none() -> None:
    found = quality((-6, -6))
    assert (found.scatter, found.extrapolation, found.penalty) == (None, None, None)
