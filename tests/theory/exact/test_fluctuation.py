"""Spread and bias of the optimum, and their law after one step."""

import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses, finite_trajectory
from lrtransfer.theory.exact.first_step_variance import (
    first_step_variance,
    second_order,
    start_influence,
)
from lrtransfer.theory.exact.fluctuation import fluctuation
from lrtransfer.theory.exact.optimum import limit_optimum
from lrtransfer.theory.exact.polynomial import loss_polynomial
from lrtransfer.theory.regression import Regression, draw_regression

from ..problems import SETTINGS, problem


def drawn_optima(setting: Problem, *, width: int, draws: int) -> np.ndarray:
    """Return optima after one step at depth 1 from the few numbers that they depend on.

    With G = W_0ᵀ W_0 (d, d), φ(0) ~ N(0, G ‖V‖² / n) given the rest, and one step moves outputs by
    −η n ‖V‖² X G Xᵀ e: so very wide networks cost no more than narrow ones.
    """
    rng = np.random.default_rng(0)
    data = setting.data
    x, y, (count, d) = data.inputs, data.targets[:, 0], data.inputs.shape
    # Bartlett: G is A Aᵀ / d with A lower triangular, χ on the diagonal.
    a = np.tril(rng.standard_normal((draws, d, d)), -1)
    a[:, range(d), range(d)] = np.sqrt(rng.chisquare(width - np.arange(d), (draws, d)))
    norm = rng.chisquare(width, draws) / width  # n ‖V‖²
    weights = np.einsum("mij,mj->mi", a, rng.standard_normal((draws, d)))
    f = (weights * np.sqrt(norm / d)[:, None] / width) @ x.T
    gradient = (f - y) @ x / count
    kernel = np.einsum("mij,mkj,mk->mi", a, a, gradient) / (d * width)
    step = -norm[:, None] * (kernel @ x.T)
    optima: np.ndarray = -((f - y) * step).sum(axis=1) / (step**2).sum(axis=1)
    return optima


@pytest.mark.parametrize("data", [draw_regression(count=50, dimension=4, noise=0.3, seed=3), None])
def test_the_variance_at_depth_1(data: Regression | None) -> None:
    setting = problem(depth=1) if data is None else Problem(data, depth=1)
    variance = first_step_variance(setting)
    assert variance is not None
    optima = drawn_optima(setting, width=50_000, draws=40_000)
    assert 50_000 * optima.var() == pytest.approx(variance, rel=0.04)
    assert optima.mean() == pytest.approx(limit_optimum(setting, steps=1).lr, rel=1e-3)


def variance_ratio(depth: int, *, width: int, pairs: int) -> float:
    """Return the variance of draws at a width as a multiple of the closed form.

    To first order η_n − η is −ℓ'_n(η) / ℓ'', whose variance needs no minimisation.
    """
    setting = Problem(draw_regression(count=200, dimension=5, noise=0.1, seed=4), depth=depth)
    lr, data = limit_optimum(setting, steps=1).lr, setting.data
    curvature = ((depth * data.pull / data.count) ** 2).sum() / data.count
    squares = []
    for seed in range(pairs):
        weights = draw_weights(setting, width=width, seed=seed)
        for draw in (weights, weights.mirror()):
            loss = finite_losses(setting, draw, np.array([lr + 1e-30j]), steps=1)[0, -1]
            squares.append((loss.imag / 1e-30 / curvature) ** 2)
    variance = first_step_variance(setting)
    assert variance is not None
    return float(width * np.mean(squares) / variance)


@pytest.mark.parametrize("depth", [2, 3])
def test_the_variance_at_other_depths(depth: int) -> None:
    assert 0.85 < variance_ratio(depth, width=256, pairs=300) < 1.6  # 1 + c/n with c about 60


@pytest.mark.slow
def test_the_coefficient_of_the_squared_rate() -> None:
    setting = Problem(draw_regression(count=200, dimension=5, noise=0.1, seed=4), depth=4)
    rho = setting.data.targets[:, 0] / setting.data.count
    a = setting.data.pull[:, 0] / setting.data.count
    start, square = [], []
    for seed in range(200):
        output = loss_polynomial(setting, steps=1, width=512, seed=seed).output[:, :, 0]
        start.append(rho @ output[0])
        square.append(output[2] @ a / (a @ a))
    slope = np.dot(start, square) / np.dot(start, start)
    noise = np.var(np.array(square) - slope * np.array(start))
    cubic, pairs = second_order(4)
    assert slope == pytest.approx(cubic, rel=0.1)
    assert 512 * noise / (rho @ a) == pytest.approx(pairs, rel=0.35)


def test_what_outputs_before_training_do() -> None:
    # They change sign with V, while what else moves the optimum to this order does not or is noise.
    setting = Problem(draw_regression(count=200, dimension=3, noise=0.3, seed=4), depth=3)
    lr, data = limit_optimum(setting, steps=1).lr, setting.data
    moved = ((setting.depth * data.pull / data.count) ** 2).sum() / data.count
    starts, odd = [], []
    for seed in range(150):
        weights = draw_weights(setting, width=512, seed=seed)
        slopes = [
            finite_losses(setting, draw, np.array([lr + 1e-30j]), steps=1)[0, -1].imag / 1e-30
            for draw in (weights, weights.mirror())
        ]
        odd.append((slopes[1] - slopes[0]) / (2 * moved))
        starts.append(finite_trajectory(setting, weights, np.zeros(1), steps=0)[0, 0, :, 0])
    slopes_by_start = np.linalg.lstsq(np.array(starts), np.array(odd), rcond=None)[0]
    projected = data.basis.T @ data.inputs.T @ start_influence(setting)
    expected = -projected / (moved * data.count)
    assert np.linalg.norm(slopes_by_start - expected) < 0.1 * np.linalg.norm(expected)


@pytest.mark.slow
def test_the_variance_at_depth_3() -> None:
    assert variance_ratio(3, width=1024, pairs=2500) == pytest.approx(1.05, abs=0.1)


@pytest.mark.parametrize("name", ["weight decay", "all layers", "minibatches", "two outputs"])
def test_no_variance_is_claimed_elsewhere(name: str) -> None:
    assert first_step_variance(problem(depth=2, **SETTINGS[name])) is None


@pytest.mark.slow
def test_spread_bias_and_band() -> None:
    setting = Problem(draw_regression(count=500, dimension=1, noise=0.1, seed=123), depth=2)
    result = fluctuation(setting, steps=1, widths=[32, 64, 128, 256, 512], seeds=120)
    assert result.limit == pytest.approx(limit_optimum(setting, steps=1).lr)
    assert result.spread.low < -0.5 < result.spread.high < 0
    assert result.bias.low < -1 < result.bias.high < 0
    assert result.variance == pytest.approx(first_step_variance(setting))
    low, high = result.band(512)
    inside = np.mean([(low < lr < high) for lr in result.scatters[-1].lrs.ravel()])
    assert inside == pytest.approx(0.95, abs=0.04)
    assert result.scatters[-1].sd == pytest.approx(result.scatters[-1].lrs.std(), rel=0.01)


def test_later_steps_are_measured() -> None:
    setting = Problem(draw_regression(count=200, dimension=10, noise=0.1, seed=5), depth=2)
    limit = limit_optimum(setting, steps=2)
    result = fluctuation(
        setting, steps=2, widths=[32, 64, 128, 256], seeds=40, interval=(0, 2 * limit.lr)
    )
    assert result.variance is None
    assert result.spread.low < -0.5 < result.spread.high < 0
    half = np.subtract(*result.band(256)[::-1]) / 2
    assert half == pytest.approx(1.96 * result.scatters[-1].sd, rel=1e-3)


def test_several_limits_are_refused() -> None:
    setting = Problem(Regression([[1.0], [2.0]], [2.0, 4.0]), depth=3)
    with pytest.raises(UserError, match="got a limit with several minimisers"):
        fluctuation(setting, steps=2, widths=[8, 16, 32], seeds=2)


def test_an_interval_beside_the_optima_is_refused() -> None:
    with pytest.raises(UserError, match="at an end of which every optimum of width 8 lies"):
        fluctuation(problem(depth=1), steps=1, widths=[8, 16, 32], seeds=2, interval=(0, 1e-4))


def test_too_few_widths_are_refused() -> None:
    with pytest.raises(UserError, match="wanted at least three different widths"):
        fluctuation(problem(depth=1), steps=1, widths=[8, 8, 16], seeds=2)
