"""Which runs narrow an answer: against Gaussian arithmetic, and in cases with an obvious choice."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics import design as module
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.design import (
    Addition,
    CurveState,
    RateCriterion,
    RegretCriterion,
    choose,
)
from lrtransfer.statistics.simulation import loss_shape
from lrtransfer.statistics.table import LossCurve

BASE, WIDE = ("mup", 64), ("mup", 256)
RATES = np.arange(-48, -7) / 4.0


def state_of(key: tuple[str, int], x: FloatArray, *, best: float, cost: float = 1.0) -> CurveState:
    """Return the state of a skewed valley tried at these rates by seed 0."""
    loss = 3 + loss_shape("skew", x - best)
    (fit,) = fit_sizes([LossCurve(key[1], x, loss[None])])
    assert fit.draws is not None
    return CurveState(draws=fit.draws, tried={0: frozenset(x.tolist())}, rates=RATES, cost=cost)


def wide_state(**options: float) -> CurveState:
    return state_of(WIDE, np.arange(-12.0, -1.9, 2.0), best=-7.1, **options)


def test_updated_draws_have_the_variance_of_the_posterior() -> None:
    state = wide_state()
    at, variance = np.array([60, 80]), 0.01
    covariance = variance * np.eye(2)
    rng = np.random.default_rng(0)
    loss = module._condition(state.draws, at, covariance, rng.standard_normal((1000, 3))).loss
    seen = state.draws.loss[:, [*at, 70]]
    joint = np.cov(seen.T, bias=True)
    gain = np.linalg.solve(joint[:2, :2] + covariance, joint[:2, 2])
    expected = joint[2, 2] - gain @ joint[:2, 2]
    assert loss[:, 70].var() == pytest.approx(expected, rel=0.15)
    assert loss[:, 70].mean() == pytest.approx(seen[:, 2].mean(), abs=0.1 * seen[:, 2].std())


def test_one_run_of_a_new_seed_tells_its_own_shift_alone() -> None:
    state, criterion = wide_state(), RateCriterion({WIDE: 1.0}, 1.0)
    curves = module._thin(state.draws)
    before = criterion.spread({WIDE: curves})
    noise = np.random.default_rng(0).standard_normal((1000, 3))

    def after(rates: tuple[float, ...], seed: int) -> float:
        addition = Addition(key=WIDE, log2_lr=rates, seed=seed, before=before, after=before)
        ((_, outcome),) = module._predict_outcomes(curves, addition, state, noise)
        return criterion.spread({WIDE: outcome})

    assert after((-7.0,), 1) == pytest.approx(before, rel=0.02)
    assert after((-7.0,), 0) < 0.95 * before
    assert after((-8.0, -7.5, -7.0), 1) < 0.9 * before


def test_runs_of_a_new_seed_tell_differences_up_to_their_noise() -> None:
    state = wide_state()
    curves = module._thin(state.draws)
    addition = Addition(key=WIDE, log2_lr=(-8.0, -7.0, -6.0), seed=1, before=1.0, after=1.0)
    noise = np.random.default_rng(0).standard_normal((1000, 3))
    ((_, outcome),) = module._predict_outcomes(curves, addition, state, noise)
    one, other = (int(np.abs(curves.log2_lr - x).argmin()) for x in (-7.0, -6.0))
    known = (outcome.loss[:, one] - outcome.loss[:, other]).std()
    assert (curves.loss[:, one] - curves.loss[:, other]).std() > 5 * known
    assert known == pytest.approx(2**0.5 * curves.noise, rel=0.15)


def test_the_gap_around_the_optimum_is_tried_first() -> None:
    state = wide_state()
    (first, *_) = choose(
        {WIDE: state}, [RateCriterion({WIDE: 1.0}, 1.0)], allowance=1, rng=np.random.default_rng(0)
    )
    assert len(first.log2_lr) == 1
    assert -10 < first.log2_lr[0] < -4
    assert first.log2_lr[0] not in state.tried[0]
    assert first.after < first.before


def test_cheap_widths_are_preferred_and_others_left_alone() -> None:
    states = {
        BASE: state_of(BASE, np.arange(-12.0, -1.9, 2.0), best=-7.1),
        WIDE: wide_state(cost=1000.0),
    }
    criterion = RateCriterion({BASE: 1.0, WIDE: 1.0}, 1.0)
    additions = choose(states, [criterion], allowance=4, rng=np.random.default_rng(0))
    assert {addition.key for addition in additions} == {BASE}
    alone = choose(
        states, [RateCriterion({WIDE: 1.0}, 1.0)], allowance=1, rng=np.random.default_rng(0)
    )
    assert {addition.key for addition in alone} == {WIDE}


def test_a_criterion_without_its_curves_asks_for_nothing() -> None:
    criterion = RegretCriterion(BASE, WIDE, 0.01)
    assert (
        choose({WIDE: wide_state()}, [criterion], allowance=5, rng=np.random.default_rng(0)) == ()
    )


def test_beside_a_cliff_a_run_tells_its_side() -> None:
    x = np.arange(-12.0, -3.0)
    loss = np.where(x > -6, np.inf, 3 + loss_shape("falling", x + 5.5))
    (fit,) = fit_sizes([LossCurve(256, x, loss[None])])
    assert fit.draws is not None
    state = CurveState(draws=fit.draws, tried={0: frozenset(x.tolist())}, rates=RATES, cost=1.0)
    addition = Addition(key=WIDE, log2_lr=(-5.5,), seed=0, before=1.0, after=1.0)
    noise = np.zeros((1000, 3))
    (one, trains), (other, diverges) = module._predict_outcomes(fit.draws, addition, state, noise)
    assert one + other == pytest.approx(1)
    at = int(np.abs(fit.draws.log2_lr + 5.5).argmin())
    assert np.isfinite(trains.loss[:, at]).all()
    assert np.isinf(diverges.loss[:, at]).all()


def test_regrets_beyond_a_few_tolerances_are_equally_bad() -> None:
    base = state_of(BASE, np.arange(-12.0, -1.9), best=-3.2).draws  # its optimum is useless at WIDE
    criterion = RegretCriterion(BASE, WIDE, 0.001)
    assert criterion.spread({BASE: base, WIDE: wide_state().draws}) == pytest.approx(0, abs=1e-9)
