"""What the loss figure draws of one size in one panel."""

import math
from collections.abc import Sequence

from ...statistics.answer import CurveFit, Optimum
from ..notation import (
    format_interval,
    format_loss,
    format_optimum,
    format_optimum_range,
    format_rate,
)
from ..plotly.axes import name_axis
from ..plotly.colours import fade_colour
from ..plotly.figure import PlotlyJson, round_numbers
from ..rate_runs import RateRuns
from .loss_view import LOSS, OFF_SCALE, OPTIMUM, LossPanel, LossView


def draw_size(view: LossView, k: int, panel: LossPanel, size: int) -> list[PlotlyJson]:
    """Draw the runs, the curve and the optimum of one size.

    Arguments:
        view: What is shown.
        k: Number of the panel, from 1.
        panel: The panel.
        size: The size.
    """
    groups = [group for group in panel.groups if group.size == size]
    fits = [fit for fit in panel.answer.fits if fit.size == size]
    optima = [optimum for optimum in panel.answer.optima if optimum.size == size]
    drawn = [
        *(trace for fit in fits for trace in (_draw_band(view, fit), _draw_fit(view, fit))),
        *([] if fits else [_draw_medians(view, size, groups)]),
        _draw_dots(view, size, groups),
    ]
    strips = [_mark_off_scale(view, size, groups)]
    intervals = [_draw_interval(view, optimum) for optimum in optima if optimum.log2_lr is not None]
    return [
        trace | {"xaxis": name_axis("x", k), "yaxis": name_axis("y", view.axis(k, piece))}
        for piece, traces in ((OFF_SCALE, strips), (LOSS, drawn), (OPTIMUM, intervals))
        for trace in traces
        if trace["x"]
    ]


def _draw_band(view: LossView, fit: CurveFit) -> PlotlyJson:
    lower = [view.losses.clamp(float(y)) for y in fit.low]
    upper = [view.losses.clamp(float(y)) for y in fit.high]
    x = [float(x) for x in fit.log2_lr]
    return {
        "type": "scatter",
        "legendgroup": str(fit.size),
        "x": round_numbers([*x, *reversed(x)]),
        "y": round_numbers([*lower, *reversed(upper)]),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": fade_colour(view.colours[fit.size], 0.13),
        "hoverinfo": "skip",
    }


def _draw_fit(view: LossView, fit: CurveFit) -> PlotlyJson:
    return {
        "type": "scatter",
        "legendgroup": str(fit.size),
        "x": round_numbers(float(x) for x in fit.log2_lr),
        "y": round_numbers(view.losses.clamp(float(y)) for y in fit.loss),
        "mode": "lines",
        "line": {"width": 1.6, "color": view.colours[fit.size]},
        "hoverinfo": "skip",
    }


def _draw_medians(view: LossView, size: int, groups: Sequence[RateRuns]) -> PlotlyJson:
    """Join the medians where no curve could be fitted; a diverged median breaks the line."""
    y = [view.losses.clamp(c.median) if math.isfinite(c.median) else math.nan for c in groups]
    return {
        "type": "scatter",
        "legendgroup": str(size),
        "x": round_numbers(group.x for group in groups),
        "y": round_numbers(y),
        "mode": "lines",
        "line": {"width": 1.2, "dash": "dot", "color": view.colours[size]},
        "hoverinfo": "skip",
    }


def _draw_dots(view: LossView, size: int, groups: Sequence[RateRuns]) -> PlotlyJson:
    if view.every_run:
        dots = [(group, loss, str(seed)) for group in groups for seed, loss in group.runs]
    else:
        dots = [(group, group.median, "median") for group in groups]
    dots = [dot for dot in dots if dot[1] <= view.losses.high]
    return {
        "type": "scatter",
        "legendgroup": str(size),
        "x": round_numbers(group.x for group, _, _ in dots),
        "y": round_numbers(loss for _, loss, _ in dots),
        "customdata": [[seed, format_rate(group.x, tried=True)] for group, _, seed in dots],
        "mode": "markers",
        "marker": {"size": 5, "opacity": 0.8, "color": view.colours[size]},
        "hovertemplate": (
            f"{view.size_name} {size}, seed %{{customdata[0]}}<br>"
            "lr %{customdata[1]}<br>loss %{y:.4g}<extra></extra>"
        ),
    }


def _mark_off_scale(view: LossView, size: int, groups: Sequence[RateRuns]) -> PlotlyJson:
    marks = [(group, _list_above(view, group)) for group in groups]
    marks = [(group, above) for group, above in marks if above or group.diverged]
    return {
        "type": "scatter",
        "legendgroup": str(size),
        "x": round_numbers(group.x for group, _ in marks),
        "y": [view.row(size)] * len(marks),
        "text": [_describe_mark(view, group, above) for group, above in marks],
        "mode": "markers",
        "marker": {
            "symbol": ["x" if group.diverged else "triangle-up-open" for group, _ in marks],
            "size": [6 if group.diverged else 7 for group, _ in marks],
            "color": view.colours[size],
            "line": {"width": [0 if group.diverged else 1.2 for group, _ in marks]},
            "opacity": [1.0 if _is_lost(group, above) else 0.55 for group, above in marks],
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _list_above(view: LossView, group: RateRuns) -> list[float]:
    return [loss for loss in group.losses if loss > view.losses.high]


def _is_lost(group: RateRuns, above: Sequence[float]) -> bool:
    return group.diverged + len(above) == group.total


def _describe_mark(view: LossView, group: RateRuns, above: Sequence[float]) -> str:
    lines = [
        f"{view.size_name} {group.size}",
        f"lr {format_rate(group.x, tried=True)}",
    ]
    if group.diverged:
        lines.append(f"{group.diverged} of {group.total} runs diverged")
    if above:
        lines.append(
            f"{len(above)} of {group.total} runs above the plot, up to {format_loss(max(above))}"
        )
    return "<br>".join(lines)


def _draw_interval(view: LossView, optimum: Optimum) -> PlotlyJson:
    """Draw the interval of x*; an open end runs to the frame and carries an arrow."""
    estimate = optimum.log2_lr if optimum.log2_lr is not None else math.nan
    bounded = optimum.status == "ok"
    low, high = optimum.low, optimum.high
    left = view.low_x + 0.15 if low is None else low
    right = view.high_x - 0.15 if high is None else high
    arrows = [
        "triangle-left" if low is None else "line-ns",
        "triangle-right" if high is None else "line-ns",
    ]
    colour = view.colours[optimum.size]
    interval = format_interval(format_optimum_range(optimum))
    limits = interval if bounded else "only a bound is known"
    return {
        "type": "scatter",
        "legendgroup": str(optimum.size),
        "x": round_numbers([left, estimate, right] if bounded else [left, right]),
        "y": [view.row(optimum.size)] * (3 if bounded else 2),
        "mode": "lines+markers",
        "line": {"width": 2, "color": colour, "dash": "solid" if bounded else "dot"},
        "marker": {
            "symbol": [arrows[0], "circle", arrows[1]] if bounded else arrows,
            "size": [5, 6, 5] if bounded else [7, 7],
            "color": colour,
            "opacity": 1,
            "line": {"width": 1.5, "color": colour},
        },
        "text": f"{view.size_name} {optimum.size}<br>optimum {format_optimum(optimum)}<br>{limits}",
        "hovertemplate": "%{text}<extra></extra>",
    }
