"""The grid of models: bends, kernels and weights against their definitions."""

import numpy as np
import pytest

from lrtransfer.scaling import FloatArray
from lrtransfer.statistics.curves.models import (
    BASES,
    BENDS,
    FREE,
    HIGH,
    KERNEL_OF,
    KERNELS,
    LOG_PRIOR,
    NOISE_PRIOR,
    SIZE_OF,
    WALL_OF,
    Bend,
    Kernel,
    free_walls,
    list_rough,
    stretch,
)


@pytest.mark.parametrize("bend", BENDS)
def test_a_bend_is_undone_and_its_slope_is_its_derivative(bend: Bend) -> None:
    u = np.array([0.0, 0.3, 2.0, 40.0])
    np.testing.assert_allclose(bend.undo(bend.apply(u)), u, atol=1e-12)
    step = 1e-6
    numeric = (bend.apply(u + step) - bend.apply(u)) / step
    np.testing.assert_allclose(bend.slope(u), numeric, rtol=1e-4)
    assert bend.growth(u)[0] == 1.0


def spectral_correlation(kernel: Kernel, distance: float) -> float:
    """Return the Matérn correlation as the characteristic function of Student's t (2 nu)."""
    nu = kernel.smoothness
    t = np.linspace(-400, 400, 800_001) / kernel.length
    density = (1 + (kernel.length * t) ** 2 / (2 * nu)) ** -(nu + 0.5)
    return float((np.cos(t * distance) * density).sum() / density.sum())


@pytest.mark.parametrize("kernel", [k for k in KERNELS if not k.stretched])
def test_kernels_have_the_spectral_density_of_matern(kernel: Kernel) -> None:
    d = np.array([0.0, 0.7, 2.0, 5.0])
    expected = [spectral_correlation(kernel, x) for x in d]
    np.testing.assert_allclose(kernel.correlate(d)[0], expected, atol=2e-4)


def test_stretched_kernels_are_short_at_the_bottom_alone() -> None:
    kernel = next(k for k in KERNELS if k.stretched)
    d = np.array([-6.0, -5.9, -0.05, 0.05, 5.9, 6.0])
    correlation = kernel.correlate(d)
    assert correlation[2, 3] < correlation[0, 1]
    slope = (stretch(np.array([1e-6])) - stretch(np.array([0.0])))[0] / 1e-6
    assert kernel.length / slope == pytest.approx(kernel.shortest, rel=1e-4)


def test_weights_of_the_errors_sum_to_one() -> None:
    errors = np.exp(LOG_PRIOR - NOISE_PRIOR).sum(axis=(0, 2)) / LOG_PRIOR.shape[2]
    assert errors.sum() == pytest.approx(1.0)
    bends = np.exp(LOG_PRIOR - NOISE_PRIOR).mean(axis=2).sum(axis=1)
    np.testing.assert_allclose(bends, [bend.weight for bend in BENDS])


def test_walls_are_free_above_the_valley_alone() -> None:
    free: FloatArray = free_walls(np.array([0.0, FREE, FREE + 1, FREE + HIGH, 1e6]))
    assert (free[:2] == 0).all()
    assert 0 < free[2] < free[3] == free[4]


def test_corners_go_with_smooth_errors_without_a_wall() -> None:
    assert not WALL_OF[BASES].any()
    assert not list_rough(0.5)[BASES].any()
    assert (SIZE_OF[KERNEL_OF == -1] == 0).all()
