"""The regret to be expected at a width that was not measured."""

from collections.abc import Callable

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Regret
from lrtransfer.statistics.table import Observation, RunTable
from lrtransfer.statistics.transfer import judge

WIDTHS = (64, 128, 256, 512)


def parabola(d: FloatArray) -> FloatArray:
    return d**2 / 16


def skew(d: FloatArray) -> FloatArray:
    rises: FloatArray = (2.0**d - np.log(2) * d - 1) / 8
    return rises


def expected(
    *,
    drift: float,
    curvature: float = 0.0,
    target: int = 2048,
    shape: Callable[[FloatArray], FloatArray] = parabola,
) -> Regret | None:
    """Judge valleys with known drift and curvature; return what is expected at the target."""
    rng, rows = np.random.default_rng(1), []
    for k, width in enumerate(WIDTHS):
        for x in range(-12, -2):
            for seed in range(3):
                loss = 3 + 2.0 ** (curvature * k) * shape(np.array(x + 7 - drift * k))
                loss += 0.001 * rng.standard_normal()
                rows.append(Observation("mup", width, 2.0**x, seed, float(loss)))
    answer = judge(RunTable(tuple(rows)), target=target)["mup"]
    expectations = [regret for regret in answer.regrets if not regret.measured]
    assert len(expectations) <= 1
    return expectations[0] if expectations else None


@pytest.mark.parametrize(("drift", "curvature"), [(0, 0), (-0.3, 0), (-0.3, 0.2), (0.2, -0.2)])
def test_the_interval_holds_the_truth(drift: float, curvature: float) -> None:
    regret = expected(drift=drift, curvature=curvature)
    assert regret is not None
    assert regret.low is not None
    assert regret.high is not None
    assert regret.size == 2048
    assert (regret.low_quantile, regret.high_quantile) == (0.025, 0.975)
    truth = 2.0 ** (5 * curvature) / 16 * (regret.log2_lr + 7 - 5 * drift) ** 2 / 3
    assert regret.low <= truth <= regret.high
    assert regret.low <= regret.estimate <= regret.high
    assert regret.best_loss == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("curvature", [0.4, -0.4])
def test_the_trend_of_the_curvature_is_followed(curvature: float) -> None:
    regret = expected(drift=-0.3, curvature=curvature)
    assert regret is not None
    truth = 2.0 ** (5 * curvature) / 16 * (regret.log2_lr + 7 + 5 * 0.3) ** 2 / 3
    assert regret.estimate == pytest.approx(truth, rel=0.3)


@pytest.mark.parametrize("drift", [-0.3, 0.3])
def test_the_valley_is_climbed_on_its_own_side(drift: float) -> None:
    # Steep to the right, flat to the left: the two sides differ by half.
    regret = expected(drift=drift, shape=skew)
    assert regret is not None
    truth = float(skew(np.array(regret.log2_lr + 7 - 5 * drift))) / 3
    assert regret.estimate == pytest.approx(truth, rel=0.25)


def test_a_drift_makes_the_target_dearer() -> None:
    still, moving = expected(drift=0), expected(drift=-0.5)
    assert still is not None
    assert moving is not None
    assert moving.estimate > 10 * still.estimate


def test_farther_is_less_certain() -> None:
    near, far = expected(drift=-0.3, target=1024), expected(drift=-0.3, target=4096)
    assert near is not None
    assert far is not None
    assert near.high is not None
    assert far.high is None or far.high > near.high


def test_a_measured_target_needs_no_expectation() -> None:
    assert expected(drift=0, target=512) is None
