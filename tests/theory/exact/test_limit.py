"""The infinite-width limit against its closed form and against finite widths."""

import flint
import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.exact_loss import to_rational
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses
from lrtransfer.theory.exact.limit import chain_of, limit_losses, trajectory
from lrtransfer.theory.regression import Numbers

from ..problems import SETTINGS, problem


@pytest.mark.parametrize("depth", [1, 3, 9])
def test_first_step_has_the_closed_form(depth: int) -> None:
    setting = problem(depth=depth)
    y, pull, count = setting.data.targets, setting.data.pull, setting.data.count
    lrs = np.linspace(0.1, 2, 5)
    expected = [((lr * depth / count * pull - y) ** 2).sum() / (2 * count) for lr in lrs]
    np.testing.assert_allclose(limit_losses(setting, lrs, steps=1)[:, 1], expected, rtol=1e-12)


@pytest.mark.parametrize("name", SETTINGS)
def test_finite_widths_approach_the_limit_as_one_over_n(name: str) -> None:
    """Fit mean − limit = c/n + rest: the rest must be noise, at every step."""
    setting = problem(depth=2, **SETTINGS[name])
    lrs, steps = np.array([0.15]), 4
    limit = limit_losses(setting, lrs, steps=steps)[0, 1:]
    scaled = []
    for width, seeds in ((48, 300), (192, 300)):
        pairs = []
        for seed in range(seeds):
            weights = draw_weights(setting, width=width, seed=seed)
            both = [
                finite_losses(setting, w, lrs, steps=steps)[0, 1:]
                for w in (weights, weights.mirror())
            ]
            pairs.append(np.mean(both, axis=0) - limit)
        deviation = np.array(pairs)
        error = deviation.std(axis=0) / np.sqrt(seeds)
        scaled.append((width * deviation.mean(axis=0), width * error))
    (narrow, narrow_error), (wide, wide_error) = scaled
    z = (wide - narrow) / np.hypot(wide_error, narrow_error)
    assert np.abs(z).max() < 4
    # The test can tell a wrong limit: one off by 10 % would be seen at every step.
    assert (0.1 * limit * 192 > 4 * wide_error).all()


def test_spread_falls_as_the_root_of_width() -> None:
    setting = problem(depth=3)
    spread = []
    for width in (32, 128, 512):
        losses = [
            finite_losses(
                setting, draw_weights(setting, width=width, seed=seed), np.array([0.1]), steps=2
            )[0, -1]
            for seed in range(200)
        ]
        spread.append(np.std(losses))
    slope = np.polyfit(np.log([32, 128, 512]), np.log(spread), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_another_scheme_has_no_such_limit() -> None:
    with pytest.raises(UserError, match="wanted mup"):
        limit_losses(problem(depth=1, scheme="sp"), np.ones(1), steps=1)


class FiftyDigits:
    """All samples in ball arithmetic, in the coordinates of the inputs."""

    def __init__(self, setting: Problem) -> None:
        ball = np.vectorize(lambda value: flint.arb(to_rational(value)), otypes=[object])
        self.x, self.y = ball(setting.data.inputs), ball(setting.data.targets)

    def gradient(self, step: int, phi: Numbers) -> Numbers:
        gradient: Numbers = self.x.T @ (self.x @ phi - self.y) / len(self.x)
        return gradient


@pytest.mark.parametrize("name", ["plain", "momentum", "weight decay", "all layers", "two outputs"])
def test_fifty_digits_agree(name: str) -> None:
    setting = problem(depth=3, **SETTINGS[name])
    with flint.ctx.workprec(232):
        samples = FiftyDigits(setting)
        chain = chain_of(setting, features=3, number=lambda value: flint.arb(to_rational(value)))
        rates = np.empty(1, object)
        rates[0] = flint.arb(to_rational(0.1))
        phi = trajectory(chain, samples, rates, steps=20)[:, 0]
        losses = ((samples.x @ phi - samples.y) ** 2).sum(axis=(-2, -1)) / (2 * len(samples.x))
        assert all(loss.rel_accuracy_bits() > 166 for loss in losses)  # 50 digits
    float64_losses = limit_losses(setting, np.array([0.1]), steps=20)[0]
    np.testing.assert_allclose(float64_losses, losses.astype(float), rtol=1e-12)
