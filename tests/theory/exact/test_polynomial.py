"""Coefficients against the losses that they stand for."""

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyval

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.budget import Deadline
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.degrees import limit_degree
from lrtransfer.theory.exact.exact_loss import exact_loss
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses
from lrtransfer.theory.exact.limit import limit_losses
from lrtransfer.theory.exact.polynomial import loss_polynomial
from lrtransfer.theory.regression import Regression

from ..problems import SETTINGS, problem


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("width", [None, 16])
def test_coefficients_give_loss_and_outputs(name: str, width: int | None) -> None:
    setting = problem(depth=2, **SETTINGS[name])
    polynomial = loss_polynomial(setting, steps=2, width=width, seed=3)
    lrs = polynomial.radius * np.array([-0.5, 0.3, 1.0])
    if width is None:
        expected = limit_losses(setting, lrs, steps=2)[:, -1]
    else:
        weights = draw_weights(setting, width=width, seed=3)
        expected = finite_losses(setting, weights, lrs, steps=2)[:, -1]
    accuracy = 1e-15 * polynomial.condition * polynomial.loss[0] + 1e-12 * expected
    assert (abs(polyval(lrs, polynomial.loss) - expected) <= accuracy).all()
    residual = np.moveaxis(polyval(lrs, polynomial.output), -1, 0) - setting.data.targets
    losses = (residual**2).sum(axis=(1, 2)) / (2 * setting.data.count)
    assert losses == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(("width", "degree"), [(None, 8), (16, 18)])
def test_degrees(width: int | None, degree: int) -> None:
    polynomial = loss_polynomial(problem(depth=3), steps=2, width=width)
    assert (polynomial.degree_output, polynomial.degree_loss) == (degree, 2 * degree)
    assert abs(polynomial.loss[-1]) > 0


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_limit_degree_is_never_exceeded(name: str, depth: int) -> None:
    setting = problem(depth=depth, **SETTINGS[name])
    for steps in (1, 2):
        polynomial = exact_loss(setting, steps=steps, deadline=Deadline()).polynomial
        assert polynomial.degree() <= 2 * limit_degree(setting, steps=steps)
        if name in {"plain", "all layers"}:
            assert polynomial.degree() == 2 * limit_degree(setting, steps=steps)


def test_an_input_that_is_always_0_has_no_coefficients() -> None:
    data = Regression([[1.0, 0.0], [2.0, 0.0]], [2.0, 4.0])
    polynomial = loss_polynomial(Problem(data, depth=2, weight_decay=0.1), steps=2)
    assert polynomial.degree_loss == 16


@pytest.mark.parametrize("width", [None, 8])
def test_coefficients_beyond_float64_are_refused(width: int | None) -> None:
    data = Regression([[1e3], [2e3]], [2.0, 4.0])
    with pytest.raises(UserError, match="beyond the range of float64"):
        loss_polynomial(Problem(data, depth=3), steps=3, width=width)


def test_a_degree_too_high_is_named() -> None:
    with pytest.raises(UserError, match="has degree 936 in the learning rate"):
        loss_polynomial(problem(depth=3), steps=4, width=16)
