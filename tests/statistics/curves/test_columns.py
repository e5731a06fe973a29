import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.columns import POOLING, Columns, pool_residuals, reduce_runs
from lrtransfer.statistics.table import LossCurve

NAN, INF = np.nan, np.inf


def reduced(rows: list[list[float]], *, width: int = 64) -> Columns:
    loss = np.array(rows)
    return reduce_runs(
        LossCurve(size=width, log2_lr=np.arange(-9.0, loss.shape[1] - 9.0), loss=loss)
    )


def test_residuals_by_hand() -> None:
    # Column means 2, 3, 4; seed means 2, 4 about 3, so offsets -1, +1.
    # Seed 0: 1 2 3 - (2 3 4) - (-1) = 0 0 0, but 1.3 instead of 1 and 2.7 instead of 3 in both
    # seeds with opposite signs: residuals ±.3, sum of squares 4 * .09.
    # 6 runs - 3 columns - 2 seeds + 1 = 2 degrees of freedom.
    effects = reduced([[1.3, 2.0, 2.7], [2.7, 4.0, 5.3]])
    np.testing.assert_allclose(effects.loss, [2.0, 3.0, 4.0], atol=1e-12)
    assert effects.residuals.sum_of_squares == pytest.approx(0.36, rel=1e-3)
    assert effects.residuals.dof == 2
    np.testing.assert_allclose(effects.covariance, np.eye(3) / 2, atol=1e-9)


def test_seed_offsets_leave_no_trace(rng: np.random.Generator) -> None:
    loss = 3 + rng.standard_normal((3, 6))
    loss[0, 2] = loss[2, 5] = NAN
    shifted = loss + np.array([[5.0], [-7.0], [2.0]])
    one, other = reduced(loss.tolist()), reduced(shifted.tolist())
    np.testing.assert_allclose(np.diff(other.loss), np.diff(one.loss), atol=1e-3)
    assert other.residuals.sum_of_squares == pytest.approx(one.residuals.sum_of_squares, rel=1e-3)


def test_missing_run_does_not_tilt_the_curve() -> None:
    # Seed 1 lies 10 higher. Without its run in column 0, a plain mean of column 0 would be 1.
    effects = reduced([[1.0, 2.0, 3.0], [NAN, 12.0, 13.0]])
    np.testing.assert_allclose(np.diff(effects.loss), [1.0, 1.0], atol=1e-3)


def test_two_way_fit_is_least_squares(rng: np.random.Generator) -> None:
    loss = rng.standard_normal((4, 5))
    loss[1, 3] = loss[2, 0] = NAN
    seed, col = np.nonzero(np.isfinite(loss))
    design = np.concatenate([np.eye(5)[col], np.eye(4)[seed]], axis=1)
    solution, *_ = np.linalg.lstsq(design, loss[seed, col])
    rest = loss[seed, col] - design @ solution
    effects = reduced(loss.tolist())
    np.testing.assert_allclose(np.diff(effects.loss), np.diff(solution[:5]), atol=1e-3)
    assert effects.residuals.sum_of_squares == pytest.approx(rest @ rest, rel=1e-3)
    assert effects.residuals.dof == len(seed) - np.linalg.matrix_rank(design)


def test_seeds_without_a_common_rate_stay_usable() -> None:
    effects = reduced([[3.0, 2.0, NAN, NAN], [NAN, NAN, 2.5, 3.5]])
    assert np.isfinite(effects.covariance).all()
    assert effects.covariance[0, 2] < 0 < effects.covariance[0, 1]
    assert effects.residuals.dof == 0


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
    assert effects.span == 6.0


def test_nothing_finite() -> None:
    effects = reduced([[NAN, INF, INF]])
    assert effects.loss.shape == (0,)
    assert (effects.diverged_below, effects.diverged_above) == (None, -8.0)


def test_residuals_of_other_widths_count_less(rng: np.random.Generator) -> None:
    many = [reduced(rng.standard_normal((3, 5)).tolist(), width=w) for w in (64, 128)]
    first, second = (c.residuals for c in many)
    pooled = pool_residuals(many, 0)
    assert pooled.dof == first.dof + POOLING * second.dof
    assert pooled.sum_of_squares == first.sum_of_squares + POOLING * second.sum_of_squares


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_noise_estimate_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    estimates: list[FloatArray] = []
    for _ in range(200):
        loss = 0.1 * rng.standard_normal((3, 7)) + rng.standard_normal((3, 1))
        effects = reduced(loss.tolist()).residuals
        estimates.append(np.array(effects.sum_of_squares / effects.dof))
    # dof 12: sd of one estimate is .01 sqrt(2 / 12); of the mean of 200, 2.9 % of .01
    assert np.mean(estimates) == pytest.approx(0.01, rel=0.1)
