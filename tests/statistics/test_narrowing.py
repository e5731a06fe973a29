"""What would narrow a prediction, and whether it then does."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from lrtransfer.statistics.answer import Evidence, Narrowing, Prediction
from lrtransfer.statistics.curves.fit import SizeFit, fit_sizes
from lrtransfer.statistics.narrowing import find_narrowing
from lrtransfer.statistics.prediction import list_locations, predict
from lrtransfer.statistics.table import LossCurve


def make_curve(size: int, rates: Sequence[float], *, seeds: int = 1) -> LossCurve:
    x = np.array(rates)
    rng = np.random.default_rng([size, len(x)])
    noise = 0.002 * rng.standard_normal((seeds, len(x)))
    return LossCurve(size=size, log2_lr=x, loss=3 + (x + 6.3) ** 2 / 16 + noise)


def fit(spacing: float, *, seeds: int = 1, sizes: Sequence[int] = (64, 128, 256)) -> list[SizeFit]:
    rates = np.arange(-11.0, -1.0, spacing).tolist()
    return list(fit_sizes([make_curve(size, rates, seeds=seeds) for size in sizes]))


def octaves(prediction: Prediction | None) -> float:
    assert prediction is not None
    return math.log2(prediction.high / prediction.low)


def narrow(fits: list[SizeFit], target: int) -> Narrowing:
    narrowing = find_narrowing("mup", fits, predict(fits, size=target))
    assert narrowing is not None
    return narrowing


def test_far_targets_ask_for_a_size_between() -> None:
    fits = fit(0.5)
    narrowing = narrow(fits, 4096)
    assert narrowing.runs.size == 512
    assert narrowing.octaves == pytest.approx(octaves(predict(fits, size=4096)))
    # 20 rates at 512² beside 20 rates at each of 64², 128², 256²
    assert narrowing.runs.runs == 20
    assert narrowing.runs.cost == pytest.approx(512**2 / (64**2 + 128**2 + 256**2))
    assert str(narrowing).startswith("add runs at width 512 (scheme mup): 20 runs, about 305 %")


def test_coarse_rates_are_halved() -> None:
    narrowing = narrow(fit(2.0), 512)
    assert "halfway" in narrowing.runs.action
    assert all(rate % 2 == 0 for rate in narrowing.runs.log2_lr)  # tried: -11, -9, …
    assert min(narrowing.runs.log2_lr) < -6.3 < max(narrowing.runs.log2_lr)


@pytest.mark.parametrize("target", [512, 1024, 4096])
@pytest.mark.parametrize("spacing", [1.0, 2.0])
def test_what_is_expected_is_what_comes(spacing: float, target: int) -> None:
    fits = fit(spacing)
    narrowing = narrow(fits, target)
    rates = {place.columns.size: place.columns.tried.tolist() for place in fits}
    rates.setdefault(narrowing.runs.size, [])
    rates[narrowing.runs.size] = sorted({*rates[narrowing.runs.size], *narrowing.runs.log2_lr})
    after = fit_sizes([make_curve(size, x) for size, x in rates.items()])
    got = octaves(predict(after, size=target))
    assert got < 0.95 * narrowing.octaves
    assert got == pytest.approx(narrowing.expected, rel=0.35)


def test_nothing_is_proposed_where_nothing_is_stated_or_gained() -> None:
    fits = fit(1.0)
    assert find_narrowing("mup", fits, None) is None
    dense = fit(0.25, seeds=3, sizes=(64, 96, 128, 192, 256, 384))
    assert max(place.sd for place in list_locations(dense)) < 0.1
    assert find_narrowing("mup", dense, predict(dense, size=256)) is None


def test_it_is_said_in_one_line() -> None:
    runs = Evidence(action="add runs", size=512, log2_lr=(-6.0,), runs=1, cost=2.4)
    line = str(Narrowing(runs=runs, octaves=1.61, expected=1.12))
    assert line == (
        "add runs: 1 run, about 240 % of the training so far; interval 1.6 -> 1.1 octaves"
    )
