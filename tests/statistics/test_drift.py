import math

import pytest

from lrtransfer.statistics.answer import Optimum
from lrtransfer.statistics.drift import BEND, fit_drift, predict


def line(slope: float, *, widths: int = 5, half: float = 0.098) -> list[Optimum]:
    """Return optima on a line, with a standard error of .05 unless told otherwise."""
    return [
        Optimum(
            size=2**i,
            log2_lr=-6 + slope * i,
            low=-6 + slope * i - half,
            high=-6 + slope * i + half,
            status="ok",
        )
        for i in range(5, 5 + widths)
    ]


@pytest.mark.parametrize("slope", [0.0, -0.5, 0.3])
def test_drift_is_octaves_per_doubling(slope: float) -> None:
    drift = fit_drift(line(slope))
    assert drift is not None
    assert drift.estimate == pytest.approx(slope)
    # sd of the slope .05 / sqrt(4 + 1 + 0 + 1 + 4), Student quantile with 3 dof 3.182
    assert drift.high == pytest.approx(slope + 3.182 * 0.05 / math.sqrt(10), rel=1e-3)
    assert drift.low == pytest.approx(slope - 3.182 * 0.05 / math.sqrt(10), rel=1e-3)


def test_only_known_optima_count() -> None:
    edge = Optimum(size=2**12, log2_lr=40.0, low=39.0, high=None, status="edge")
    none = Optimum(size=2**13, log2_lr=None, low=None, high=None, status="none")
    assert fit_drift([*line(-0.2), edge, none]) == fit_drift(line(-0.2))
    assert fit_drift([*line(0.0, widths=2), edge, none]) is None
    assert predict([*line(0.0, widths=2), edge], size=4096) is None


def test_prediction_by_hand() -> None:
    # Widths 2^5 .. 2^9, target 2^11: 4 doublings from the middle. Line: h_i = 1/5 + 4 d_i / 10,
    # sum h^2 = 1/5 + 16/10 = 1.8, so se .05 sqrt(1.8) and with 3 dof 3.182 of it.
    # Bend: half of (16 - sum h_i d_i^2) = (16 - 2) / 2 = 7 octaves per unit of bend.
    statistical = 3.182 * 0.05 * math.sqrt(1.8)
    bend = 1.96 * BEND * 7
    prediction = predict(line(-0.5), size=2**11)
    assert prediction is not None
    assert math.log2(prediction.lr) == pytest.approx(-6 - 5.5)
    assert math.log2(prediction.high / prediction.lr) == pytest.approx(
        math.hypot(statistical, bend), rel=1e-3
    )
    assert math.log2(prediction.lr / prediction.low) == pytest.approx(
        math.hypot(statistical, bend), rel=1e-3
    )
    assert "octaves per doubling" in prediction.assumption


def test_prediction_at_the_middle_needs_little_bend() -> None:
    near, far = (predict(line(0.0), size=2**i) for i in (7, 12))
    assert near is not None
    assert far is not None
    assert near.high / near.low < far.high / far.low


def test_prediction_that_says_nothing_is_not_made() -> None:
    assert predict(line(0.0, widths=3, half=2.0), size=2**16) is None


def test_interval_of_no_width_weighs_no_more_than_the_grid() -> None:
    exact = [
        Optimum(size=2**i, log2_lr=-6.0, low=-6.0, high=-6.0, status="ok") for i in range(5, 9)
    ]
    drift = fit_drift(exact)
    assert drift is not None
    assert drift.low is not None
    assert drift.low < 0
