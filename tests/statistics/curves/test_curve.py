"""The sampler against dense linear algebra, and what does not move it."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves import curve as module
from lrtransfer.statistics.curves.columns import Columns, Residuals, reduce_runs
from lrtransfer.statistics.curves.curve import draw_curves
from lrtransfer.statistics.simulation import simulate
from lrtransfer.statistics.table import LossCurve

LENGTH, SIZE, NOISE = 2.5, 0.2, 0.05


def fix_hyperparameters(monkeypatch: pytest.MonkeyPatch, *, stretched: bool = False) -> None:
    """Leave one point of each grid."""
    monkeypatch.setattr(module, "STRETCHED", np.array([stretched]))
    monkeypatch.setattr(module, "BENDS", (np.inf,))
    for name, value in [("LENGTHS", LENGTH), ("SIZES", SIZE), ("NOISES", NOISE)]:
        monkeypatch.setattr(module, name, np.array([value]))
    for name in ("LENGTH_PRIOR", "SIZE_PRIOR", "NOISE_PRIOR"):
        monkeypatch.setattr(module, name, np.zeros(1))


def kernel(a: FloatArray, b: FloatArray, bottom: float | None = None) -> FloatArray:
    if bottom is not None:
        a, b = (x + 3 * np.arctan((x - bottom) / 0.75) for x in (a, b))
    r = np.sqrt(7) * np.abs(a[:, None] - b) / LENGTH
    return np.asarray((1 + r + 2 * r**2 / 5 + r**3 / 15) * np.exp(-r))


def kriging(
    data: Columns, at: FloatArray, scale: float, bottom: float | None
) -> tuple[FloatArray, FloatArray]:
    """Return mean and covariance of universal kriging, Rasmussen & Williams (2.41, 2.42)."""
    x = data.log2_lr
    inverse = np.linalg.inv(SIZE**2 * kernel(x, x, bottom) + NOISE**2 * data.covariance)
    trend, trend_at = np.vander(x - x.mean(), 3), np.vander(at - x.mean(), 3)
    cross = SIZE**2 * kernel(at, x, bottom)
    lack = trend_at - cross @ inverse @ trend
    precision = np.linalg.inv(trend.T @ inverse @ trend)
    beta = precision @ trend.T @ inverse @ data.loss
    mean = np.asarray(trend_at @ beta + cross @ inverse @ (data.loss - trend @ beta))
    covariance = SIZE**2 * kernel(at, at, bottom) - cross @ inverse @ cross.T
    return mean, np.asarray(scale**2 * (covariance + lack @ precision @ lack.T))


@pytest.mark.parametrize("stretched", [False, True])
def test_draws_follow_the_dense_posterior(monkeypatch: pytest.MonkeyPatch, stretched: bool) -> None:
    fix_hyperparameters(monkeypatch, stretched=stretched)
    rng = np.random.default_rng(3)
    loss = 3 + (np.arange(7) - 3.2) ** 2 / 16 + 0.05 * rng.standard_normal((2, 7))
    loss[1, 2] = np.nan  # so that the columns' errors are correlated
    data = reduce_runs(LossCurve(size=64, log2_lr=np.arange(-9.0, -2.0), loss=loss))
    curves = draw_curves(data, Residuals(0.0, 0.0), rng=rng, draws=40_000)
    at = curves.log2_lr[::13]
    scale = float(np.quantile(data.loss, 0.6) - data.loss.min())
    bottom = float(data.log2_lr[data.loss.argmin()]) if stretched else None
    mean, covariance = kriging(data, at, scale, bottom)
    drawn = curves.loss[:, ::13]
    sd = np.sqrt(np.diag(covariance))
    # 40,000 draws: the mean is known to .005 sd, the covariances to about .7 %
    np.testing.assert_allclose((drawn.mean(axis=0) - mean) / sd, 0.0, atol=0.025)
    np.testing.assert_allclose(
        np.cov(drawn.T) / np.outer(sd, sd), covariance / np.outer(sd, sd), atol=0.03
    )


@pytest.mark.parametrize("bend", [np.inf, 2.0, 0.5])
def test_evidence_is_the_density_of_the_data(bend: float) -> None:
    # The same likelihood from a Gaussian density in y, with a flat trend as a wide one, and the
    # volume of u -> y: all differences between hyperparameters and bends must agree.
    u = np.array([1.4, 0.5, 0.1, 0.0, 0.2, 0.9])
    points = np.arange(6.0)
    at = np.arange(6)
    shared = np.eye(6) / 3
    kernels = module._correlate(points, points, bottom=3.0)
    reference = module._Model.fit(u, shared, points, at, kernels, np.inf).log_evidence[1, 3, 20]
    evidence = module._Model.fit(u, shared, points, at, kernels, bend).log_evidence
    settings = [(0, 4, 30), (2, 3, 12), (4, 5, 20)]
    fast = [evidence[setting] - reference for setting in settings]
    z = (points - points.mean()) / 5
    basis = np.stack([np.ones(6), z, z**2], axis=1)

    def density(j: int, i: int, k: int, bend: float) -> float:
        slope = 1 / (1 + u / bend)
        y = u if np.isinf(bend) else bend * np.log1p(u / bend)
        noise = module.NOISES[k] ** 2 * slope[:, None] * shared * slope
        total = module.SIZES[i] ** 2 * kernels[j] + noise + 1e5 * basis @ basis.T
        log_det = np.linalg.slogdet(total)[1]
        return float(-(log_det + y @ np.linalg.solve(total, y)) / 2 + np.log(slope).sum())

    naive = [density(*setting, bend) for setting in settings]
    np.testing.assert_allclose(fast, np.array(naive) - density(1, 3, 20, np.inf), atol=0.02)


def test_same_generator_same_draws() -> None:
    data = reduce_runs(simulate("skew", rng=np.random.default_rng(0))[0])
    one, other = (
        draw_curves(data, data.residuals, rng=np.random.default_rng(1)).loss for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


def test_cliff_is_drawn_uniformly() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(-9.0, -1.0)
    loss = np.where(x > -4.0, np.inf, 3 + (x + 5) ** 2 / 16)[None]
    data = reduce_runs(LossCurve(size=64, log2_lr=x, loss=loss))
    curves = draw_curves(data, data.residuals, rng=rng, draws=4000)
    alive = np.isfinite(curves.loss).mean(axis=0)
    x = curves.log2_lr
    assert x[-1] == -3.0
    assert (alive[x <= -4.0] == 1).all()
    # uniform: alive at -4 + t with probability 1 - t, within 5 sd of sqrt(.25 / 4000)
    np.testing.assert_allclose(alive[x > -4.0], -3 - x[x > -4.0], atol=0.04)


def test_all_rates_are_among_the_points() -> None:
    x = np.log2([1e-4, 3e-4, 1e-3, 1.1e-3, 3e-3, 1e-2, 3e-2])
    data = reduce_runs(LossCurve(size=64, log2_lr=x, loss=(3 + (x + 8) ** 2)[None]))
    curves = draw_curves(data, data.residuals, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(curves.log2_lr[curves.at_columns], x)
    assert np.diff(curves.log2_lr).max() <= module.STEP + 1e-12


def test_equal_losses_are_no_accident() -> None:
    data = reduce_runs(LossCurve(size=64, log2_lr=np.arange(-9.0, -1.0), loss=np.full((2, 8), 3.0)))
    curves = draw_curves(data, data.residuals, rng=np.random.default_rng(0))
    np.testing.assert_allclose(curves.loss, 3.0, atol=1e-6)


def test_many_equal_losses_beside_a_steep_side() -> None:
    # Losses printed with two digits: no height over most of the rates.
    loss = np.array([[9.0, 3.01, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 8.0]] * 2)
    loss[1, 3] += 0.01
    data = reduce_runs(LossCurve(size=64, log2_lr=np.arange(-9.0, 0.0), loss=loss))
    curves = draw_curves(data, data.residuals, rng=np.random.default_rng(0))
    assert np.isfinite(curves.loss).all()
    assert np.median(curves.loss[:, curves.at_columns], axis=0) == pytest.approx(
        data.loss, rel=0.05
    )
