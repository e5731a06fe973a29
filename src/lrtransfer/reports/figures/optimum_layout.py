"""Axes, frames and titles of the figure of the optima."""

import math

from ...statistics.answer import SchemeAnswer
from ...statistics.axis import AXES
from ...statistics.notation import format_power
from ..notation import format_drift
from ..plotly.axes import key_axis, make_axis, name_axis, place_ticks, thin_out
from ..plotly.colours import INK, MUTED
from ..plotly.figure import PlotlyJson, escape_text, round_number, round_numbers
from ..plotly.grid import Grid, draw_frame, make_layout, write_remark, write_title
from .optimum_view import OptimumView, list_estimates

_MOST_LABELS = 7


def lay_out_optima(view: OptimumView, grid: Grid) -> PlotlyJson:
    """Return the axes, frames and titles of the figure in one arrangement of its panels.

    Arguments:
        view: What is shown.
        grid: Where the panels stand.
    """
    layout = make_layout(grid)
    for k in range(1, grid.panels + 1):
        layout |= {key_axis("x", k): _make_x_axis(view, grid, k)}
        layout |= {key_axis("y", k): _make_y_axis(view, grid, k)}
    numbered = list(enumerate(view.answers, start=1))
    layout["annotations"] = [note for k, a in numbered for note in _write_titles(k, a, grid)]
    layout["shapes"] = [
        *(draw_frame(k, 0, grid=grid) for k, _ in numbered),
        *(_draw_target(k, view.target) for k, _ in numbered),
        *(
            _draw_carried(k, answer.regret.log2_lr)
            for k, answer in numbered
            if answer.regret is not None and math.isfinite(answer.regret.log2_lr)
        ),
    ]
    return layout


def _write_titles(k: int, answer: SchemeAnswer, grid: Grid) -> list[PlotlyJson]:
    line = "no drift can be stated"
    if answer.drift is not None:
        drift, bracket, interval = format_drift(answer.drift, AXES[answer.axis]).partition("(")
        line = f"drift {drift}<br>{bracket}{interval}"
    empty = not any(math.isfinite(y) for y in list_estimates(answer))
    return [
        write_title(k, escape_text(answer.scheme), grid=grid, shift=34, bold=True),
        write_title(k, line, grid=grid, shift=2, bold=False),
        *([write_remark(k, 0, "no optimum is known", grid=grid)] if empty else []),
    ]


def _make_x_axis(view: OptimumView, grid: Grid, k: int) -> PlotlyJson:
    places = [math.log2(size) for size in view.sizes]
    low, high = places[0] - 0.4, places[-1] + 0.4
    apart = (high - low) / _MOST_LABELS
    labelled = thin_out(places, apart=apart, keep=math.log2(view.target))
    axis = make_axis() | {
        "domain": grid.across(k),
        "anchor": name_axis("y", k),
        "range": round_numbers([low, high]),
        "tickvals": round_numbers(labelled),
        "ticktext": [str(round(2**place)) for place in labelled],
        "title": {"text": view.size_name, "standoff": 6},
    }
    return axis | ({"matches": "x"} if k > 1 else {})


def _make_y_axis(view: OptimumView, grid: Grid, k: int) -> PlotlyJson:
    ticks = place_ticks(view.low_y, view.high_y, most=8)
    left = grid.column(k) == 0
    axis = make_axis() | {
        "domain": grid.up(k, 0),
        "anchor": name_axis("x", k),
        "range": round_numbers([view.low_y, view.high_y]),
        "tickvals": ticks,
        "ticktext": [format_power(tick) for tick in ticks],
        "showticklabels": left,
        "title": {"text": "best learning rate" if left else "", "standoff": 8},
    }
    return axis | ({"matches": "y"} if k > 1 else {})


def _draw_target(k: int, size: int) -> PlotlyJson:
    place = round_number(math.log2(size))
    return {
        "type": "line",
        "xref": name_axis("x", k),
        "yref": f"{name_axis('y', k)} domain",
        "x0": place,
        "x1": place,
        "y0": 0,
        "y1": 1,
        "layer": "below",
        "line": {"width": 1, "dash": "dot", "color": MUTED},
    }


def _draw_carried(k: int, y: float) -> PlotlyJson:
    return {
        "type": "line",
        "xref": f"{name_axis('x', k)} domain",
        "yref": name_axis("y", k),
        "x0": 0,
        "x1": 1,
        "y0": round_number(y),
        "y1": round_number(y),
        "layer": "below",
        "line": {"width": 1.2, "dash": "dash", "color": INK},
    }
