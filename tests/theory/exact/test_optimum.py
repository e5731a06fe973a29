"""Optimal learning rates in the limit and at finite widths."""

import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.theory.exact import limit
from lrtransfer.theory.exact.budget import Deadline
from lrtransfer.theory.exact.deep_linear import Problem
from lrtransfer.theory.exact.exact_loss import exact_loss, to_rational
from lrtransfer.theory.exact.finite_optimum import finite_optima
from lrtransfer.theory.exact.finite_width import draw_weights, finite_losses
from lrtransfer.theory.exact.limit import limit_losses
from lrtransfer.theory.exact.optimum import limit_optimum
from lrtransfer.theory.regression import Regression

from ..problems import SETTINGS, problem


def closed_form(setting: Problem) -> float:
    """Return (N/L) yᵀK y / ‖K y‖²."""
    data = setting.data
    share = (data.targets * data.pull).sum() / (data.pull**2).sum()
    return float(data.count / setting.depth * share)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_first_step_is_the_closed_form(depth: int) -> None:
    setting = problem(depth=depth)
    optimum = limit_optimum(setting, steps=1)
    assert optimum.lr == pytest.approx(closed_form(setting), rel=1e-13)
    assert optimum.unique
    assert optimum.certified
    assert optimum.interval[1] == pytest.approx(2 * optimum.lr, rel=1e-13)


@pytest.mark.parametrize("name", SETTINGS)
def test_enclosures_are_below_a_grid(name: str) -> None:
    setting = problem(depth=2, **SETTINGS[name])
    optimum = limit_optimum(setting, steps=2)
    assert optimum.certified
    low, high = optimum.interval
    losses = limit_losses(setting, np.linspace(low, high, 20_001), steps=2)[:, -1]
    best = min(m.loss for m in optimum.minimisers)
    assert best <= losses.min() * (1 + 1e-12)
    assert best >= losses.min() - 1e-5 * losses[0]
    beyond = limit_losses(setting, np.linspace(high, 4 * high, 1000), steps=2)[:, -1]
    assert (beyond >= losses[0] * (1 - 1e-12)).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_exact_polynomial_is_the_limit_loss(name: str) -> None:
    setting = problem(depth=2, **SETTINGS[name])
    polynomial = exact_loss(setting, steps=2, deadline=Deadline()).polynomial
    for lr in (0.01, 0.1, 0.3):
        value = polynomial(to_rational(lr))
        expected = limit_losses(setting, np.array([lr]), steps=2)[0, -1]
        assert int(value.p) / int(value.q) == pytest.approx(expected, rel=1e-12)


def test_one_input_has_several_minimisers() -> None:
    # d = 1: the loss is at its floor wherever the output's one coefficient is right.
    data = Regression([[1.0], [2.0], [-1.0]], [1.0, 2.0, -0.5])
    setting = Problem(data, depth=3)
    optimum = limit_optimum(setting, steps=2)
    assert optimum.unique is False
    assert optimum.minimisers[1].loss == pytest.approx(data.floor)
    assert optimum.minimisers[0].low <= optimum.lr <= optimum.minimisers[0].high
    assert finite_optima(setting, width=32, steps=2, seeds=2).bias is None
    grid = np.linspace(*optimum.interval, 100_001)
    at_floor = limit_losses(setting, grid, steps=2)[:, -1] < data.floor + 1e-6
    runs = np.split(grid[at_floor], 1 + np.flatnonzero(np.diff(np.flatnonzero(at_floor)) > 1))
    assert len(runs) == len(optimum.minimisers)
    for run, minimiser in zip(runs, optimum.minimisers, strict=True):
        assert run[0] < minimiser.low <= minimiser.high < run[-1]


def test_without_proof_the_answer_is_the_same() -> None:
    setting = problem(depth=3)
    proved = limit_optimum(setting, steps=3)
    computed = limit_optimum(setting, steps=3, interval=proved.interval, budget=1e-9)
    assert proved.certified
    assert not computed.certified
    assert computed.unique is None
    assert computed.lr == pytest.approx(proved.lr, rel=1e-12)
    (minimiser,) = computed.minimisers
    assert minimiser.low <= proved.lr <= minimiser.high


@pytest.mark.parametrize(("scheme", "steps"), [("mup", 1), ("mup", 4), ("sp", 1), ("ntp", 2)])
def test_no_grid_finds_a_better_rate(scheme: str, steps: int) -> None:
    setting = problem(depth=2, scheme=scheme)
    optima = finite_optima(setting, width=32, steps=steps, seeds=3)
    for seed, (lr, loss) in enumerate(zip(optima.lrs, optima.losses, strict=True)):
        weights = draw_weights(setting, width=32, seed=seed)
        grid = np.linspace(0, 2 * lr, 2001)
        losses = finite_losses(setting, weights, grid, steps=steps)[:, -1]
        assert loss <= losses.min() * (1 + 1e-12)
    assert (optima.limit is None) == (optima.bias is None) == (scheme != "mup")


def test_a_step_away_from_the_optimum_has_rate_0() -> None:
    # The one sample of the first step pulls away from all others.
    data = Regression([[1.0], [1.0], [1.0], [1.0]], [-1.0, 2.0, 2.0, 2.0])
    optimum = limit_optimum(Problem(data, depth=2, batches=[[0]]), steps=1)
    assert optimum.certified
    assert optimum.complete
    assert optimum.minimisers[0].low == optimum.minimisers[0].high == 0


def test_a_batch_that_moves_nothing_is_named() -> None:
    data = Regression([[1.0], [2.0]], [0.0, 4.0])
    with pytest.raises(UserError, match="batches: got a first batch that moves no output"):
        limit_optimum(Problem(data, depth=2, batches=[[0], [1]]), steps=2)


@pytest.mark.parametrize("interval", [(2.0, 1.0), (1.0, 1.0), (0.0, float("nan"))])
def test_no_interval_is_refused(interval: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="wanted two finite rates"):
        limit_optimum(problem(depth=1), steps=1, interval=interval)


def test_more_rates_than_fit_at_once_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    setting, lrs = problem(depth=2), np.linspace(0.01, 0.2, 7)
    whole = limit_losses(setting, lrs, steps=3)
    monkeypatch.setattr(limit, "MEMORY", 1)
    np.testing.assert_array_equal(limit_losses(setting, lrs, steps=3), whole)


def test_no_first_step_no_optimum() -> None:
    setting = Problem(Regression([[1.0], [1.0]], [1.0, -1.0]), depth=2)
    with pytest.raises(UserError, match=r"K y = 0\), wanted K y != 0"):
        limit_optimum(setting, steps=2)


def test_other_schemes_have_no_limit() -> None:
    with pytest.raises(UserError, match="limit: got another scheme, wanted mup"):
        limit_optimum(problem(depth=1, scheme="sp"), steps=1)
