"""The trend over sizes against integrals, dense algebra and simulation."""

import math

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.axis import AxisName
from lrtransfer.statistics.trend import (
    LEAST_VARIANCE,
    PRIORS,
    Location,
    NormalMixture,
    TrendPrior,
    covary,
    least_octaves,
    measure_drift,
    predict_optimum,
    weigh_sizes,
)


@pytest.mark.parametrize("prior", PRIORS.values(), ids=list(PRIORS))
def test_weights_of_a_prior_sum_to_one(prior: TrendPrior) -> None:
    assert np.exp(prior.models[:, -1]).sum() == pytest.approx(1.0)


def integrate(t: float, other: float, *, decay: float, wander: float, first: float) -> float:
    """Return Cov(z(t), z(t')) as an integral over the noise, by the midpoint rule."""

    def reach(to: float, since: FloatArray) -> FloatArray:
        left = np.maximum(to - since, 0.0)
        return np.asarray(left if decay == 0 else -np.expm1(-decay * left) / decay)

    end = min(t, other)
    since = (np.arange(4000) + 0.5) / 4000 * end
    noise = (reach(t, since) * reach(other, since)).mean() * end
    start = reach(t, np.zeros(1)) * reach(other, np.zeros(1))
    return float(first**2 * start[0] + wander**2 * noise)


@pytest.mark.parametrize("decay", [0.35, 1.0, 2.0])
@pytest.mark.parametrize("wander", [0.0, 0.7])
def test_covariance_is_that_of_a_fading_slope(decay: float, wander: float) -> None:
    t = np.array([0.0, 0.6, 1.0, 3.5])
    models = np.array([[decay, wander, 0.4, 0.1, 0.0]])
    expected = [[integrate(a, b, decay=decay, wander=wander, first=0.4) for b in t] for a in t]
    np.testing.assert_allclose(covary(t, models)[0], expected, atol=1e-4)


def test_without_decay_the_slope_lasts() -> None:
    t = np.array([1.0, 3.0])
    lasting = covary(t, np.array([[0.0, 0.2, 0.4, 0.1, 0.0]]))[0]
    expected = [[integrate(a, b, decay=0.0, wander=0.2, first=0.4) for b in t] for a in t]
    np.testing.assert_allclose(lasting, expected, rtol=0.03)  # a decay of .01


def predict_densely(
    optima: list[Location], size: int, prior: TrendPrior
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return weights, means and variances, the level a normal of sd 1000 instead of flat."""
    sizes = np.log2([place.size for place in optima] + [size])
    t = sizes - sizes.min()
    x = np.array([place.log2_lr for place in optima])
    logs, means, variances = [], [], []
    for decay, wander, first, scatter, weight in prior.models:
        every = [
            [integrate(a, b, decay=max(decay, 1e-2), wander=wander, first=first) for b in t]
            for a in t
        ]
        full = np.array(every) + 1e6 + scatter**2 * np.eye(len(t))
        noise = np.diag([place.sd**2 + LEAST_VARIANCE for place in optima])
        data, cross = full[:-1, :-1] + noise, full[:-1, -1]
        gain = np.linalg.solve(data, cross)
        means.append(gain @ x)
        variances.append(full[-1, -1] - gain @ cross)
        log_det = np.linalg.slogdet(data)[1]
        logs.append(weight - (log_det + x @ np.linalg.solve(data, x)) / 2)
    weights = np.exp(np.array(logs) - max(logs))
    return weights / weights.sum(), np.array(means), np.array(variances)


@pytest.mark.parametrize("axis", ["width", "steps"])
def test_prediction_is_kriging_averaged_over_the_prior(axis: AxisName) -> None:
    optima = [Location(64, -5.0, 0.1), Location(128, -5.6, 0.2), Location(512, -6.1, 0.1)]
    where = predict_optimum(optima, size=1024, axis=axis)
    weights, means, variances = predict_densely(optima, 1024, PRIORS[axis])
    mean = weights @ means
    assert where.mean == pytest.approx(mean, abs=2e-3)
    spread = weights @ (variances + (means - mean) ** 2)
    assert where.sd == pytest.approx(math.sqrt(spread), rel=5e-3)


def test_a_mixture_has_its_quantiles_and_moments() -> None:
    mixture = NormalMixture(np.array([0.3, 0.7]), np.array([-1.0, 2.0]), np.array([0.5, 1.5]))
    draws = mixture.draw(200_000, np.random.default_rng(0))
    for share in (0.025, 0.5, 0.975):
        assert (draws < mixture.quantile(share)).mean() == pytest.approx(share, abs=3e-3)
    assert mixture.mean == pytest.approx(0.3 * -1 + 0.7 * 2)
    x = np.linspace(-15, 15, 3001)
    assert (mixture.density(x) * 0.01).sum() == pytest.approx(1.0)
    assert (mixture.density(x) * x * 0.01).sum() == pytest.approx(mixture.mean)
    assert mixture.sd == pytest.approx(draws.std(), rel=0.01)


def test_a_lasting_drift_goes_on_and_a_fading_one_less() -> None:
    line = [Location(2**i, -i / 2, 0.02) for i in range(5, 9)]
    along_width = predict_optimum(line, size=2**9).mean
    along_batch = predict_optimum(line, size=2**9, axis="batch").mean
    assert -4.6 < along_width < -4.3
    assert along_width < along_batch <= -4.0


def test_what_bends_inside_is_followed() -> None:
    bent = [Location(2**i, x, 0.02) for i, x in enumerate((-4.0, -5.0, -5.5, -5.7, -5.75), 5)]
    assert -6.1 < predict_optimum(bent, size=2**10).mean < -5.6


def test_farther_is_less_certain_and_more_sizes_are_more() -> None:
    places = [Location(2**i, -6.0, 0.1) for i in range(5, 10)]
    sds = [predict_optimum(places, size=2**i).sd for i in (10, 11, 12)]
    assert sds == sorted(sds)
    assert predict_optimum(places[2:], size=2**10).sd > sds[0]


def test_drift_is_the_slope_of_the_level() -> None:
    line = [Location(2**i, -0.3 * i, 0.02) for i in range(5, 10)]
    drift = measure_drift(line)
    assert drift.mean == pytest.approx(-0.3, abs=0.02)
    assert drift.sd < 0.05


def test_weights_of_sizes_predict_any_common_level() -> None:
    weights = weigh_sizes([64, 128, 256], target=512)
    assert weights.sum() == pytest.approx(1.0)
    assert weights[-1] > weights[0]


def test_least_octaves_is_what_no_further_run_takes_away() -> None:
    assert least_octaves([64, 128], target=256) > least_octaves([64, 128, 256], target=512)
