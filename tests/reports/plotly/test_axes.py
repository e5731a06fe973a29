from lrtransfer.reports.plotly.axes import place_ticks, thin_out


def test_tick_labels_do_not_touch() -> None:
    assert place_ticks(-12.6, -0.4, most=8) == [-12, -10, -8, -6, -4, -2]
    assert thin_out([5.0, 5.2, 6.0, 6.1], apart=0.5, keep=6.1) == [5.0, 6.1]
