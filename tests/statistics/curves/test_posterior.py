"""Evidence and draws of single models against dense Gaussian algebra."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.columns import reduce_runs
from lrtransfer.statistics.curves.models import (
    BASES,
    BENDS,
    KERNEL_OF,
    KERNELS,
    NOISES,
    SIZE_OF,
    TREND_MEAN,
    TREND_SD,
    WALL_KERNEL,
    WALL_OF,
    free_walls,
)
from lrtransfer.statistics.curves.posterior import (
    Bump,
    CurveData,
    ModelWeights,
    add_bump,
    find_evidence,
    log_prior,
    prepare,
)
from lrtransfer.statistics.curves.sampling import draw_curves
from lrtransfer.statistics.table import LossCurve

SMOOTH, ROUGH = 8, 38  # errors: a smooth kernel, a rough one
WALLED = int(np.flatnonzero(WALL_OF)[-1])


@pytest.fixture
def data() -> CurveData:
    rng = np.random.default_rng(3)
    loss = 3 + (np.arange(7) - 3.2) ** 2 / 16 + 0.05 * rng.standard_normal((2, 7))
    loss[1, 2] = np.nan  # so that the columns' errors are correlated
    columns = reduce_runs(LossCurve(size=64, log2_lr=np.arange(-9.0, -2.0), loss=loss))
    return prepare(columns, scale=columns.height)


def correlate(data: CurveData, error: int, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return prior mean and covariance of z at rates x, built densely."""
    d = x - data.columns.log2_lr[data.columns.loss.argmin()]
    basis = np.vander(d, 3, increasing=True)
    covariance = basis @ np.diag(TREND_SD**2) @ basis.T
    if KERNEL_OF[error] >= 0:
        covariance = covariance + SIZE_OF[error] ** 2 * KERNELS[KERNEL_OF[error]].correlate(d)
    if WALL_OF[error]:
        walls = free_walls(np.interp(x, data.columns.log2_lr, data.u))
        covariance = covariance + np.outer(walls, walls) * KERNELS[WALL_KERNEL].correlate(d)
    return basis @ TREND_MEAN, np.asarray(covariance)


def bent(data: CurveData, bend: int, noise: int) -> tuple[FloatArray, FloatArray]:
    """Return z of the columns and the covariance of its noise."""
    rule = BENDS[bend]
    slope = rule.slope(data.u)
    own = data.columns.covariance(rule.growth(data.u))
    return rule.apply(data.u), np.asarray(NOISES[noise] ** 2 * slope[:, None] * own * slope)


def density(rest: FloatArray, covariance: FloatArray) -> float:
    log_det = np.linalg.slogdet(covariance)[1]
    return float(-(log_det + rest @ np.linalg.solve(covariance, rest)) / 2)


def rate(
    data: CurveData, bend: int, error: int, noise: int, extra: FloatArray | float = 0
) -> float:
    """Return the log evidence of a model from a dense density of z and the seeds' residuals."""
    z, own = bent(data, bend, noise)
    mean, covariance = correlate(data, error, data.columns.log2_lr)
    rule, columns = BENDS[bend], data.columns
    growth = rule.growth(data.u)
    sigma = NOISES[noise] * growth * data.scale
    residuals = -(columns.squares / (2 * sigma**2)).sum() - columns.dof @ np.log(sigma)
    jacobian = np.log(rule.slope(data.u)).sum()
    return density(z - mean, covariance + own + extra) + float(jacobian + residuals)


@pytest.mark.parametrize("bend", range(len(BENDS)))
@pytest.mark.parametrize("error", [0, SMOOTH, ROUGH, WALLED])
def test_evidence_is_the_density_of_the_data(data: CurveData, bend: int, error: int) -> None:
    evidence = find_evidence(data).smooth
    reference = evidence[0, 0, 6] - rate(data, 0, 0, 6)  # a constant common to all models
    for noise in (2, 6, 10):
        expected = rate(data, bend, error, noise) + reference
        assert evidence[bend, error, noise] == pytest.approx(expected, rel=1e-8, abs=1e-6)


def test_a_corner_is_two_more_columns_of_the_design(data: CurveData) -> None:
    evidence = find_evidence(data)
    base, cell, height, noise = 3, 1, 2, 5
    features = data.corners.features(data.columns.log2_lr)[cell]
    spread = features @ np.diag(data.corners.variances[cell, height]) @ features.T
    expected = rate(data, 1, BASES[base], noise, spread) - rate(data, 1, BASES[base], noise)
    gained = (
        evidence.cornered[1, base, noise, cell, height] - evidence.smooth[1, BASES[base], noise]
    )
    assert gained == pytest.approx(expected, abs=1e-6)


def test_the_others_curvature_is_one_more_measurement(data: CurveData) -> None:
    bump = Bump(centre=-5.5, log=-1.2, sd=0.4)
    evidence, prior = find_evidence(data), log_prior(data)
    added = add_bump(data, prior + evidence, evidence, bump)
    centre, bend, error = -5.5, 0, SMOOTH
    noise = int((prior + evidence).smooth[bend, error].argmax())
    x = np.concatenate([data.columns.log2_lr, [centre - 1, centre, centre + 1]])
    # The design takes the points' values; the second difference is interpolated between them.
    points = data.points
    take = np.zeros((3, len(points)))
    for row, at in enumerate(x[-3:]):
        right = int(np.searchsorted(points, at))
        share = (at - points[right - 1]) / (points[right] - points[right - 1])
        take[row, right - 1 : right + 1] = 1 - share, share
    second = np.array([1.0, -2.0, 1.0]) @ take
    design = np.vstack([np.eye(len(points))[data.at], second])
    mean, covariance = correlate(data, error, points)
    z, own = bent(data, bend, noise)
    half = np.exp(bump.log) / 2  # either side rises by half of the second difference
    full = np.block([
        [own, np.zeros((len(z), 1))],
        [np.zeros((1, len(z))), np.array([[(2 * half * bump.sd) ** 2]])],
    ])
    rest = np.append(z, 2 * half) - design @ mean
    with_bump = density(rest, design @ covariance @ design.T + full)
    top = design[:-1]
    without = density(rest[:-1], top @ covariance @ top.T + own)
    before = prior.smooth[bend, error, noise] + evidence.smooth[bend, error, noise]
    gained = added.smooth[bend, error, noise] - before
    assert gained == pytest.approx(with_bump - without, abs=1e-6)


@pytest.mark.parametrize("error", [SMOOTH, WALLED])
def test_draws_follow_kriging(data: CurveData, error: int) -> None:
    # One model, without a bend: mean and covariance are those of Rasmussen & Williams (2.25, 2.26).
    noise = 5
    evidence = find_evidence(data)
    smooth = np.zeros_like(evidence.smooth)
    smooth[0, error, noise] = 1.0
    weights = ModelWeights(smooth, np.zeros_like(evidence.cornered))
    drawn = draw_curves(data, weights, bump=None, count=30_000, rng=np.random.default_rng(0))
    z, own = bent(data, 0, noise)
    mean, covariance = correlate(data, error, data.points)
    at = data.at
    gain = covariance[:, at] @ np.linalg.inv(covariance[np.ix_(at, at)] + own)
    expected = mean + gain @ (z - mean[at])
    left = covariance - gain @ covariance[at]
    sd = np.sqrt(np.diag(left))
    # 30,000 draws: means to .006 sd, covariances to about .8 %
    np.testing.assert_allclose((drawn.u.mean(axis=0) - expected) / sd, 0.0, atol=0.03)
    some = slice(None, None, 7)
    scaled = np.cov(drawn.u[:, some].T) / np.outer(sd[some], sd[some])
    np.testing.assert_allclose(scaled, left[some, some] / np.outer(sd[some], sd[some]), atol=0.04)
    assert (drawn.noise == NOISES[noise]).all()
    assert np.isnan(drawn.kinks).all()


def test_a_kink_is_found_between_two_rates() -> None:
    # Two straight lines that meet at -5.3: no rate lies there.
    x = np.arange(-9.0, -1.0)
    loss = 3 + np.where(x < -5.3, (-5.3 - x) / 4, x + 5.3) + 1e-4 * np.sin(9 * x)
    columns = reduce_runs(LossCurve(size=64, log2_lr=x, loss=loss[None]))
    data = prepare(columns, scale=columns.height)
    weights = (log_prior(data) + find_evidence(data)).normalise()
    assert weights.cornered.sum() > 0.9
    drawn = draw_curves(data, weights, bump=None, count=400, rng=np.random.default_rng(0))
    assert np.nanmedian(drawn.kinks) == pytest.approx(-5.3, abs=0.05)


def test_weights_are_probabilities_and_products() -> None:
    one = ModelWeights(np.array([0.0, 1.0]), np.array([2.0]))
    total = one.normalise()
    assert total.smooth.sum() + total.cornered.sum() == pytest.approx(1.0)
    assert (one + one - one).smooth.tolist() == one.smooth.tolist()
