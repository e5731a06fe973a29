"""Where the minimum is, when to refuse, and how often the interval is right."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.curves.curve import find_minima
from lrtransfer.statistics.curves.fit import find_optima, fit_sizes
from lrtransfer.statistics.curves.optimum import CORNER, FEW, SMOOTH, allow_corner
from lrtransfer.statistics.simulation import LANDSCAPES, loss_shape, simulate
from lrtransfer.statistics.table import LossCurve

NAN, INF = np.nan, np.inf


def best_of(loss: object, *, start: float = -9.0) -> Optimum:
    losses = np.atleast_2d(np.asarray(loss, dtype=np.float64))
    x = np.arange(start, start + losses.shape[1])
    (optimum,) = find_optima([LossCurve(size=64, log2_lr=x, loss=losses)])
    return optimum


def noisy(best: float, *, count: int = 9, seeds: int = 3) -> FloatArray:
    """Return losses on a parabola with its minimum `best` steps from the first rate."""
    rng = np.random.default_rng(11)
    k = np.arange(count)
    noise = 0.005 * rng.standard_normal((seeds, count)) + 0.02 * rng.standard_normal((seeds, 1))
    return np.asarray(3 + (k - best) ** 2 / 16 + noise)


def test_known_minimum() -> None:
    optimum = best_of(noisy(3.7))
    assert optimum.status == "ok"
    assert optimum.log2_lr == pytest.approx(-5.3, abs=0.05)
    assert optimum.low is not None
    assert optimum.high is not None
    assert optimum.low < -5.3 < optimum.high
    assert optimum.high - optimum.low < 1.0


@pytest.mark.parametrize(
    ("best", "low_known", "high_known"),
    [(-0.5, False, True), (0.0, False, True), (8.5, True, False)],
)
def test_minimum_at_a_finite_end_is_a_bound(best: float, low_known: bool, high_known: bool) -> None:
    optimum = best_of(noisy(best))
    assert optimum.status == "edge"
    assert (optimum.low is not None, optimum.high is not None) == (low_known, high_known)
    assert optimum.log2_lr == (-9.0 if best <= 0 else -1.0)


def test_noise_without_a_valley_bounds_nothing() -> None:
    loss = 3 + 0.01 * np.random.default_rng(0).standard_normal((3, 9))
    optimum = best_of(loss)
    assert (optimum.status, optimum.low, optimum.high) == ("edge", None, None)


def test_minimum_before_divergence_is_an_optimum() -> None:
    loss = noisy(4.6)
    loss[:, 6:] = INF
    optimum = best_of(loss)
    assert optimum.status == "ok"
    assert optimum.high is not None
    assert optimum.high <= -3.0


def test_divergence_right_of_the_lowest_rate_is_the_bracket() -> None:
    # Falling until it diverges: the minimum is the cliff, somewhere between rates 5 and 6.
    loss = 3 - 0.2 * np.arange(9.0) + 0.001 * np.random.default_rng(2).standard_normal((3, 9))
    loss[:, 6:] = INF
    optimum = best_of(loss)
    assert (optimum.status, optimum.log2_lr, optimum.high) == ("ok", -4.0, -3.0)
    assert optimum.low is not None
    assert -4.5 < optimum.low <= -4.0


@pytest.mark.parametrize(
    ("loss", "low", "best", "high"),
    [
        ([3.0, 2.0, 2.5, 3.5], -9.0, -8.0, -7.0),  # few rates
        ([4.0, 3.0, 2.0, 2.5, 3.5, 5.0], -8.0, -7.0, -6.0),
        ([3.0, 2.0, 2.5, INF, INF], -9.0, -8.0, -7.0),
    ],
)
def test_few_rates_give_an_interval_within_the_bracket(
    loss: list[float], low: float, best: float, high: float
) -> None:
    optimum = best_of([loss, np.add(loss, 0.01)])
    assert optimum.status == "ok"
    assert optimum.low is not None
    assert optimum.log2_lr is not None
    assert optimum.high is not None
    assert low < optimum.low < optimum.log2_lr < optimum.high < high
    assert optimum.low < best < optimum.high
    assert optimum.high - optimum.low > 0.4  # a corner may lie anywhere near


def test_lowest_of_few_rates_at_the_end_is_a_bound() -> None:
    optimum = best_of([[2.0, 2.5, 3.5, 5.0], [2.01, 2.51, 3.51, 5.01]])
    assert (optimum.status, optimum.low, optimum.log2_lr) == ("edge", None, -9.0)
    assert optimum.high is not None
    assert -9.0 <= optimum.high < -8.0


@pytest.mark.parametrize(
    ("loss", "high"),
    [([3.0, INF, INF], -8.0), ([INF, INF, INF], -9.0), ([3.0, NAN, NAN], None)],
)
def test_one_finite_rate_shows_no_optimum(loss: list[float], high: float | None) -> None:
    assert best_of(loss) == Optimum(size=64, log2_lr=None, low=None, high=high, status="none")


def test_two_finite_rates_show_a_bound() -> None:
    assert best_of([3.0, 2.0, NAN]).status == "edge"
    cliff = best_of([3.0, 2.0, INF])  # between the lowest and the one that diverged
    assert (cliff.status, cliff.log2_lr, cliff.high) == ("ok", -8.0, -7.0)


def test_nan_never_wins() -> None:
    loss = noisy(3.7)
    loss[:, 1] = NAN
    loss[0, 6] = NAN
    optimum = best_of(loss)
    assert optimum.status == "ok"
    assert optimum.log2_lr == pytest.approx(-5.3, abs=0.1)


@pytest.mark.parametrize("scale", [1e-3, 2.0, 1e4])
def test_units_of_loss_do_not_matter(scale: float) -> None:
    one, other = best_of(noisy(3.7)), best_of(scale * noisy(3.7))
    for name in ("log2_lr", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=1e-6)


def test_seed_offsets_do_not_matter() -> None:
    one = best_of(noisy(3.7))
    other = best_of(noisy(3.7) + np.array([[0.1], [-0.2], [0.4]]))
    for name in ("log2_lr", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), abs=0.05)


def test_units_of_learning_rate_shift_the_optimum() -> None:
    one, other = best_of(noisy(3.7)), best_of(noisy(3.7), start=-19.0)
    for name in ("log2_lr", "low", "high"):
        assert getattr(other, name) == pytest.approx(getattr(one, name) - 10, abs=1e-6)


def test_left_is_right() -> None:
    # The process is symmetric, its draws are not: the ends agree up to Monte Carlo error.
    one, other = best_of(noisy(3.0)), best_of(noisy(3.0)[:, ::-1])
    assert other.log2_lr == pytest.approx(-10 - (one.log2_lr or 0), abs=0.02)


def test_a_size_learns_the_shape_from_the_others() -> None:
    # Three rates two octaves apart.
    x = np.arange(-9.0, 0.0)
    poor = LossCurve(128, x[2:7:2], 3 + loss_shape("skew", x[2:7:2] + 4.6)[None])
    rich = [LossCurve(n, x, 3 + loss_shape("skew", x + 5)[None]) for n in (64, 256)]
    (alone,), (_, beside, _) = fit_sizes([poor]), fit_sizes([rich[0], poor, rich[1]])
    assert alone.location is not None
    assert beside.location is not None
    assert beside.location.sd < 0.9 * alone.location.sd
    assert abs(beside.location.log2_lr + 4.6) < 2 * beside.location.sd


@pytest.mark.parametrize("name", [n for n in LANDSCAPES if n not in ("cliffedge", "outside")])
def test_landscapes_have_their_minimum_where_they_say(name: str) -> None:
    shape = LANDSCAPES[name].shape
    d = np.linspace(-4, 4, 8001)
    values = loss_shape(shape, d)
    assert abs(d[values.argmin()]) < 1e-3 or shape == "quartic"
    assert values[0] == pytest.approx(1.0, abs=1e-6)
    assert values.min() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", ["quad", "skew", "wall", "cliff", "heavy", "missing"])
@pytest.mark.parametrize("seeds", [1, 3])
def test_interval_holds_the_truth(name: str, seeds: int) -> None:
    # At a true coverage of .95, fewer than 50 of 57 hold with probability .01; at the measured
    # .98 or more with less than 1e-5.
    held = [
        optimum.low <= truth <= optimum.high
        for optimum, truth in _simulated(name, seeds)
        if optimum.status == "ok" and optimum.low is not None and optimum.high is not None
    ]
    assert len(held) >= 54
    assert sum(held) >= len(held) - 7


def test_minimum_outside_is_always_refused() -> None:
    assert {optimum.status for optimum, _ in _simulated("outside", 3)} == {"edge"}


def test_bootstrap_of_a_parabola_fails_on_the_wall() -> None:
    """The control: if it covered, the landscapes would not tell good intervals from bad."""
    held = 0
    for i in range(60):
        rng = np.random.default_rng([7, i])
        curve, truth = simulate("wall", rng=rng, seeds=3, noise=0.008)
        low, high = _bootstrap_parabola(curve, rng)
        held += low <= truth <= high
    assert held < 30


def _simulated(name: str, seeds: int) -> list[tuple[Optimum, float]]:
    pairs: list[tuple[Optimum, float]] = []
    for study in range(19):
        rng = np.random.default_rng([study, seeds])
        noise = (0.002, 0.008, 0.03)[study % 3]
        drawn = [
            simulate(name, rng=rng, seeds=seeds, noise=noise, size=width) for width in (1, 2, 3)
        ]
        estimates = find_optima([curve for curve, _ in drawn], seed=study)
        pairs += zip(estimates, (truth for _, truth in drawn), strict=True)
    return pairs


def _bootstrap_parabola(curve: LossCurve, rng: np.random.Generator) -> tuple[float, float]:
    """Return the percentile interval of the vertex through the lowest mean and its neighbours."""
    vertices = []
    for _ in range(200):
        mean = curve.loss[rng.integers(0, len(curve.loss), len(curve.loss))].mean(axis=0)
        k = int(np.clip(mean.argmin(), 1, len(mean) - 2))
        a, b, _ = np.polyfit(curve.log2_lr[k - 1 : k + 2], mean[k - 1 : k + 2], 2)
        vertices.append(-b / (2 * a))
    low, high = np.quantile(vertices, (0.025, 0.975))
    return float(low), float(high)


def test_a_steep_side_does_not_hide_the_valley_of_one_seed() -> None:
    x = np.arange(-12.0, -0.9, 1.8)
    noise = 0.01 * np.random.default_rng(2).standard_normal(len(x))
    loss = 3 + loss_shape("skew", x + 7.6) + noise  # the last losses are 50 valleys high
    (optimum,) = find_optima([LossCurve(64, x, loss[None])])
    assert optimum.status == "ok"
    assert optimum.low is not None
    assert optimum.high is not None
    assert optimum.low <= -7.6 <= optimum.high
    assert optimum.high - optimum.low < 3.0


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_intervals_allow_for_a_corner_between_rates(spacing: float) -> None:
    x = np.arange(-12.0, -1.9, spacing)
    (fit,) = fit_sizes([LossCurve(64, x, (3 + loss_shape("skew", x + 7.1))[None])])
    optimum = fit.optimum
    assert fit.draws is not None
    assert optimum.log2_lr is not None
    assert optimum.low is not None
    low, middle, high = np.quantile(find_minima(fit.draws), (0.025, 0.5, 0.975))
    corner = allow_corner(fit.draws, float(low), float(high), least=SMOOTH)
    assert corner == pytest.approx(
        CORNER * spacing * max(1.0, spacing) ** 0.5 * SMOOTH * min(1.0, (FEW / len(x)) ** 2),
        rel=0.5,
    )
    assert optimum.log2_lr - optimum.low == pytest.approx(np.hypot(middle - low, corner))


def test_a_draw_beyond_the_largest_float_is_infinite_without_a_warning() -> None:
    # log loss -690 to 690 within three octaves: a drawn curve goes on beyond 709, where exp ends.
    loss = np.exp(np.array([[690.0, -690.0, -680.0, 690.0]]))
    (fit,) = fit_sizes([LossCurve(size=64, log2_lr=np.arange(-9.0, -5.0), loss=loss)])
    assert fit.draws is not None
    assert np.isposinf(fit.draws.loss).any()
    assert not np.isnan(fit.draws.loss).any()
