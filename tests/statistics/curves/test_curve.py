"""Drawn curves: where they end, where they are lowest, how far they rise."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.columns import reduce_runs
from lrtransfer.statistics.curves.curve import (
    RISEN,
    CurveDraws,
    cut_cliffs,
    find_minima,
    rise_at,
    turn_up,
    value_at,
)
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.simulation import simulate
from lrtransfer.statistics.table import LossCurve

X = np.arange(-9.0, -0.9)
INF = np.inf


def drawn(loss: FloatArray, *, kinks: float = np.nan, diverged: float | None = None) -> CurveDraws:
    """Return curves given at X."""
    curve = LossCurve(size=64, log2_lr=X, loss=loss[:1].copy())
    if diverged is not None:
        curve.loss[:, X >= diverged] = INF
    return CurveDraws(
        columns=reduce_runs(curve),
        log2_lr=X,
        loss=loss,
        at_columns=np.arange(len(X)),
        kinks=np.full(len(loss), kinks),
        noise=0.0,
        rough=0.0,
    )


def test_the_minimum_of_a_parabola_is_found_between_points() -> None:
    best = np.array([-5.3, -4.5, -6.9])
    draws = drawn(3 + (X - best[:, None]) ** 2)
    np.testing.assert_allclose(find_minima(draws), best)
    np.testing.assert_allclose(find_minima(draws.take(np.array([2, 0]))), best[[2, 0]])


def test_a_kink_beside_the_lowest_point_is_the_minimum() -> None:
    draws = drawn(3 + np.maximum(-5.3 - X, 4 * (X + 5.3))[None], kinks=-5.3)
    assert find_minima(draws)[0] == -5.3
    far = drawn(3 + (X[None] + 5.3) ** 2, kinks=-8.5)
    assert find_minima(far)[0] == pytest.approx(-5.3)


def test_minima_at_the_ends_stay_there() -> None:
    np.testing.assert_array_equal(find_minima(drawn(np.stack([X, -X]))), [X[0], X[-1]])


def test_values_are_read_between_points_and_beyond_them_only_where_known() -> None:
    draws = drawn(np.stack([2 * X, 2 * X, 2 * X]))
    values = value_at(draws, np.array([-5.25, -20.0, 5.0]))
    assert values[0] == -10.5
    assert np.isnan(values[1:]).all()
    cut = drawn(np.where(X >= -3, INF, X)[None].repeat(2, axis=0), diverged=-3.0)
    assert value_at(cut, np.array([-3.5, 5.0])).tolist() == [INF, INF]


def test_a_rise_is_counted_from_the_minimum_of_its_curve() -> None:
    draws = drawn(3 + (X - np.array([[-5.0], [-6.0]])) ** 2)
    np.testing.assert_allclose(rise_at(draws, np.array([-4.0, -3.0])), [1.0, 9.0])


def test_beyond_the_rates_curves_fall_once_and_only_from_near_the_lowest() -> None:
    inside = np.array([0.5, 0.0, 0.1])
    beyond = np.array([0.05, -0.1, 0.3, -1.0])
    falls = np.concatenate([inside, beyond])[None]
    kept = turn_up(falls, at=np.arange(3), open_below=False, open_above=True)
    np.testing.assert_allclose(kept[0], [0.5, 0.0, 0.1, 0.05, -0.1, 0.3, 0.3])
    high = np.concatenate([[0.5, 0.0, RISEN + 0.1], beyond])[None]
    kept = turn_up(high, at=np.arange(3), open_below=False, open_above=True)
    assert (kept[0, 3:] >= RISEN + 0.1).all()
    mirrored = turn_up(falls[:, ::-1], at=np.arange(4, 7), open_below=True, open_above=False)
    np.testing.assert_allclose(
        mirrored[0, ::-1], turn_up(falls, at=np.arange(3), open_below=False, open_above=True)[0]
    )
    np.testing.assert_array_equal(
        turn_up(falls, at=np.arange(3), open_below=False, open_above=False), falls
    )


def test_cliffs_are_drawn_uniformly() -> None:
    x = np.arange(-9.0, -1.0)
    loss = np.where(x > -4.0, INF, 3 + (x + 5) ** 2 / 16)[None]
    columns = reduce_runs(LossCurve(size=64, log2_lr=x, loss=loss))
    points = np.linspace(-9, -3, 61)
    curves = np.zeros((4000, 61))
    cut_cliffs(curves, points, columns, np.random.default_rng(0))
    alive = np.isfinite(curves).mean(axis=0)
    assert (alive[points <= -4.0] == 1).all()
    # uniform: alive at -4 + t with probability 1 - t, within 5 sd of sqrt(.25 / 4000)
    np.testing.assert_allclose(alive[points > -4.0], -3 - points[points > -4.0], atol=0.04)


def fit(x: FloatArray, loss: FloatArray) -> CurveDraws:
    (one,) = fit_sizes([LossCurve(size=64, log2_lr=x, loss=loss)])
    assert one.draws is not None
    return one.draws


def test_same_seed_same_draws() -> None:
    curve, _ = simulate("skew", rng=np.random.default_rng(0))
    one, other = (fit(curve.log2_lr, curve.loss).loss for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_all_rates_are_among_the_points() -> None:
    x = np.log2([1e-4, 3e-4, 1e-3, 1.1e-3, 3e-3, 1e-2, 3e-2])
    curves = fit(x, (3 + (x + 8) ** 2)[None])
    np.testing.assert_array_equal(curves.log2_lr[curves.at_columns], x)


def test_equal_losses_are_no_accident() -> None:
    curves = fit(X, np.full((2, len(X)), 3.0))
    inside = (curves.log2_lr >= X[0]) & (curves.log2_lr <= X[-1])
    np.testing.assert_allclose(curves.loss[:, inside], 3.0, atol=1e-6)


def test_many_equal_losses_beside_a_steep_side() -> None:
    # Losses printed with two digits: no height over most of the rates.
    loss = np.array([[9.0, 3.01, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 8.0]] * 2)
    loss[1, 3] += 0.01
    curves = fit(X, loss)
    assert np.isfinite(curves.loss[:, curves.at_columns]).all()
    middle = np.median(curves.loss[:, curves.at_columns], axis=0)
    assert middle == pytest.approx(loss.mean(axis=0), rel=0.05)
