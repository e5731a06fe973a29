"""Searched minima of smooth losses whose minima are known."""

import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.limit import limit_losses
from lrtransfer.theory.minima import minimize

from .problems import problem


def test_first_step_optimum() -> None:
    setting = problem(depth=3)
    y, pull = setting.data.targets, setting.data.pull
    expected = setting.data.count / 3 * (y * pull).sum() / (pull * pull).sum()
    best = minimize(lambda lrs: limit_losses(setting, lrs, steps=1)[:, -1], (0, 4 * expected))[0]
    assert best.lr == pytest.approx(expected, rel=1e-12)


def test_the_lowest_of_many_minima() -> None:
    setting = problem(depth=3)

    def loss(lrs: np.ndarray) -> np.ndarray:
        return limit_losses(setting, lrs, steps=3)[:, -1]

    best = minimize(loss, (0, 4))[0]
    assert best.loss <= loss(np.linspace(0, 4, 20001)).min()


def test_ends_count() -> None:
    assert minimize(lambda x: x, (1.0, 2.0))[0].lr == 1
    assert minimize(lambda x: -x, (1.0, 2.0))[0].lr == 2


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(UserError, match="interval: got 2 to 1"):
        minimize(lambda x: x, (2, 1))


@pytest.mark.parametrize("interval", [(1e-320, 1e308), (0.0, 1e21), (0.0, float("inf"))])
def test_an_interval_beyond_what_floats_can_compute_with_is_refused(
    interval: tuple[float, float],
) -> None:
    with pytest.raises(UserError, match=r"wanted two finite rates, a < b, of at most 1e\+20"):
        minimize(lambda lr: (lr - 1) ** 2, interval)
