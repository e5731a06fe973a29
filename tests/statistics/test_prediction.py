"""The rate of least expected loss, against quadrature; the interval about it, against normals."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import TAIL
from lrtransfer.statistics.curves.columns import reduce_runs
from lrtransfer.statistics.curves.curve import CurveDraws
from lrtransfer.statistics.curves.fit import fit_sizes
from lrtransfer.statistics.prediction import (
    CANDIDATES,
    MOST_OCTAVES,
    NEAR,
    NEAR_DOUBLINGS,
    WORST_HEIGHTS,
    find_least_risk,
    locate_target,
    predict,
    take_interval,
)
from lrtransfer.statistics.table import LossCurve
from lrtransfer.statistics.trend import Location, NormalMixture

Shape = Callable[[FloatArray], FloatArray]

X = np.linspace(-10.0, -2.0, 129)  # fine enough for the lines between points to be the curve
LOWEST, FLOOR, WALL = -6.0, 3.0, 1.0  # where the curve is lowest, its loss there, octaves to a wall
STEP = CANDIDATES[1] - CANDIDATES[0]


def valley(u: FloatArray) -> FloatArray:
    return u**2 / 16


def steep_above(u: FloatArray) -> FloatArray:
    return np.where(u > 0, u**2, u**2 / 16)


def wall_above(u: FloatArray) -> FloatArray:
    return np.where(u > WALL, np.inf, u**2 / 16)


def repeat_curve(shape: Shape, *, draws: int = 40) -> CurveDraws:
    """Draws that are all the same curve: what remains to be averaged over is the optimum."""
    loss = FLOOR + shape(X - LOWEST)
    columns = reduce_runs(LossCurve(size=64, log2_lr=X, loss=loss[None]))
    return CurveDraws(
        columns=columns,
        log2_lr=X,
        loss=np.tile(loss, (draws, 1)),
        at_columns=np.arange(len(columns.log2_lr)),
        kinks=np.full(draws, np.nan),
        noise=0.0,
        rough=0.0,
    )


def one_normal(mean: float, sd: float) -> NormalMixture:
    return NormalMixture(weights=np.ones(1), means=np.array([mean]), sds=np.array([sd]))


def integrate_risk(shape: Shape, worst: float, where: NormalMixture, rate: float) -> float:
    """Expected capped excess by the trapezoidal rule."""
    x = np.linspace(-5.0, 5.0, 20001) + where.mean
    density = norm.pdf(x[:, None], where.means, where.sds) @ where.weights
    return float(np.trapezoid(np.minimum(shape(rate - x), worst) * density, x))


@pytest.mark.parametrize("shape", [valley, steep_above, wall_above])
def test_no_rate_costs_less_in_expectation(shape: Shape) -> None:
    where = NormalMixture(
        weights=np.array([0.7, 0.3]), means=np.array([-7.2, -6.8]), sds=np.array([0.3, 0.5])
    )
    curve, middle = repeat_curve(shape), where.quantile(0.5)
    worst = WORST_HEIGHTS * curve.columns.height
    risks = [integrate_risk(shape, worst, where, middle + c) for c in CANDIDATES]
    found = find_least_risk(curve, where, middle)
    assert integrate_risk(shape, worst, where, found) == pytest.approx(min(risks), rel=0.1)


def test_a_valley_alike_on_both_sides_is_used_in_the_middle() -> None:
    where = one_normal(-7.0, 0.4)
    found = find_least_risk(repeat_curve(valley), where, -7.0)
    assert found == pytest.approx(-7.0, abs=STEP)


@pytest.mark.parametrize("shape", [steep_above, wall_above])
def test_the_rate_keeps_away_from_the_steep_side(shape: Shape) -> None:
    where = one_normal(-7.0, 0.6)
    found = find_least_risk(repeat_curve(shape), where, -7.0)
    assert found < -7.0 - 2 * STEP


@pytest.mark.parametrize(
    ("size", "share"), [(128, NEAR), (256, NEAR), (512, 1.0), (32, NEAR), (16, 1.0)]
)
def test_the_interval_is_that_of_the_mixture_narrower_nearby(size: int, share: float) -> None:
    assert 1 <= NEAR_DOUBLINGS < 2
    places = [Location(size=n, log2_lr=-7.0, sd=0.1) for n in (64, 128)]
    low, middle, high = take_interval(one_normal(-7.0, 0.4), places, size=size)
    half = share * 0.4 * norm.ppf(1 - TAIL)
    assert (low, middle, high) == pytest.approx((-7.0 - half, -7.0, -7.0 + half), abs=1e-6)


def parabola(size: int, lowest: float) -> LossCurve:
    x = np.arange(-10.0, -1.0)
    return LossCurve(size=size, log2_lr=x, loss=FLOOR + (x[None] - lowest) ** 2 / 16)


def test_the_prediction_lies_in_its_interval_about_the_median() -> None:
    fits = fit_sizes([parabola(n, -6.0 - i / 2) for i, n in enumerate((64, 128, 256))])
    where, said = locate_target(fits, size=512), predict(fits, size=512)
    assert where is not None
    assert said is not None
    assert np.log2(said.middle) == pytest.approx(where.quantile(0.5), abs=1e-9)
    assert said.low <= said.lr <= said.high


def test_one_optimum_predicts_nothing() -> None:
    fits = fit_sizes([parabola(64, -6.0)])
    assert locate_target(fits, size=128) is None
    assert predict(fits, size=128) is None


def test_an_interval_of_more_than_the_most_octaves_is_no_prediction() -> None:
    fits = fit_sizes([parabola(n, -6.0) for n in (64, 128)])
    far = 64 * 2**60
    where = locate_target(fits, size=far)
    assert where is not None
    assert where.quantile(1 - TAIL) - where.quantile(TAIL) > 2 * MOST_OCTAVES
    assert predict(fits, size=far) is None
