import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.columns import MANY, Columns, reduce_runs, seed_noise
from lrtransfer.statistics.table import LossCurve

NAN, INF = np.nan, np.inf


def reduced(rows: list[list[float]], *, width: int = 64) -> Columns:
    loss = np.array(rows)
    return reduce_runs(
        LossCurve(size=width, log2_lr=np.arange(-9.0, loss.shape[1] - 9.0), loss=loss)
    )


def measure_weights(rows: list[list[float]]) -> FloatArray:
    """Return the weights that the docstring states: 1 up to the 60 % quantile, then squared."""
    mean = np.nanmean(np.where(np.isfinite(rows), rows, NAN), axis=0)
    above = mean - mean.min()
    height = np.quantile(above, 0.6)
    return np.asarray(np.clip(height / np.maximum(above, height), 0.01, 1.0) ** 2)


def test_residuals_by_hand() -> None:
    # Column means 2, 3, 4; seed means 2, 4 about 3, so offsets -1, +1, at any weights.
    # Seed 0: 1 2 3 - (2 3 4) - (-1) = 0 0 0, but 1.3 instead of 1 and 2.7 instead of 3 in both
    # seeds with opposite signs: the residuals are +-.3 about what the weights leave of the offsets.
    rows = [[1.3, 2.0, 2.7], [2.7, 4.0, 5.3]]
    effects = reduced(rows)
    np.testing.assert_allclose(effects.loss, [2.0, 3.0, 4.0], atol=1e-3)
    w = measure_weights(rows)
    half = (np.array(rows[1]) - rows[0]) / 2
    rest = half - w @ half / w.sum()
    np.testing.assert_allclose(effects.squares, 2 * rest**2, rtol=1e-3)
    assert effects.dof.sum() == 2  # 6 runs - 3 columns - 2 seeds + 1
    np.testing.assert_allclose(effects.covariance(np.ones(3)), np.eye(3) / 2, atol=1e-9)


def test_covariance_is_that_of_least_squares(rng: np.random.Generator) -> None:
    # Of the differences, about which alone anything is concluded.
    loss = rng.standard_normal((4, 5))
    loss[1, 3] = loss[2, 0] = NAN
    growth = np.array([1.0, 1.5, 1.0, 3.0, 2.0])
    seed, col = np.nonzero(np.isfinite(loss))
    design = np.concatenate([np.eye(5)[col], np.eye(4)[seed]], axis=1)
    full = np.linalg.pinv(design.T @ (design / growth[col, None] ** 2))[:5, :5]
    differences = np.diff(np.eye(5), axis=0)
    np.testing.assert_allclose(
        differences @ reduced(loss.tolist()).covariance(growth) @ differences.T,
        differences @ full @ differences.T,
        atol=2e-3,
    )


def test_seed_offsets_leave_no_trace(rng: np.random.Generator) -> None:
    loss = 3 + rng.standard_normal((3, 6))
    loss[0, 2] = loss[2, 5] = NAN
    shifted = loss + np.array([[5.0], [5.0], [5.0]])
    one, other = reduced(loss.tolist()), reduced(shifted.tolist())
    np.testing.assert_allclose(np.diff(other.loss), np.diff(one.loss), atol=1e-9)
    full = 3 + rng.standard_normal((3, 6))
    one, other = reduced(full.tolist()), reduced((full + np.array([[5.0], [-7.0], [2.0]])).tolist())
    np.testing.assert_allclose(np.diff(other.loss), np.diff(one.loss), atol=1e-3)
    np.testing.assert_allclose(other.squares, one.squares, rtol=5e-3, atol=1e-3)


def test_missing_run_does_not_tilt_the_curve() -> None:
    # Seed 1 lies 10 higher. Without its run in column 0, a plain mean of column 0 would be 1.
    effects = reduced([[1.0, 2.0, 3.0], [NAN, 12.0, 13.0]])
    np.testing.assert_allclose(np.diff(effects.loss), [1.0, 1.0], atol=0.02)


def test_two_way_fit_is_weighted_least_squares(rng: np.random.Generator) -> None:
    loss = 1.0 + 0.1 * rng.standard_normal((4, 5)) + [0.0, 0.1, 0.2, 0.5, 4.0]
    loss[1, 3] = loss[2, 0] = NAN
    finite = np.isfinite(loss)
    seed, col = np.nonzero(finite)
    weights = measure_weights((loss - np.nanmean(loss)).tolist())
    root = np.sqrt(weights[col])
    design = np.concatenate([np.eye(5)[col], np.eye(4)[seed]], axis=1)
    solution, *_ = np.linalg.lstsq(design * root[:, None], loss[seed, col] * root)
    rest = loss[seed, col] - design @ solution
    effects = reduced(loss.tolist())
    np.testing.assert_allclose(np.diff(effects.loss), np.diff(solution[:5]), atol=1e-3)
    np.testing.assert_allclose(
        effects.squares, np.bincount(col, weights=rest**2), rtol=5e-3, atol=1e-5
    )
    assert effects.dof.sum() == pytest.approx(len(seed) - np.linalg.matrix_rank(design))


def test_seeds_without_a_common_rate_stay_usable() -> None:
    effects = reduced([[3.0, 2.0, NAN, NAN], [NAN, NAN, 2.5, 3.5]])
    covariance = effects.covariance(np.ones(4))
    assert np.isfinite(covariance).all()
    assert covariance[0, 2] < 0 < covariance[0, 1]
    assert effects.dof.sum() == 0


@pytest.mark.parametrize(
    ("last", "above"),
    [
        ([INF, INF, INF], -6.0),
        ([INF, INF, 2.0], -6.0),
        ([INF, 2.0, 2.0], None),
        ([INF, NAN, 2.0], -6.0),
        ([NAN, NAN, NAN], None),
    ],
)
def test_column_is_diverged_when_half_of_its_seeds_are(
    last: list[float], above: float | None
) -> None:
    effects = reduced([[3.0, 2.0, 1.0, value] for value in last])
    assert effects.diverged_above == above
    assert len(effects.log2_lr) == (4 if last == [INF, 2.0, 2.0] else 3)


def test_curve_ends_at_the_first_diverged_column() -> None:
    effects = reduced([[INF, 3.0, 1.0, 2.0, INF, 0.5 + 3, INF]])
    np.testing.assert_array_equal(effects.log2_lr, [-8.0, -7.0, -6.0])
    assert (effects.diverged_below, effects.diverged_above) == (-9.0, -5.0)
    np.testing.assert_array_equal(effects.tried, [-9.0, -8.0, -7.0, -6.0, -5.0])
    assert effects.gap(-7.5, -7.2) == 1.0


def test_nothing_finite() -> None:
    effects = reduced([[NAN, INF, INF]])
    assert effects.loss.shape == (0,)
    assert (effects.diverged_below, effects.diverged_above) == (None, -8.0)


def test_height_is_that_of_the_valley_not_of_a_steep_side() -> None:
    loss = [[3.4, 3.1, 3.0, 3.1, 3.4, 50.0]]
    assert reduced(loss).height == pytest.approx(np.quantile(loss, 0.6) - 3.0)


def test_rates_at_which_seeds_scatter_more_are_noisier() -> None:
    rng = np.random.default_rng(0)
    scale = np.array([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 1.0])
    valley = np.array([0.4, 0.2, 0.0, 0.1, 0.3, 0.6, 2.0])
    noisy = reduced((3 + valley + scale * rng.standard_normal((5, 7))).tolist()).unrest
    np.testing.assert_array_equal(noisy[:6], 1.0)
    assert 30 < noisy[6] < 300  # a hundred, from four degrees of freedom
    # Without a difference, F(4, 24) exceeds six at one rate of six hundred.
    even = [
        reduced((3 + valley + 0.01 * rng.standard_normal((5, 7))).tolist()).unrest
        for _ in range(40)
    ]
    assert np.mean(np.array(even) > 1) < 0.02


def test_two_runs_that_agree_by_chance_make_no_other_rate_noisy() -> None:
    # One repeated run, of the lowest rate, to the last digit: no noise is known in the valley.
    rows = [[1.2, 1.0, 1.1, 1.3], [NAN, 1.0, NAN, 1.4]]
    np.testing.assert_array_equal(reduced(rows).unrest, 1.0)


def test_only_rates_far_from_the_lowest_are_thinned() -> None:
    x = np.arange(-14.0, 0.1, 0.25)
    full = reduce_runs(LossCurve(size=64, log2_lr=x, loss=(3 + (x + 6) ** 2)[None]))
    thin = full.thin()
    near = np.abs(x + 6) <= 2.5
    assert set(x[near]) <= set(thin.log2_lr)
    far = thin.log2_lr[thin.log2_lr > -3.5]
    assert (np.diff(far)[:-1] >= 1.0).all()
    assert (thin.log2_lr[0], thin.log2_lr[-1]) == (-14.0, 0.0)
    np.testing.assert_array_equal(thin.loss, full.loss[np.isin(x, thin.log2_lr)])
    few = reduce_runs(LossCurve(size=64, log2_lr=x[:MANY], loss=np.ones((1, MANY))))
    assert few.thin() is few


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_noise_estimate_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    estimates = []
    for _ in range(200):
        loss = 0.1 * rng.standard_normal((3, 7)) + rng.standard_normal((3, 1))
        estimates.append(reduced(loss.tolist()).noise ** 2)
    # dof 12: sd of one estimate is .01 sqrt(2 / 12); of the mean of 200, 2.9 % of .01
    assert np.mean(estimates) == pytest.approx(0.01, rel=0.15)


def test_noise_of_several_curves_is_pooled(rng: np.random.Generator) -> None:
    x = np.arange(5.0)
    curves = [LossCurve(size=n, log2_lr=x, loss=rng.standard_normal((3, 5))) for n in (64, 128)]
    parts = [reduce_runs(curve) for curve in curves]
    squares, dof = (sum(float(getattr(c, f).sum()) for c in parts) for f in ("squares", "dof"))
    assert seed_noise(curves) == pytest.approx((squares / dof) ** 0.5)
    assert seed_noise([LossCurve(size=64, log2_lr=x, loss=np.ones((1, 5)))]) is None
