"""A simulated study follows its path, and the truth it states is that of its runs."""

import numpy as np
import pytest

from lrtransfer.statistics.simulated_study import SweepRegime, simulate_study
from lrtransfer.statistics.simulation import loss_shape


def test_grids_follow_optima_by_whole_spacings() -> None:
    regime = SweepRegime(span=4.0, spacing=0.5, seeds=1, noise=0.0)
    path = [-0.5 * k for k in range(6)]
    study = simulate_study("skew", path=path, rng=np.random.default_rng(1), regime=regime)
    assert np.diff(study.optima) == pytest.approx(-0.5)
    lattice = np.concatenate([curve.log2_lr for curve in study.curves])
    steps = (lattice - lattice[0]) / 0.5
    assert steps == pytest.approx(steps.round())
    for curve, best in zip(study.curves, study.optima, strict=True):
        assert curve.log2_lr[0] + 0.9 < best < curve.log2_lr[-1] - 0.9
        assert abs(curve.log2_lr[curve.loss[0].argmin()] - best) <= 0.5


def test_a_minimum_outside_stays_outside() -> None:
    rng = np.random.default_rng(2)
    study = simulate_study("outside", path=(0.0, -1.0, -2.0), rng=rng)
    for curve, best in zip(study.curves, study.optima, strict=True):
        assert best < curve.log2_lr[0] or best > curve.log2_lr[-1]


def test_the_true_regret_is_that_of_runs_without_noise() -> None:
    regime = SweepRegime(noise=0.0, seeds=1, floor=2.0)
    study = simulate_study(
        "skew", path=(0.0, -0.5), rng=np.random.default_rng(3), regime=regime, growth=1.0
    )
    curve = study.curves[1]
    # R doubles with the size; losses are 2 + 2 f(d), so that regrets are f(d)
    by_hand = loss_shape("skew", curve.log2_lr - study.optima[1])
    assert curve.loss[0] == pytest.approx(2 + 2 * by_hand)
    measured = [study.regret(float(x), doubling=1) for x in curve.log2_lr]
    assert measured == pytest.approx(list(by_hand))


def test_the_table_holds_the_runs_that_were_made() -> None:
    study = simulate_study("missing", path=(0.0, 0.0), rng=np.random.default_rng(4))
    made = sum(int((~np.isnan(curve.loss)).sum()) for curve in study.curves)
    assert len(study.table) == made < 60
    (first, _) = study.table.curves("missing")
    assert first.loss[~np.isnan(first.loss)] == pytest.approx(
        study.curves[0].loss[~np.isnan(study.curves[0].loss)]
    )
