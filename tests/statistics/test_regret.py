"""What decides, what refuses, and that a verdict never contradicts its interval."""

import numpy as np
import pytest

from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.landscapes import simulate
from lrtransfer.statistics.optimum import SizeFit, fit_sizes
from lrtransfer.statistics.regret import Decision, RateUsed, decide, rate_used, regret_draws
from lrtransfer.statistics.table import FloatArray, LossCurve

INF = np.inf


def fitted(loss: object, *, start: float = -9.0) -> SizeFit:
    losses = np.atleast_2d(np.asarray(loss, dtype=np.float64))
    curve = LossCurve(512, np.arange(start, start + losses.shape[1]), losses)
    (fit,) = fit_sizes([curve])
    return fit


def parabola(best: float = -5.0, *, noise: float = 0.001) -> FloatArray:
    rng = np.random.default_rng(1)
    return np.asarray(
        3 + (np.arange(-9.0, 0) - best) ** 2 / 16 + noise * rng.standard_normal((3, 9))
    )


def ruled(x: float, fit: SizeFit, *, tolerance: float = 0.01) -> Decision:
    return decide(RateUsed(64, x, x, x), fit, tolerance=tolerance, at_target=True)


@pytest.mark.parametrize(
    ("x", "verdict"),
    [
        (-5.0, "transfers"),
        (-5.3, "transfers"),
        (-7.0, "does not transfer"),
        (-3.0, "does not transfer"),
    ],
)
def test_known_regret(x: float, verdict: str) -> None:
    # (x + 5)^2 / 16 of a best loss of 3: 0, .19 %, 8.3 % and 8.3 %
    found = ruled(x, fitted(parabola()))
    assert found.verdict == verdict
    assert found.regret is not None
    truth = (x + 5) ** 2 / 48
    assert found.regret.low is not None
    assert found.regret.high is not None
    assert found.regret.low <= truth <= found.regret.high
    assert found.regret.estimate == pytest.approx(truth, abs=0.002)


def test_regret_at_the_tolerance_is_open() -> None:
    x = -5 + np.sqrt(0.01 * 48)
    assert ruled(float(x), fitted(parabola(noise=0.03))).verdict == "inconclusive"


def test_looks_share_the_error_of_one() -> None:
    fit, used = fitted(parabola(noise=0.03)), RateUsed(64, -4.0, -4.0, -4.0)
    once, often = (
        decide(used, fit, tolerance=0.01, at_target=True, looks=looks).regret for looks in (1, 10)
    )
    assert fit.draws is not None
    draws = regret_draws(used, fit.draws)
    assert once is not None
    assert often is not None
    for regret, low, high in ((once, 0.01, 0.95), (often, 0.001, 0.995)):
        assert regret.low == np.quantile(draws, low, method="inverted_cdf")
        assert regret.high == np.quantile(draws, high, method="inverted_cdf")


def test_rate_that_diverges_does_not_transfer() -> None:
    loss = parabola()
    loss[:, 6:] = INF
    found = ruled(-3.0, fitted(loss))
    assert found.verdict == "does not transfer"
    assert found.regret is None
    assert found.reason == "The optimum of width 64 (2^-3) diverges at width 512."


def test_rate_that_diverges_beside_too_few_finite_ones() -> None:
    fit = fitted([[3.0, 2.0, INF, INF, INF]])
    assert ruled(-7.0, fit).verdict == "does not transfer"
    assert ruled(-8.0, fit).verdict == "inconclusive"


def test_nothing_trains_nothing_is_said() -> None:
    assert ruled(-7.0, fitted([[INF, INF, INF, INF]])).verdict == "inconclusive"


@pytest.mark.parametrize(("x", "side"), [(-10.0, "low"), (-0.5, "high")])
def test_rate_outside_the_rates_tried_is_open(x: float, side: str) -> None:
    found = ruled(x, fitted(parabola()))
    assert found.verdict == "inconclusive"
    assert found.regret is not None
    assert (found.regret.outside, found.regret.low, found.regret.high) == (side, 0.0, None)


def test_edge_can_only_bring_bad_news() -> None:
    fit = fitted(parabola(best=-9.5))
    assert fit.optimum.status == "edge"
    bad, good = ruled(-4.0, fit), ruled(-9.0, fit)
    assert bad.verdict == "does not transfer"
    assert bad.regret is not None
    assert bad.regret.high is None
    assert good.verdict == "inconclusive"


def test_four_rates_can_only_bring_bad_news() -> None:
    loss = [[3.5, 3.0, 3.1, 3.9], [3.51, 3.01, 3.11, 3.91], [3.5, 3.0, 3.1, 3.9]]
    fit = fitted(loss)
    good = ruled(-8.0, fit, tolerance=0.1)
    assert good.verdict == "inconclusive"
    assert good.regret is not None
    assert good.regret.high is None
    assert ruled(-6.0, fit).verdict == "does not transfer"


def test_bounded_rate_is_bad_when_all_it_may_be_is_bad() -> None:
    fit = fitted(parabola())
    bad = RateUsed(64, -2.0, -3.0, INF)
    assert decide(bad, fit, tolerance=0.01, at_target=True).verdict == "does not transfer"
    open_ = RateUsed(64, -2.0, -5.5, INF)
    found = decide(open_, fit, tolerance=0.01, at_target=True)
    assert found.verdict == "inconclusive"
    assert found.regret is not None
    assert found.regret.high is None


def test_rate_used() -> None:
    assert rate_used(Optimum(64, -5.0, -5.5, -4.5, "ok")) == RateUsed(64, -5.0, -5.0, -5.0)
    assert rate_used(Optimum(64, -3.0, -4.0, None, "edge")) == RateUsed(64, -3.0, -4.0, INF)
    assert rate_used(Optimum(64, -3.0, None, None, "edge")) is None
    assert rate_used(Optimum(64, None, None, -3.0, "none")) is None


def test_regret_is_never_negative_and_zero_at_the_minimum() -> None:
    fit = fitted(parabola())
    assert fit.draws is not None
    x = fit.draws.log2_lr
    all_regrets = np.stack([regret_draws(RateUsed(1, v, v, v), fit.draws) for v in x[::7]])
    assert (all_regrets >= 0).all()
    lowest = fit.draws.loss.argmin(axis=1)
    first = float(x[lowest[0]])
    assert regret_draws(RateUsed(1, first, first, first), fit.draws)[0] == 0.0


@pytest.mark.parametrize("name", ["skew", "cliff", "quartic"])
def test_verdict_agrees_with_interval(name: str) -> None:
    for i in range(12):
        rng = np.random.default_rng([i, 21])
        curve, best = simulate(name, rng=rng, noise=0.01)
        (fit,) = fit_sizes([curve])
        found = ruled(best + rng.uniform(-2, 0.5), fit)
        if found.regret is None:
            continue
        low, high = found.regret.low, found.regret.high
        assert low is not None
        assert (found.verdict == "transfers") == (high is not None and high <= 0.01)
        assert (found.verdict == "does not transfer") == (low > 0.01)
        assert low <= found.regret.estimate
        assert high is None or found.regret.estimate <= high
