import math

import pytest

from lrtransfer.reports.notation import (
    compute_log2,
    format_loss,
    format_range,
    format_rate,
    format_share,
)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (format_rate(math.nan), "–"),
        (format_rate(-2000.0), "2^-2000"),
        (format_rate(-0.04), "0.973 = 2^-0.04"),
        (format_rate(-0.001), "0.999 = 2^0"),
        (format_loss(math.inf), "–"),
        (format_loss(0.0), "0.000"),
        (format_loss(1e-9), "1.000e-09"),
        (format_share(math.inf), "∞"),
        (format_share(-1e-9), "0 %"),
        (format_range(None, None), "–"),
    ],
)
def test_numbers_at_their_limits(written: str, wanted: str) -> None:
    assert written == wanted


@pytest.mark.parametrize("lr", [0.0, -1.0])
def test_rates_without_a_logarithm_are_minus_infinity(lr: float) -> None:
    assert compute_log2(lr) == -math.inf
