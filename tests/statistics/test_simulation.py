"""Simulated runs are what their truth says: else no coverage measured on them means anything."""

import numpy as np
import pytest

from lrtransfer.statistics.simulation import (
    LANDSCAPES,
    place_bounds,
    simulate,
    true_excess,
)

INSIDE = [name for name, land in LANDSCAPES.items() if not land.outside]


def test_failed_runs_record_one_loss_beyond_the_plateaus_start() -> None:
    curve, best = simulate("failplateau", rng=np.random.default_rng(0), noise=0.03)
    failed = curve.log2_lr > best + 0.9
    assert failed.any()
    assert (curve.loss[:, failed] == 12.0).all()
    assert (curve.loss[:, ~failed] < 5.0).all()


@pytest.mark.parametrize("name", INSIDE)
def test_nothing_lies_below_the_true_minimum(name: str) -> None:
    excess = true_excess(LANDSCAPES[name], np.linspace(-4, 4, 8001))
    assert excess.min() == pytest.approx(0.0, abs=1e-6)
    assert excess[4000] == pytest.approx(0.0, abs=1e-6)
    assert excess[0] == pytest.approx(1.0)


@pytest.mark.parametrize("span", [4.0, 6.0, 9.0])
@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_optima_lie_well_inside_grids_of_every_span(span: float, spacing: float) -> None:
    low, high = place_bounds(span)
    for i in range(20):
        rng = np.random.default_rng(i)
        curve, best = simulate("quad", rng=rng, span=span, spacing=spacing)
        assert np.diff(curve.log2_lr) == pytest.approx(spacing)
        assert span - spacing < curve.log2_lr[-1] - curve.log2_lr[0] <= span
        assert low <= best - curve.log2_lr[0] <= high
