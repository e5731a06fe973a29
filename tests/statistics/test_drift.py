import numpy as np
import pytest

from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.drift import fit_drift, fit_scatter
from lrtransfer.statistics.trend import Location


def line(slope: float, *, sizes: int = 5, sd: float = 0.05) -> list[Location]:
    return [Location(2**i, -6 + slope * i, sd) for i in range(5, 5 + sizes)]


@pytest.mark.parametrize("slope", [0.0, -0.5, 0.3])
def test_drift_is_octaves_per_doubling(slope: float) -> None:
    drift = fit_drift(line(slope))
    assert drift is not None
    assert drift.low is not None
    assert drift.high is not None
    assert drift.estimate == pytest.approx(slope, abs=0.02)
    assert drift.low < slope < drift.high
    # Five optima known to .05 over four doublings: the slope is known to about .02.
    assert drift.high - drift.low < 0.2


def test_one_size_shows_no_drift() -> None:
    assert fit_drift(line(0.0, sizes=1)) is None


def test_optima_that_are_known_less_say_less() -> None:
    sharp, blunt = fit_drift(line(-0.2)), fit_drift(line(-0.2, sd=0.5))
    assert sharp is not None
    assert blunt is not None
    assert (blunt.high or 0) - (blunt.low or 0) > 2 * ((sharp.high or 0) - (sharp.low or 0))


def test_an_interval_holds_the_drift_that_made_it() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        slope = rng.normal(0, 0.3)
        places = [
            Location(2**i, slope * i + rng.normal(0, 0.1) + rng.normal(0, 0.05), 0.1)
            for i in range(5, 9)
        ]
        drift = fit_drift(places)
        assert drift is not None
        assert drift.low is not None
        assert drift.high is not None
        held += drift.low <= slope <= drift.high
    assert held >= 182  # of 200; at a true coverage of .95 fewer with probability .004


def test_scatter_beyond_the_intervals() -> None:
    def optimum(i: int, x: float, half: float) -> Optimum:
        return Optimum(size=2**i, log2_lr=x, low=x - half, high=x + half, status="ok")

    wild = [optimum(i, x, 0.02) for i, x in enumerate((-5.0, -6.0, -5.0, -6.0), 5)]
    scatter = fit_scatter(wild)
    assert scatter is not None
    assert 0.3 < scatter < 0.9
    assert fit_scatter([optimum(i, -0.5 * i, 0.02) for i in range(5, 9)]) == pytest.approx(0.0)
    assert fit_scatter(wild[:2]) is None
