"""Scaling of the optimum under any row of exponents, against finite widths."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.exponents import lr_scaling
from lrtransfer.theory.exact.finite_optimum import finite_optima
from lrtransfer.theory.exact.finite_width import draw_weights, finite_trajectory
from lrtransfer.theory.exact.kernel import kernel_optima, kernel_trajectory
from lrtransfer.theory.exact.optimum import limit_optimum
from lrtransfer.theory.exact.regime import regime_of
from lrtransfer.theory.minima import minimize
from lrtransfer.theory.regression import Numbers, Regression

from ..problems import ALL, SETTINGS, problem

ROWS: Mapping[str, Any] = {
    "mup": "mup",
    "sp": "sp",
    "ntp": "ntp",
    "mup in another gauge": {
        "input": {"c": -1},
        "hidden": {"a": 0.25, "b": 0.25, "c": -0.5},
        "output": {"a": 0.5, "b": 0.5},
    },
    "ntp with a mean-field head": {"hidden": {"a": 0.5}, "output": {"a": 1}},
    "head between": {"hidden": {"b": 0.5}, "output": {"b": 0.75}},
    "large head": {"hidden": {"b": 0.5}, "output": {"b": 0.25}},
    "small head": {"hidden": {"b": 0.5}, "output": {"b": 1.25}},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "exponent", "deterministic"),
    [
        ("mup", 0, True),
        ("sp", -1, False),
        ("ntp", 0, False),
        ("mup in another gauge", 0, True),
        ("ntp with a mean-field head", 1, True),
        ("head between", -0.5, True),
        ("large head", -1.5, False),
        ("small head", 0.5, True),
    ],
)
def test_the_law_is_that_of_wide_networks(name: str, exponent: float, deterministic: bool) -> None:
    setting = problem(depth=2, scheme=ROWS[name])
    law = lr_scaling(setting, steps=1)
    assert law.exponent == exponent
    assert law.is_deterministic is deterministic
    optima = finite_optima(setting, width=512, steps=1, seeds=60)
    rescaled = optima.lrs / 512**exponent
    assert np.median(rescaled) == pytest.approx(law.quantile(0.5), rel=0.15)
    if not deterministic:
        spread = law.quantile(0.75) - law.quantile(0.25)
        measured_spread = np.subtract(*np.quantile(rescaled, [0.75, 0.25]))
        assert measured_spread == pytest.approx(spread, rel=0.5)


@pytest.mark.parametrize("trained", [("hidden",), ALL])
def test_kernels_decay_with_the_weights(trained: tuple[str, ...]) -> None:
    setting = problem(depth=2, scheme="ntp", trained=trained, weight_decay=8)
    c = np.array([0.02, 0.05])
    errors = []
    for seed in range(5):
        weights = draw_weights(setting, width=1024, seed=seed)
        phi = finite_trajectory(setting, weights, c, steps=4)
        expected = kernel_trajectory(setting, regime_of(setting), phi[0, 0], c, steps=4)
        errors.append(np.linalg.norm(phi - expected) / np.linalg.norm(expected - expected[0]))
    assert np.mean(errors) < 0.08


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("scheme", ["ntp", "sp"])
def test_kernel_trajectories_are_those_of_wide_networks(name: str, scheme: str) -> None:
    # From the same outputs before training, φ at finite width differs by order n^-1/2.
    setting = problem(depth=2, scheme=scheme, **SETTINGS[name])
    regime = regime_of(setting)
    c = np.array([0.02, 0.05])
    errors = []
    for width in (64, 1024):
        shares = []
        for seed in range(5):
            weights = draw_weights(setting, width=width, seed=seed)
            lrs = c * float(width) ** -regime.lr_power
            phi = finite_trajectory(setting, weights, lrs, steps=4)
            expected = kernel_trajectory(setting, regime, phi[0, 0], c, steps=4)
            moved = np.linalg.norm(expected[1:] - expected[0])
            shares.append(np.linalg.norm(phi[1:] - expected[1:]) / moved)
        errors.append(np.mean(shares))
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 0.15


def test_plain_descent_has_a_formula() -> None:
    setting = problem(depth=2, scheme="ntp", outputs=2)
    regime = regime_of(setting)
    starts = np.random.default_rng(0).standard_normal((4, 3, 2))
    optima = kernel_optima(setting, regime, starts, steps=3)
    for start, optimum in zip(starts, optima, strict=True):

        def loss(lrs: Numbers, start: Numbers = start) -> Numbers:
            return setting.data.loss(kernel_trajectory(setting, regime, start, lrs, steps=3)[-1])

        assert minimize(loss, (0, 2 * optimum))[0].lr == pytest.approx(optimum, rel=1e-12)


def test_many_steps_do_not_underflow() -> None:
    data = Regression(np.diag([1.0, 1.5, 2.0]), np.ones(3))
    setting = Problem(data, depth=2, scheme="ntp")
    rates = 2 / 3 * np.array([1, 1.5, 2]) ** 2 / 3  # κ s² / N with κ = L / d
    expected = 2 / (rates.min() + rates.max())
    for steps in (1_000, 100_000):
        law = lr_scaling(setting, steps=steps, draws=5)
        assert law.samples == pytest.approx(np.full(5, expected), rel=0.01)


def test_a_single_trained_matrix_learns_no_features() -> None:
    setting = problem(depth=2, trained=("output",))
    assert regime_of(setting).kind == "kernel"
    assert lr_scaling(setting, steps=3).quantile(0.5) == pytest.approx(
        limit_optimum(setting, steps=3).lr, rel=1e-9
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_mup_has_the_limit_of_the_limit(name: str) -> None:
    setting = problem(depth=2, **SETTINGS[name])
    assert lr_scaling(setting, steps=2).quantile(0.5) == pytest.approx(
        limit_optimum(setting, steps=2, budget=1e-9).lr, rel=1e-12
    )


def test_roles_that_are_slow_do_not_move() -> None:
    row = {"input": {"c": -1}, "hidden": {"b": 0.5, "c": 1}, "output": {"b": 1, "c": 1}}
    assert regime_of(problem(depth=2, scheme=row, trained=ALL)).moving == ("input", "output")


def test_without_pull_random_outputs_are_still_unlearned() -> None:
    data = Regression([[1.0], [1.0]], [1.0, -1.0])  # K y = 0
    law = lr_scaling(Problem(data, depth=2, scheme="ntp"), steps=1, draws=5)
    assert law.quantile(0.5) == pytest.approx(0.5)  # (N/L) rᵀKr / ‖Kr‖² with K r = 2 r
    with pytest.raises(UserError, match="so that there is no optimum"):
        lr_scaling(Problem(data, depth=2), steps=1)


def test_what_has_no_limit_is_refused() -> None:
    with pytest.raises(UserError, match=r"outputs start at n\^-0.75, wanted at least n\^-0.5"):
        lr_scaling(problem(depth=2, scheme=ROWS["small head"]), steps=2)
    growing = problem(depth=2, scheme=ROWS["ntp with a mean-field head"], weight_decay=0.1)
    with pytest.raises(UserError, match="weights would decay ever faster"):
        lr_scaling(growing, steps=2)
