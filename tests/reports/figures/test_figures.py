import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lrtransfer.reports.figures import Figure, draw_loss_figure, draw_optimum_figure
from lrtransfer.reports.html import Report
from lrtransfer.statistics.answer import Optimum, Prediction, SchemeAnswer
from lrtransfer.statistics.table import Observation, RunTable

from .. import synthetic

Build = Callable[[], Report]
DRAWN = [build for name, build in synthetic.EVERY.items() if name != "empty"]


def loss(report: Report) -> Figure:
    return draw_loss_figure(report.table, report.answers)


def optimum(report: Report) -> Figure:
    return draw_optimum_figure(report.answers, target=report.target)


def with_loss(report: Report, change: Callable[[Observation], float | None]) -> Report:
    rows = tuple(
        Observation(row.scheme, row.size, row.lr, row.seed, change(row), row.diverged)
        for row in report.table.observations
    )
    return Report(report.title, (), RunTable(rows), report.answers, report.target)


def dots(figure: Figure) -> Iterator[dict[str, Any]]:
    return (trace for trace in figure.traces if "seed" in trace.get("hovertemplate", ""))


def marks(figure: Figure) -> Iterator[dict[str, Any]]:
    return (trace for trace in figure.traces if isinstance(trace.get("text"), list))


@pytest.mark.parametrize("build", DRAWN)
@pytest.mark.parametrize("draw", [loss, optimum])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_plotly_knows_every_property(
    build: Build, draw: Callable[[Report], Figure], columns: int
) -> None:
    graph_objects = pytest.importorskip("plotly.graph_objects")
    figure = graph_objects.Figure(draw(build()).plotly(columns=columns))
    assert len(figure.data) > 0


@pytest.mark.parametrize("build", DRAWN)
@pytest.mark.parametrize("draw", [loss, optimum])
def test_figures_hold_only_strict_json(build: Build, draw: Callable[[Report], Figure]) -> None:
    figure = draw(build())
    json.dumps([figure.traces, figure.layouts], allow_nan=False)


@pytest.mark.parametrize("build", DRAWN)
@pytest.mark.parametrize("draw", [loss, optimum])
def test_the_same_report_draws_the_same_figure(
    build: Build, draw: Callable[[Report], Figure]
) -> None:
    assert draw(build()) == draw(build())


@pytest.mark.parametrize("build", DRAWN)
def test_no_run_is_left_out(build: Build) -> None:
    report = build()
    figure = loss(report)
    drawn = sum(len(trace["x"]) for trace in dots(figure))
    lost = 0
    for trace in marks(figure):
        for text in trace["text"]:
            lost += sum(int(line.split()[0]) for line in text.split("<br>") if " of " in line)
    assert drawn + lost == len(report.table.observations)


def test_diverged_runs_and_high_losses_have_different_symbols() -> None:
    # 3 runs: finite on scale, finite above the plot, diverged
    rows = [Observation("sp", 64, 2.0**x, 0, 2.0 + 0.1 * abs(x)) for x in (-3, -2, -1, 0, 1)]
    rows += [Observation("sp", 64, 4.0, 0, 1e6), Observation("sp", 64, 8.0, 0, None)]
    answer = synthetic.nothing("sp", widths=(64,))
    (trace,) = marks(draw_loss_figure(RunTable(tuple(rows)), [answer]))
    assert trace["x"] == [2.0, 3.0]
    assert trace["marker"]["symbol"] == ["triangle-up-open", "x"]
    assert "above the plot, up to 1.000e+06" in trace["text"][0]
    assert "1 of 1 runs diverged" in trace["text"][1]


@pytest.mark.parametrize("factor", [1e3, 1e12, 1e300])
def test_one_huge_loss_does_not_hide_the_valley(factor: float) -> None:
    usual = synthetic.usual()
    high = usual.table.observations[0]
    spoiled = with_loss(usual, lambda row: row.loss if row != high else factor)
    ranges = [loss(r).layouts[0]["yaxis3"]["range"] for r in (usual, spoiled)]
    assert ranges[0][0] == ranges[1][0]
    assert ranges[1][1] == pytest.approx(ranges[0][1], abs=0.3)


@pytest.mark.parametrize("build", [synthetic.usual, synthetic.many, synthetic.at_edges])
def test_the_lowest_loss_of_every_width_is_on_the_axis(build: Build) -> None:
    report = build()
    figure = loss(report)
    low, high = figure.layouts[0][f"yaxis{1 + len(report.answers)}"]["range"]
    for scheme in report.table.schemes:
        for curve in report.table.curves(scheme):
            assert low < curve.loss.min() < high


def test_a_width_far_above_the_others_is_on_the_axis() -> None:
    # 11 of 14 medians lie below 2.3, yet the narrow width has nothing below 5
    wide = [Observation("sp", 512, 2.0**x, 0, 2 + 0.01 * x * x) for x in range(-5, 6)]
    narrow = [Observation("sp", 8, 2.0**x, 0, 5 + x * x) for x in (-1, 0, 1)]
    answer = synthetic.nothing("sp", widths=(8, 512))
    figure = draw_loss_figure(RunTable((*wide, *narrow)), [answer])
    low, high = figure.layouts[0]["yaxis2"]["range"]
    assert low < 2
    assert high > 5


def test_losses_over_many_decades_get_a_log_axis() -> None:
    assert loss(synthetic.decades()).layouts[0]["yaxis2"]["type"] == "log"
    assert loss(synthetic.single()).layouts[0]["yaxis2"]["type"] == "linear"


def test_equal_losses_still_have_an_axis() -> None:
    flat = with_loss(synthetic.single(), lambda row: 2.0)
    low, high = loss(flat).layouts[0]["yaxis2"]["range"]
    assert low < 2.0 < high


def test_negative_and_zero_losses_are_drawn() -> None:
    moved = with_loss(synthetic.single(), lambda row: None if row.loss is None else row.loss - 3.5)
    low, high = loss(moved).layouts[0]["yaxis2"]["range"]
    assert low < 0 < high


def test_the_carried_rate_is_a_line_in_every_panel_of_both_figures() -> None:
    report = synthetic.usual()
    x = synthetic.centre_of("SP", 128)
    lines = [s for s in loss(report).layouts[1]["shapes"] if s["type"] == "line"]
    assert [(line["xref"], line["x0"]) for line in lines] == [("x", x), ("x2", x)]
    lines = [s for s in optimum(report).layouts[1]["shapes"] if s.get("y0") == x]
    assert [line["yref"] for line in lines] == ["y", "y2"]


def test_panels_share_their_axes() -> None:
    layout = loss(synthetic.many()).layouts[2]
    assert [layout[f"xaxis{k}"]["matches"] for k in (2, 3, 4, 5)] == ["x"] * 4
    assert [layout[f"yaxis{k}"]["matches"] for k in (7, 8, 9, 10)] == ["y6"] * 4


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("draw", [loss, optimum])
def test_no_two_pieces_overlap(draw: Callable[[Report], Figure], columns: int) -> None:
    layout = draw(synthetic.many()).layouts[columns - 1]
    boxes = [shape for shape in layout["shapes"] if shape["type"] == "rect"]
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            apart = a["x1"] <= b["x0"] or b["x1"] <= a["x0"]
            assert apart or a["y1"] < b["y0"] or b["y1"] < a["y0"]
        assert 0 <= a["x0"] < a["x1"] <= 1
        assert 0 <= a["y0"] < a["y1"] <= 1


@pytest.mark.parametrize(
    ("low", "high", "symbols"),
    [
        (-2.0, None, ["line-ns", "triangle-right"]),
        (None, -11.0, ["triangle-left", "line-ns"]),
        (None, None, ["triangle-left", "triangle-right"]),
    ],
)
def test_an_edge_points_to_where_the_optimum_must_be(
    low: float | None, high: float | None, symbols: list[str]
) -> None:
    answer = edge_answer(Optimum(size=256, log2_lr=-6.0, low=low, high=high, status="edge"))
    traces = draw_loss_figure(RunTable(synthetic.runs("SP")), [answer]).traces
    (strip,) = (t for t in traces if "only a bound" in str(t.get("text")))
    assert strip["marker"]["symbol"] == symbols
    arrows = [t for t in draw_optimum_figure([answer], target=512).traces if "text" in t]
    ways = {t["marker"]["symbol"][1] for t in arrows}
    assert ("triangle-up" in ways) == (high is None)
    assert ("triangle-down" in ways) == (low is None)


def edge_answer(edge: Optimum) -> SchemeAnswer:
    base = synthetic.nothing("SP")
    return SchemeAnswer(
        scheme=base.scheme,
        verdict="inconclusive",
        reason="",
        covers="",
        regret=None,
        drift=None,
        optima=(edge,),
        prediction=None,
        fits=(),
        evidence=(),
    )


def test_the_prediction_ends_where_it_says() -> None:
    # 2^-6 with 2^-7 … 2^-4: one octave below, two above
    answer = synthetic.answer("μP")
    told = Prediction(
        size=4096, lr=2.0**-6, middle=2.0**-6, low=2.0**-7, high=2.0**-4, assumption=""
    )
    changed = SchemeAnswer(**(vars(answer) | {"prediction": told}))
    figure = draw_optimum_figure([changed], target=4096)
    (point,) = (t for t in figure.traces if "predicted" in t.get("text", ""))
    assert (point["x"], point["y"]) == ([12.0], [-6.0])
    assert point["error_y"]["arrayminus"] == [1.0]
    assert point["error_y"]["array"] == [2.0]


def test_a_prediction_without_bounds_is_drawn_without_bars() -> None:
    answer = synthetic.answer("μP")
    told = Prediction(size=4096, lr=2.0**-6, middle=2.0**-6, low=0.0, high=math.inf, assumption="")
    changed = SchemeAnswer(**(vars(answer) | {"prediction": told}))
    figure = draw_optimum_figure([changed], target=4096)
    json.dumps(figure.traces, allow_nan=False)


def test_more_runs_than_a_browser_can_draw_become_medians() -> None:
    rows = synthetic.runs("μP", seeds=500)
    figure = draw_loss_figure(RunTable(rows), [synthetic.answer("μP")])
    assert sum(len(trace["x"]) for trace in dots(figure)) <= 48
    assert {seed for trace in dots(figure) for seed, _ in trace["customdata"]} == {"median"}
