"""What the sizes of one scheme learn from each other, and what they do not."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.curve import CurveDraws, find_minima
from lrtransfer.statistics.curves.fit import SizeFit, fit_sizes
from lrtransfer.statistics.simulation import loss_shape
from lrtransfer.statistics.table import LossCurve

X = np.arange(-9.0, 0.0)


def valley(size: int, *, noise: float, seeds: int, x: FloatArray = X, seed: int = 4) -> LossCurve:
    rng = np.random.default_rng([seed, size])
    return LossCurve(
        size, x, 3 + loss_shape("skew", x + 5) + noise * rng.standard_normal((seeds, len(x)))
    )


def draws_of(fit: SizeFit) -> CurveDraws:
    assert fit.draws is not None
    return fit.draws


@pytest.mark.parametrize("noise", [0.0005, 0.01])
def test_a_size_of_one_seed_learns_its_noise_from_the_others(noise: float) -> None:
    many, one = valley(64, noise=noise, seeds=5), valley(128, noise=noise, seeds=1)
    (alone,), (_, beside) = fit_sizes([one]), fit_sizes([many, one])
    found, guessed = draws_of(beside).noise, draws_of(alone).noise
    assert found == pytest.approx(noise, rel=0.5)
    assert abs(np.log(found / noise)) < abs(np.log(guessed / noise))


def test_a_size_of_few_rates_learns_its_curvature_from_the_others() -> None:
    few = valley(256, noise=0.02, seeds=1, x=np.array([-7.0, -5.0, -3.0]))
    others = [valley(size, noise=0.002, seeds=3) for size in (64, 128)]
    (alone,), (*_, beside) = fit_sizes([few]), fit_sizes([*others, few])
    assert find_minima(draws_of(beside)).std() < 0.8 * find_minima(draws_of(alone)).std()


def test_the_order_of_sizes_does_not_matter() -> None:
    curves = [valley(size, noise=0.01, seeds=2) for size in (64, 128, 256)]
    forwards, backwards = fit_sizes(curves), fit_sizes(curves[::-1])
    for one, other in zip(forwards, backwards[::-1], strict=True):
        assert one.columns.size == other.columns.size
        assert one.optimum.log2_lr == pytest.approx(other.optimum.log2_lr, abs=1e-9)
        np.testing.assert_allclose(draws_of(one).loss, draws_of(other).loss, rtol=1e-9)


def test_a_size_without_a_curve_takes_no_part() -> None:
    curves = [valley(size, noise=0.01, seeds=2) for size in (64, 128)]
    gone = LossCurve(256, X, np.full((2, len(X)), np.inf))
    with_it = fit_sizes([*curves, gone])
    assert (with_it[2].draws, with_it[2].location) == (None, None)
    assert [fit.optimum for fit in with_it[:2]] == [fit.optimum for fit in fit_sizes(curves)]


def test_a_constant_added_to_losses_of_any_sign_changes_nothing() -> None:
    curves = [valley(size, noise=0.01, seeds=2) for size in (64, 128)]
    moved = [LossCurve(c.size, c.log2_lr, c.loss - 3.2) for c in curves]
    for one, other in zip(
        fit_sizes(curves, any_sign=True), fit_sizes(moved, any_sign=True), strict=True
    ):
        np.testing.assert_allclose(draws_of(other).loss, draws_of(one).loss - 3.2, atol=1e-6)


def test_a_factor_on_positive_losses_changes_nothing() -> None:
    curves = [valley(size, noise=0.01, seeds=2) for size in (64, 128)]
    larger = [LossCurve(c.size, c.log2_lr, 1e3 * c.loss) for c in curves]
    for one, other in zip(fit_sizes(curves), fit_sizes(larger), strict=True):
        np.testing.assert_allclose(draws_of(other).loss, 1e3 * draws_of(one).loss, rtol=1e-6)
        assert draws_of(other).noise == pytest.approx(1e3 * draws_of(one).noise)


def test_curves_go_through_losses_without_noise() -> None:
    (fit,) = fit_sizes([valley(64, noise=0.0002, seeds=4)])
    draws = draws_of(fit)
    truth = 3 + loss_shape("skew", X + 5)
    seen = draws.loss[:, draws.at_columns]
    np.testing.assert_allclose(np.median(seen, axis=0)[1:6], truth[1:6], atol=0.001)
    inside = (draws.log2_lr > -7) & (draws.log2_lr < -4)
    between = 3 + loss_shape("skew", draws.log2_lr[inside] + 5)
    low, high = np.quantile(draws.loss[:, inside], (0.025, 0.975), axis=0)
    assert ((low <= between) & (between <= high)).mean() > 0.9
