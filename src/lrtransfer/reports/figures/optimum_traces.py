"""What the figure of the optima draws in one panel."""

import math
from collections.abc import Iterator

from ...statistics.answer import Optimum, Prediction, SchemeAnswer
from ..notation import (
    compute_log2,
    format_interval,
    format_optimum,
    format_optimum_range,
    format_prediction,
)
from ..plotly.axes import name_axis
from ..plotly.colours import INK, MUTED, fade_colour
from ..plotly.figure import PlotlyJson, draw_nothing, round_numbers
from .optimum_view import ARROW, OptimumView, place_arrows


def draw_panel(view: OptimumView, k: int, answer: SchemeAnswer) -> list[PlotlyJson]:
    """Draw the panel of one scheme.

    Arguments:
        view: What is shown.
        k: Number of the panel, from 1.
        answer: What was concluded for the scheme.
    """
    x, y = name_axis("x", k), name_axis("y", k)
    drawn = (trace | {"xaxis": x, "yaxis": y} for trace in _draw_answer(view, answer))
    return [draw_nothing(x, y), *drawn]


def _draw_answer(view: OptimumView, answer: SchemeAnswer) -> Iterator[PlotlyJson]:
    yield from _draw_drift(answer)
    for optimum in answer.optima:
        if optimum.status == "ok" and optimum.log2_lr is not None:
            yield _draw_measured(view, optimum)
        elif optimum.status == "edge" and optimum.log2_lr is not None:
            yield from _draw_bounds(view, optimum)
    if answer.prediction is not None:
        yield from _draw_predicted(view, answer.prediction)


def _draw_drift(answer: SchemeAnswer) -> Iterator[PlotlyJson]:
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
            "x": round_numbers([x[0], middle, x[1], x[1], middle, x[0]]),
            "y": round_numbers(outline),
            "mode": "lines",
            "line": {"width": 0},
            "fill": "toself",
            "fillcolor": fade_colour("#777777", 0.14),
            "hoverinfo": "skip",
        }
    yield {
        "type": "scatter",
        "x": round_numbers(x),
        "y": round_numbers(line(drift.estimate)),
        "mode": "lines",
        "line": {"width": 1.4, "color": MUTED},
        "hoverinfo": "skip",
    }


def _draw_measured(view: OptimumView, optimum: Optimum) -> PlotlyJson:
    y = optimum.log2_lr if optimum.log2_lr is not None else math.nan
    colour = view.colours[optimum.size]
    text = format_interval(format_optimum_range(optimum))
    return _draw_point(math.log2(optimum.size), y, optimum.low, optimum.high) | {
        "marker": {"size": 8, "color": colour},
        "text": f"{view.size_name} {optimum.size}<br>optimum {format_optimum(optimum)}<br>{text}",
    }


def _draw_point(x: float, y: float, low: float | None, high: float | None) -> PlotlyJson:
    below = 0.0 if low is None else y - low
    above = 0.0 if high is None else high - y
    return {
        "type": "scatter",
        "x": round_numbers([x]),
        "y": round_numbers([y]),
        "mode": "markers",
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": round_numbers([above]),
            "arrayminus": round_numbers([below]),
            "thickness": 1.8,
            "width": 4,
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _draw_bounds(view: OptimumView, optimum: Optimum) -> Iterator[PlotlyJson]:
    """Draw an arrow from each known bound towards where the optimum must be."""
    where = f"{view.size_name} {optimum.size}"
    hover = f"{where}<br>optimum {format_optimum(optimum)}: only a bound is known"
    for start, way in place_arrows(optimum):
        yield {
            "type": "scatter",
            "x": round_numbers([math.log2(optimum.size)] * 2),
            "y": round_numbers([start, start + way * ARROW]),
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


def _draw_predicted(view: OptimumView, prediction: Prediction) -> Iterator[PlotlyJson]:
    y, low, high = (compute_log2(lr) for lr in (prediction.lr, prediction.low, prediction.high))
    if not math.isfinite(y):
        return
    ends = [end if math.isfinite(end) else None for end in (low, high)]
    yield _draw_point(math.log2(prediction.size), y, *ends) | {
        "marker": {"size": 10, "symbol": "diamond-open", "color": INK, "line": {"width": 2}},
        "text": f"{view.size_name} {prediction.size}<br>predicted {format_prediction(prediction)}",
    }
