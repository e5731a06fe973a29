"""What decides, what refuses, and that a verdict never contradicts its interval."""

from dataclasses import replace

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum, OptimumStatus
from lrtransfer.statistics.curves.curve import find_minima
from lrtransfer.statistics.curves.fit import SizeFit, fit_sizes
from lrtransfer.statistics.curves.optimum import allow_corner
from lrtransfer.statistics.regret import (
    DEPTH,
    FINE_RATES,
    Decision,
    RateUsed,
    carry_over,
    decide_transfer,
    draw_depths,
    draw_regrets,
)
from lrtransfer.statistics.simulation import simulate
from lrtransfer.statistics.table import LossCurve

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
    return decide_transfer(RateUsed.exactly(64, x), fit, tolerance=tolerance, at_target=True)


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
    decision = ruled(x, fitted(parabola()))
    assert decision.verdict == verdict
    assert decision.regret is not None
    truth = (x + 5) ** 2 / 48
    assert decision.regret.low is not None
    assert decision.regret.high is not None
    assert decision.regret.low <= truth <= decision.regret.high
    assert decision.regret.estimate == pytest.approx(truth, abs=0.002)


def test_regret_at_the_tolerance_is_open() -> None:
    x = -5 + np.sqrt(0.01 * 48)
    assert ruled(float(x), fitted(parabola(noise=0.03))).verdict == "inconclusive"


def test_the_interval_names_its_quantiles() -> None:
    fit, used = fitted(parabola(noise=0.03)), RateUsed.exactly(64, -4.0)
    once, often = (
        decide_transfer(used, fit, tolerance=0.01, at_target=True, looks=looks).regret
        for looks in (1, 10)
    )
    assert once is not None
    assert often is not None
    levels = [(regret.low_quantile, regret.high_quantile) for regret in (once, often)]
    assert levels == [(0.01, 0.95), pytest.approx((0.001, 0.995))]


def test_looks_share_the_error_of_one() -> None:
    fit, used = fitted(parabola(noise=0.03)), RateUsed.exactly(64, -4.0)
    once, often = (
        decide_transfer(used, fit, tolerance=0.01, at_target=True, looks=looks).regret
        for looks in (1, 10)
    )
    assert fit.draws is not None
    draws, depths = draw_regrets(used, fit.draws), draw_depths(fit.draws)
    assert once is not None
    assert often is not None
    for regret, low, high in ((once, 0.01, 0.95), (often, 0.001, 0.995)):
        assert regret.low == np.quantile(draws, low, method="inverted_cdf")
        assert regret.high == np.quantile(draws + depths, high, method="inverted_cdf")


def test_rate_that_diverges_does_not_transfer() -> None:
    loss = parabola()
    loss[:, 6:] = INF
    decision = ruled(-3.0, fitted(loss))
    assert decision.verdict == "does not transfer"
    assert decision.regret is None
    assert decision.reason == "The optimum of width 64 (2^-3) diverges at width 512."


def test_rate_that_diverges_beside_too_few_finite_ones() -> None:
    fit = fitted([[3.0, 2.0, INF, INF, INF]])
    assert ruled(-7.0, fit).verdict == "does not transfer"
    assert ruled(-8.0, fit).verdict == "inconclusive"


def test_nothing_trains_nothing_is_said() -> None:
    assert ruled(-7.0, fitted([[INF, INF, INF, INF]])).verdict == "inconclusive"


@pytest.mark.parametrize(("x", "side"), [(-10.0, "low"), (-0.5, "high")])
def test_rate_outside_the_rates_tried_is_open(x: float, side: str) -> None:
    decision = ruled(x, fitted(parabola()))
    assert decision.verdict == "inconclusive"
    assert decision.regret is not None
    assert (decision.regret.outside, decision.regret.low, decision.regret.high) == (side, 0.0, None)


def test_edge_can_only_bring_bad_news() -> None:
    fit = fitted(parabola(best=-9.5))
    assert fit.optimum.status == "edge"
    bad, good = ruled(-4.0, fit), ruled(-9.0, fit)
    assert bad.verdict == "does not transfer"
    assert bad.regret is not None
    assert bad.regret.high is None
    assert good.verdict == "inconclusive"


def test_too_few_rates_can_only_bring_bad_news() -> None:
    losses = np.array([3.5, 3.0, 3.1, 3.9]) + np.array([[0.0], [0.01], [0.0]])
    few, enough = fitted(losses[:, : FINE_RATES - 1]), fitted(losses[:, :FINE_RATES])
    assert ruled(-8.0, enough, tolerance=0.2).verdict == "transfers"
    good = ruled(-8.0, few, tolerance=0.2)
    assert good.verdict == "inconclusive"
    assert good.regret is not None
    assert good.regret.high is None
    assert ruled(-9.0, few).verdict == "does not transfer"


def test_a_corner_may_be_as_much_lower_as_the_curve_rises_beside_it() -> None:
    # A parabola rises by c² / 16 to both sides of its minimum, c octaves away.
    x = np.linspace(-9, -1, 401)
    (rough,) = fit_sizes([LossCurve(512, np.arange(-9.0, 0), parabola())])
    assert rough.draws is not None
    best = np.linspace(-5.2, -4.8, 20)
    draws = replace(
        rough.draws,
        log2_lr=x,
        loss=3 + (x - best[:, None]) ** 2 / 16,
        kinks=np.full(20, np.nan),
        rough=1.0,
    )
    low, high = np.quantile(best, (0.025, 0.975))
    corner = allow_corner(draws, float(low), float(high))
    depth = DEPTH * corner**2 / 16
    np.testing.assert_allclose(draw_depths(draws, in_loss_units=True), depth, rtol=0.01)
    np.testing.assert_allclose(draw_depths(draws), depth / rough.columns.best_loss, rtol=0.01)


def test_what_the_true_optimum_costs_is_stated_beside_the_rate_used() -> None:
    fit = fitted(parabola(noise=0.03))
    assert fit.draws is not None
    spread = np.random.default_rng(0).normal(-5, 1, len(fit.draws.loss))
    used = RateUsed(size=64, log2_lr=-5.0, low=-5.0, high=-5.0, draws=spread)
    regret = decide_transfer(used, fit, tolerance=0.01, at_target=True).regret
    assert regret is not None
    # 95 % of the squares of a standard normal number lie below 3.84.
    assert regret.high_of_optimum == pytest.approx(3.84 / 48, rel=0.25)
    assert regret.high is not None
    assert regret.high < 0.01


def test_bounded_rate_is_bad_when_all_it_may_be_is_bad() -> None:
    fit = fitted(parabola())
    bad = RateUsed(size=64, log2_lr=-2.0, low=-3.0, high=INF)
    assert decide_transfer(bad, fit, tolerance=0.01, at_target=True).verdict == "does not transfer"
    open_ = RateUsed(size=64, log2_lr=-2.0, low=-5.5, high=INF)
    decision = decide_transfer(open_, fit, tolerance=0.01, at_target=True)
    assert decision.verdict == "inconclusive"
    assert decision.regret is not None
    assert decision.regret.high is None


def carried(
    x: float | None, low: float | None, high: float | None, status: OptimumStatus
) -> object:
    optimum = Optimum(size=64, log2_lr=x, low=low, high=high, status=status)
    return carry_over(replace(fitted(parabola()), optimum=optimum))


def test_the_rate_used_of_an_optimum_is_its_estimate_with_the_minima_it_may_be() -> None:
    fit = fitted(parabola())
    used = carry_over(fit)
    assert used is not None
    assert fit.draws is not None
    assert (used.size, used.low, used.log2_lr, used.high) == (512, *3 * (fit.optimum.log2_lr,))
    assert used.exact
    np.testing.assert_array_equal(used.draws, find_minima(fit.draws))


def test_the_rate_used_of_a_bound_is_all_that_it_leaves() -> None:
    assert carried(-3.0, -4.0, None, "edge") == RateUsed(size=64, log2_lr=-3.0, low=-4.0, high=INF)
    assert carried(-3.0, None, -2.0, "edge") == RateUsed(size=64, log2_lr=-3.0, low=-INF, high=-2.0)
    assert carried(-3.0, None, None, "edge") is None
    assert carried(None, None, -3.0, "none") is None
    assert carry_over(fitted([[INF, 3.0, INF]])) is None


def test_regret_is_never_negative_and_zero_at_the_minimum() -> None:
    fit = fitted(parabola())
    assert fit.draws is not None
    x = fit.draws.log2_lr
    all_regrets = np.stack([draw_regrets(RateUsed.exactly(1, v), fit.draws) for v in x[::7]])
    assert (all_regrets >= 0).all()
    lowest = fit.draws.loss.argmin(axis=1)
    first = float(x[lowest[0]])
    assert draw_regrets(RateUsed.exactly(1, first), fit.draws)[0] == 0.0


@pytest.mark.parametrize("name", ["skew", "cliff", "quartic"])
def test_verdict_agrees_with_interval(name: str) -> None:
    for i in range(12):
        rng = np.random.default_rng([i, 21])
        curve, best = simulate(name, rng=rng, noise=0.01)
        (fit,) = fit_sizes([curve])
        decision = ruled(best + rng.uniform(-2, 0.5), fit)
        if decision.regret is None:
            continue
        low, high = decision.regret.low, decision.regret.high
        assert low is not None
        assert (decision.verdict == "transfers") == (high is not None and high <= 0.01)
        assert (decision.verdict == "does not transfer") == (low > 0.01)
        assert low <= decision.regret.estimate
        assert high is None or decision.regret.estimate <= high
