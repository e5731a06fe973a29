"""Naive intervals fail on the landscapes where ours hold: else the landscapes would be too easy."""

import numpy as np
import pytest

from benchmarks.controls import coverage
from benchmarks.trends import drift_row


@pytest.mark.parametrize(
    ("name", "failing"),
    [
        ("skew", ("bootstrap parabola", "one parabola")),
        ("wall", ("bootstrap argmin", "bootstrap parabola", "one parabola")),
        ("quartic", ("bootstrap argmin", "bootstrap parabola")),
    ],
)
def test_naive_intervals_fail_where_ours_hold(name: str, failing: tuple[str, ...]) -> None:
    shares = coverage(name, curves=30)
    assert shares["ours"] >= 0.93
    assert all(shares[method] < 0.75 for method in failing), shares


def test_a_line_without_scatter_fails_where_ours_holds() -> None:
    # Half an octave: less hides behind intervals that allow for corners between rates.
    rows = np.array([drift_row(i, widths=5, scatter=0.5) for i in range(40)])
    ours, control, _ = np.nanmean(rows, axis=0)
    assert ours >= 0.85
    assert control < 0.75
