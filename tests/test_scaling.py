"""Lines through few points: by hand, against ordinary least squares, and by coverage."""

import math

import numpy as np
import pytest

from lrtransfer.errors import UserError
from lrtransfer.scaling import fit_line, fit_power_law, fit_signed_power_law


def test_without_errors_it_is_least_squares() -> None:
    # x = 0 1 2 3, y = 0 1 1 2: slope 3/5, residuals -.1 .3 -.3 .1, RSS .2, s^2 = .2/2,
    # sd of the slope sqrt(.1 / 5); Student quantile with 2 dof: 4.3027
    line = fit_line([0, 1, 2, 3], [0, 1, 1, 2])
    assert line.slope == pytest.approx(0.6)
    assert line.slope_high - line.slope == pytest.approx(4.3027 * math.sqrt(0.02), rel=1e-4)
    # prediction at 4: 2.5 from the middle, variance .1 (1 + 1/4 + 2.5^2 / 5)
    value, low, high = line.predict(4.0)
    assert value == pytest.approx(1 + 0.6 * 2.5)
    assert high - value == pytest.approx(4.3027 * math.sqrt(0.1 * 2.5), rel=1e-4)
    assert value - low == pytest.approx(high - value)


def test_points_on_a_line_keep_their_own_errors() -> None:
    # No scatter, q = 1: sd of the slope .1 / sqrt(2), Student quantile with 1 dof: 12.706
    line = fit_line([0, 1, 2], [1, 3, 5], sd=[0.1, 0.1, 0.1])
    assert not line.scatter
    assert line.slope_high - line.slope == pytest.approx(12.7062 * 0.1 / math.sqrt(2), rel=1e-4)


def test_scatter_solves_paule_and_mandel() -> None:
    x, y = np.arange(5.0), np.array([0.0, 1.5, 1.0, 3.5, 4.0])
    sd = np.array([0.1, 0.2, 0.1, 0.3, 0.1])
    line = fit_line(x, y, sd=sd)
    assert line.scatter > 0
    w = 1 / (sd**2 + line.scatter**2)
    design = np.stack([np.ones(5), x], axis=1)
    solution = np.linalg.solve(design.T @ (w[:, None] * design), design.T @ (w * y))
    assert line.slope == pytest.approx(solution[1])
    assert w @ (y - design @ solution) ** 2 == pytest.approx(3.0, rel=1e-6)


def test_uncertain_point_pulls_less() -> None:
    pulled = fit_line([0, 1, 2, 3], [0, 0, 0, 3], sd=[0.1, 0.1, 0.1, 0.1])
    ignored = fit_line([0, 1, 2, 3], [0, 0, 0, 3], sd=[0.1, 0.1, 0.1, 30.0])
    assert abs(ignored.slope) < 0.01 < pulled.slope


def test_leverage_reproduces_lines() -> None:
    line = fit_line([1, 2, 4, 7], [0, 3, 1, 2], sd=[0.1, 0.2, 0.3, 0.4])
    h = line.leverage(9.0)
    assert h.sum() == pytest.approx(1.0)
    assert h @ line.x == pytest.approx(9.0)
    assert h @ line.y == pytest.approx(line.predict(9.0)[0])


def test_order_and_origin_do_not_matter() -> None:
    x, y, sd = np.array([1.0, 2, 4, 7]), np.array([0.0, 3, 1, 2]), np.array([0.1, 0.2, 0.3, 0.4])
    one, other = fit_line(x, y, sd=sd), fit_line(x[::-1] + 100, 5 - y[::-1], sd=sd[::-1])
    assert (other.slope, other.slope_low) == pytest.approx((-one.slope, -one.slope_high))


def test_power_law() -> None:
    n = np.array([64, 128, 256, 512])
    law = fit_power_law(n, 3 * n**-0.5, relative_sd=np.full(4, 0.01))
    assert law.slope == pytest.approx(-0.5)
    assert 2 ** law.predict(math.log2(4096))[0] == pytest.approx(3 * 4096**-0.5)
    # 1 % of y is .01 / ln 2 in log2; distances -1.5 -.5 .5 1.5: sum of squares 5; quantile 4.3027
    half = 4.3027 * 0.01 / math.log(2) / math.sqrt(5)
    assert law.slope_high - law.slope == pytest.approx(half, rel=1e-3)


@pytest.mark.parametrize("tau", [0.0, 0.2])
def test_slope_interval_covers(tau: float) -> None:
    # 400 studies of 5 widths: at a true coverage of .95, under 367 hold with probability .005
    assert sum(_holds_zero_slope(tau, known_only=False)) >= 367


def test_fixed_effect_control_fails_with_scatter() -> None:
    """The control: intervals from the known errors alone are too short."""
    assert sum(_holds_zero_slope(0.2, known_only=True)) < 300


def _holds_zero_slope(tau: float, *, known_only: bool) -> list[bool]:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        sd = rng.uniform(0.04, 0.2, 5)
        x = np.arange(5.0)
        y = tau * rng.standard_normal(5) + sd * rng.standard_normal(5)
        if known_only:
            w = 1 / sd**2
            centred = x - np.average(x, weights=w)
            slope = (w * centred) @ y / (w @ centred**2)
            held.append(bool(abs(slope) <= 1.96 / math.sqrt(w @ centred**2)))
        else:
            line = fit_line(x, y, sd=sd)
            held.append(line.slope_low <= 0 <= line.slope_high)
    return held


@pytest.mark.parametrize(
    ("x", "y", "sd", "message"),
    [
        ([1, 2], [1, 2], None, r"shapes \(2,\).* at least 3 points. Add points"),
        ([1, 2, 3], [1, 2], None, r"shapes \(3,\), \(2,\).* wanted one number each"),
        ([1, 1, 1], [1, 2, 3], None, "wanted finite numbers at different x .* Leave out"),
        ([1, 2, 3], [1, 2, math.nan], None, "wanted finite numbers"),
        ([1, 2, 3], [1, 2, 3], [1, 0, 1], "with positive sd"),
    ],
)
def test_bad_points_are_refused(
    x: list[float], y: list[float], sd: list[float] | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        fit_line(x, y, sd=sd)


def test_power_law_needs_positive_numbers() -> None:
    with pytest.raises(UserError, match=r"got x = .* wanted positive numbers.* Leave"):
        fit_power_law([1, 2, 0], [1, 2, 3])


@pytest.mark.parametrize("exponent", [-1.0, 0.5])
def test_a_signed_power_law_covers_the_truth(exponent: float) -> None:
    rng, n = np.random.default_rng(0), np.array([64, 128, 256, 512])
    truth, sd = -((n / 64.0) ** exponent), np.array([0.3, 0.1, 0.1, 0.1])
    held = []
    for _ in range(400):
        law = fit_signed_power_law(n, truth + sd * rng.standard_normal(4), sd=sd)
        held.append(law.low <= exponent <= law.high)
    assert np.mean(held) >= 0.95


def test_scatter_beyond_the_errors_widens_the_interval() -> None:
    rng, n = np.random.default_rng(0), np.array([64, 128, 256, 512, 1024])
    truth, sd = 1 / n, 0.02 / n
    held = []
    for _ in range(400):
        law = fit_signed_power_law(n, truth + 6 * sd * rng.standard_normal(5), sd=sd)
        held.append(law.low <= -1 <= law.high)
    assert np.mean(held) >= 0.94


def test_noise_has_no_exponent() -> None:
    law = fit_signed_power_law([1, 2, 4, 8], [0.1, -0.2, 0.1, -0.1], sd=[1.0] * 4)
    assert (law.low, law.high) == (-math.inf, math.inf)


def test_points_without_noise_have_the_exponent() -> None:
    n = np.array([64.0, 128, 256])
    law = fit_signed_power_law(n, -3 / n, sd=1e-9 / n)
    assert law.value == pytest.approx(-1, abs=0.003)
    assert law.low == pytest.approx(law.high, abs=0.01)
