"""Optimal learning rate against width: one panel per scheme, both axes log2.

x is log2 width, y the learning rate as log2. Colours are those of the loss figure.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...statistics.answer import Optimum, Prediction, SchemeAnswer, axis_of
from ..notation import (
    drift_text,
    log2_of,
    optimum_text,
    prediction_range_text,
    rate_range_text,
    rate_text,
    tick_text,
)
from ..plotly.grid import (
    INK,
    MUTED,
    Figure,
    Grid,
    PlotlyJson,
    axis_key,
    axis_name,
    base_axis,
    base_layout,
    frame,
    grids,
    nothing_drawn,
    number,
    numbers,
    panel_title,
    plotly_text,
    remark,
    see_through,
    spaced,
    whole_ticks,
    width_colours,
)

_HEIGHT = 270
_ARROW = 0.7  # octaves
_FARTHEST = 5.0  # octaves by which an interval may widen the axis; longer ones leave the panel
_MOST_WIDTH_LABELS = 7


@dataclass(frozen=True)
class _View:
    answers: tuple[SchemeAnswer, ...]
    colours: dict[int, str]
    widths: tuple[int, ...]  # measured, predicted and target, increasing
    target: int
    low_y: float
    high_y: float
    size: str  # what a width is called


def optimum_figure(answers: Sequence[SchemeAnswer], *, target: int) -> Figure:
    """Draw the optimum of every width with its interval, the drift and the prediction.

    Arguments:
        answers: What was concluded for each scheme, at least one, in the order of the panels.
        target: The width whose learning rate is wanted.

    Returns:
        The figure, its panels sharing both axes.
    """
    view = _view(answers, target)
    traces = [
        trace
        for k, answer in enumerate(view.answers, start=1)
        for trace in _panel_traces(view, answer, axis_name("x", k), axis_name("y", k))
    ]
    return Figure(
        traces=tuple(traces),
        layouts=tuple(
            _layout(view, grid) for grid in grids(len(view.answers), (_HEIGHT,), title=40)
        ),
    )


def _view(answers: Sequence[SchemeAnswer], target: int) -> _View:
    measured = {optimum.size for answer in answers for optimum in answer.optima}
    predicted = {answer.prediction.size for answer in answers if answer.prediction is not None}
    low, high = _shown_rates(answers)
    return _View(
        answers=tuple(answers),
        colours=width_colours(measured),
        widths=tuple(sorted(measured | predicted | {target})),
        target=target,
        low_y=low,
        high_y=high,
        size=axis_of(answers).name,
    )


def _shown_rates(answers: Sequence[SchemeAnswer]) -> tuple[float, float]:
    estimates = [y for answer in answers for y in _estimates(answer) if math.isfinite(y)]
    if not estimates:
        return -1.0, 1.0
    ends = [y for answer in answers for y in _ends(answer) if math.isfinite(y)]
    low = max(min([*estimates, *ends]), min(estimates) - _FARTHEST)
    high = min(max([*estimates, *ends]), max(estimates) + _FARTHEST)
    return low - 0.5, high + 0.5


def _estimates(answer: SchemeAnswer) -> Iterator[float]:
    for optimum in answer.optima:
        if optimum.log2_lr is not None:
            yield optimum.log2_lr
    if answer.prediction is not None:
        yield log2_of(answer.prediction.lr)
    if answer.regret is not None:
        yield answer.regret.log2_lr


def _ends(answer: SchemeAnswer) -> Iterator[float]:
    for optimum in answer.optima:
        yield from (end for end in (optimum.low, optimum.high) if end is not None)
        if optimum.status == "edge":
            yield from (start + way * _ARROW for start, way in _arrows(optimum))
    if answer.prediction is not None:
        yield log2_of(answer.prediction.low)
        yield log2_of(answer.prediction.high)


def _panel_traces(view: _View, answer: SchemeAnswer, x: str, y: str) -> list[PlotlyJson]:
    drawn = (trace | {"xaxis": x, "yaxis": y} for trace in _conclusions(view, answer))
    return [nothing_drawn(x, y), *drawn]


def _conclusions(view: _View, answer: SchemeAnswer) -> Iterator[PlotlyJson]:
    yield from _drift(answer)
    for optimum in answer.optima:
        if optimum.status == "ok" and optimum.log2_lr is not None:
            yield _measured(view, optimum)
        elif optimum.status == "edge" and optimum.log2_lr is not None:
            yield from _bounds(view, optimum)
    if answer.prediction is not None:
        yield from _predicted(view, answer.prediction)


def _drift(answer: SchemeAnswer) -> Iterator[PlotlyJson]:
    """Draw the slope, and its interval as a wedge, through the middle of the optima.

    The answer holds the slope alone, so the line is placed at the mean of the optima.
    """
    points = [
        (math.log2(optimum.size), optimum.log2_lr)
        for optimum in answer.optima
        if optimum.status == "ok" and optimum.log2_lr is not None
    ]
    if answer.drift is None or len(points) < 2:
        return
    drift = answer.drift
    x = [points[0][0], points[-1][0]]
    middle = sum(p[0] for p in points) / len(points)
    level = sum(p[1] for p in points) / len(points)

    def line(slope: float) -> list[float]:
        return [level + slope * (end - middle) for end in x]

    if drift.low is not None and drift.high is not None:
        flat, steep = line(drift.low), line(drift.high)
        outline = [flat[0], level, flat[1], steep[1], level, steep[0]]
        yield {
            "type": "scatter",
            "x": numbers([x[0], middle, x[1], x[1], middle, x[0]]),
            "y": numbers(outline),
            "mode": "lines",
            "line": {"width": 0},
            "fill": "toself",
            "fillcolor": see_through("#777777", 0.14),
            "hoverinfo": "skip",
        }
    yield {
        "type": "scatter",
        "x": numbers(x),
        "y": numbers(line(drift.estimate)),
        "mode": "lines",
        "line": {"width": 1.4, "color": MUTED},
        "hoverinfo": "skip",
    }


def _measured(view: _View, optimum: Optimum) -> PlotlyJson:
    y = optimum.log2_lr if optimum.log2_lr is not None else math.nan
    colour = view.colours[optimum.size]
    text = f"95 %: {rate_range_text(optimum.low, optimum.high)}"
    return _point(math.log2(optimum.size), y, optimum.low, optimum.high) | {
        "marker": {"size": 8, "color": colour},
        "text": f"{view.size} {optimum.size}<br>optimum {optimum_text(optimum)}<br>{text}",
    }


def _point(x: float, y: float, low: float | None, high: float | None) -> PlotlyJson:
    below = 0.0 if low is None else y - low
    above = 0.0 if high is None else high - y
    return {
        "type": "scatter",
        "x": numbers([x]),
        "y": numbers([y]),
        "mode": "markers",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": numbers([above]),
            "arrayminus": numbers([below]),
            "thickness": 1.8,
            "width": 4,
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _bounds(view: _View, optimum: Optimum) -> Iterator[PlotlyJson]:
    """Draw an arrow from each known bound towards where the optimum must be."""
    where = f"{view.size} {optimum.size}"
    hover = f"{where}<br>optimum {optimum_text(optimum)}: only a bound is known"
    for start, way in _arrows(optimum):
        yield {
            "type": "scatter",
            "x": numbers([math.log2(optimum.size)] * 2),
            "y": numbers([start, start + way * _ARROW]),
            "mode": "lines+markers",
            "line": {"width": 1.8, "color": view.colours[optimum.size]},
            "marker": {
                "symbol": ["line-ew", "triangle-up" if way > 0 else "triangle-down"],
                "size": [10, 10],
                "color": view.colours[optimum.size],
                "opacity": 1,
                "line": {"width": 1.8, "color": view.colours[optimum.size]},
            },
            "text": hover,
            "hovertemplate": "%{text}<extra></extra>",
        }


def _arrows(optimum: Optimum) -> list[tuple[float, int]]:
    """Return where arrows start and which way they point: from each bound, or else both ways."""
    known = [(optimum.low, 1), (optimum.high, -1)]
    arrows = [(bound, way) for bound, way in known if bound is not None]
    if arrows or optimum.log2_lr is None:
        return arrows
    return [(optimum.log2_lr, 1), (optimum.log2_lr, -1)]


def _predicted(view: _View, prediction: Prediction) -> Iterator[PlotlyJson]:
    y, low, high = (log2_of(lr) for lr in (prediction.lr, prediction.low, prediction.high))
    if not math.isfinite(y):
        return
    ends = [end if math.isfinite(end) else None for end in (low, high)]
    text = f"predicted {rate_text(y)}<br>95 %: {prediction_range_text(prediction)}"
    yield _point(math.log2(prediction.size), y, *ends) | {
        "marker": {"size": 10, "symbol": "diamond-open", "color": INK, "line": {"width": 2}},
        "text": f"{view.size} {prediction.size}<br>{text}",
    }


def _layout(view: _View, grid: Grid) -> PlotlyJson:
    layout = base_layout(grid)
    for k in range(1, grid.panels + 1):
        layout |= {axis_key("x", k): _x_axis(view, grid, k)}
        layout |= {axis_key("y", k): _y_axis(view, grid, k)}
    numbered = list(enumerate(view.answers, start=1))
    layout["annotations"] = [note for k, a in numbered for note in _titles(k, a, grid)]
    layout["shapes"] = [
        *(frame(k, 0, grid=grid) for k, _ in numbered),
        *(_target(k, view.target) for k, _ in numbered),
        *(
            _carried(k, answer.regret.log2_lr)
            for k, answer in numbered
            if answer.regret is not None and math.isfinite(answer.regret.log2_lr)
        ),
    ]
    return layout


def _titles(k: int, answer: SchemeAnswer, grid: Grid) -> list[PlotlyJson]:
    slope = f"drift {drift_text(answer.drift)} octaves/doubling"
    line = slope if answer.drift is not None else "no drift can be stated"
    empty = not any(math.isfinite(y) for y in _estimates(answer))
    return [
        panel_title(k, plotly_text(answer.scheme), grid=grid, shift=18, bold=True),
        panel_title(k, line, grid=grid, shift=2, bold=False),
        *([remark(k, 0, "no optimum is known", grid=grid)] if empty else []),
    ]


def _x_axis(view: _View, grid: Grid, k: int) -> PlotlyJson:
    places = [math.log2(width) for width in view.widths]
    low, high = places[0] - 0.4, places[-1] + 0.4
    apart = (high - low) / _MOST_WIDTH_LABELS
    labelled = spaced(places, apart=apart, keep=math.log2(view.target))
    axis = base_axis() | {
        "domain": grid.across(k),
        "anchor": axis_name("y", k),
        "range": numbers([low, high]),
        "tickvals": numbers(labelled),
        "ticktext": [str(round(2**place)) for place in labelled],
        "title": {"text": view.size, "standoff": 6},
    }
    return axis | ({"matches": "x"} if k > 1 else {})


def _y_axis(view: _View, grid: Grid, k: int) -> PlotlyJson:
    ticks = whole_ticks(view.low_y, view.high_y, most=8)
    left = grid.column(k) == 0
    axis = base_axis() | {
        "domain": grid.up(k, 0),
        "anchor": axis_name("x", k),
        "range": numbers([view.low_y, view.high_y]),
        "tickvals": ticks,
        "ticktext": [tick_text(tick) for tick in ticks],
        "showticklabels": left,
        "title": {"text": "best learning rate" if left else "", "standoff": 8},
    }
    return axis | ({"matches": "y"} if k > 1 else {})


def _target(k: int, width: int) -> PlotlyJson:
    place = number(math.log2(width))
    return {
        "type": "line",
        "xref": axis_name("x", k),
        "yref": f"{axis_name('y', k)} domain",
        "x0": place,
        "x1": place,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 1, "dash": "dot", "color": MUTED},
    }


def _carried(k: int, y: float) -> PlotlyJson:
    return {
        "type": "line",
        "xref": f"{axis_name('x', k)} domain",
        "yref": axis_name("y", k),
        "x0": 0,
        "x1": 1,
        "y0": number(y),
        "y1": number(y),
        "layer": "below",
        "line": {"width": 1.2, "dash": "dash", "color": INK},
    }
