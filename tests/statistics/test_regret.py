"""What decides, what refuses, and that a verdict never contradicts its interval."""

from dataclasses import replace

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.curves.fit import SizeFit, fit_sizes
from lrtransfer.statistics.regret import (
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
    draws = draw_regrets(used, fit.draws)
    assert once is not None
    assert often is not None
    deeper = draws + draw_depths(fit.draws)
    for regret, low, high in ((once, 0.01, 0.95), (often, 0.001, 0.995)):
        assert regret.low == np.quantile(draws, low, method="inverted_cdf")
        assert regret.high == np.quantile(deeper, high, method="inverted_cdf")


@pytest.mark.parametrize(("x", "cost"), [(-5.0, 0.3), (-3.0, -0.01)])
def test_the_interval_holds_what_was_measured_at_the_rate_itself(x: float, cost: float) -> None:
    # Curves say 0 and 8.3 % of these rates; their own runs measured 10 % and nothing.
    fit = fitted(parabola())
    columns = fit.columns
    loss = columns.loss.copy()
    loss[columns.log2_lr == x] = loss.min() + cost
    told = replace(fit, columns=replace(columns, loss=loss))
    seen = float(loss[columns.log2_lr == x][0] - loss.min()) / columns.best_loss
    near, apart = (ruled(rate, told).regret for rate in (x, x + 0.4))
    assert near is not None
    assert apart is not None
    assert near.low is not None
    assert near.high is not None
    assert near.low <= seen <= near.high
    assert (near.high if cost > 0 else near.low) == pytest.approx(seen)
    assert apart.high != pytest.approx(seen)  # a rate that was not tried has no run of its own


def test_a_corner_may_be_deeper_than_curves_show() -> None:
    fit = fitted([[3.5, 3.0, 3.1, 3.9]])
    assert fit.draws is not None
    depths = draw_depths(fit.draws)
    assert (depths >= 0).all()
    assert depths.max() > 0
    in_loss = draw_depths(fit.draws, in_loss_units=True)
    np.testing.assert_allclose(in_loss, depths * fit.columns.best_loss)


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


def test_three_rates_can_only_bring_bad_news() -> None:
    loss = [[3.5, 3.0, 3.6], [3.51, 3.01, 3.61], [3.5, 3.0, 3.6]]
    fit = fitted(loss)
    good = ruled(-8.0, fit, tolerance=0.1)
    assert good.verdict == "inconclusive"
    assert good.regret is not None
    assert good.regret.high is None
    assert ruled(-7.0, fit).verdict == "does not transfer"


def test_bounded_rate_is_bad_when_all_it_may_be_is_bad() -> None:
    fit = fitted(parabola())
    bad = RateUsed(size=64, log2_lr=-2.0, low=-3.0, high=INF)
    assert decide_transfer(bad, fit, tolerance=0.01, at_target=True).verdict == "does not transfer"
    open_ = RateUsed(size=64, log2_lr=-2.0, low=-5.5, high=INF)
    decision = decide_transfer(open_, fit, tolerance=0.01, at_target=True)
    assert decision.verdict == "inconclusive"
    assert decision.regret is not None
    assert decision.regret.high is None


def test_rate_used() -> None:
    fit = fitted(parabola())

    def used(optimum: Optimum) -> RateUsed | None:
        return carry_over(replace(fit, optimum=optimum))

    known = used(Optimum(size=64, log2_lr=-5.0, low=-5.5, high=-4.5, status="ok"))
    assert known is not None
    assert (known.size, known.log2_lr, known.low, known.high) == (64, -5.0, -5.0, -5.0)
    assert used(Optimum(size=64, log2_lr=-3.0, low=-4.0, high=None, status="edge")) == RateUsed(
        size=64, log2_lr=-3.0, low=-4.0, high=INF
    )
    assert used(Optimum(size=64, log2_lr=-3.0, low=None, high=None, status="edge")) is None
    assert used(Optimum(size=64, log2_lr=None, low=None, high=-3.0, status="none")) is None


def test_the_true_optimum_may_cost_more_than_the_rate_that_estimates_it() -> None:
    fit = fitted(parabola(noise=0.03))
    used = carry_over(fitted(parabola(best=-4.6, noise=0.03)))
    assert used is not None
    regret = decide_transfer(used, fit, tolerance=0.01, at_target=True).regret
    assert regret is not None
    assert regret.high is not None
    assert regret.high_of_optimum is not None
    assert regret.high_of_optimum > regret.high
    exact = RateUsed.exactly(64, used.log2_lr)
    known = decide_transfer(exact, fit, tolerance=0.01, at_target=True).regret
    assert known is not None
    assert (known.high, known.high_of_optimum) == (regret.high, regret.high)


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
