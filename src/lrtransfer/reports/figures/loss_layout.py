"""Axes, frames and titles of the loss figure."""

import math

from ...statistics.notation import format_power
from ..plotly.axes import key_axis, make_axis, name_axis, place_ticks
from ..plotly.colours import CLEAR, INK
from ..plotly.figure import PlotlyJson, escape_text, round_number, round_numbers
from ..plotly.grid import Grid, draw_frame, make_layout, write_remark, write_title
from .loss_view import LOSS, OFF_SCALE, OPTIMUM, PIECES, LossPanel, LossView


def lay_out_losses(view: LossView, grid: Grid) -> PlotlyJson:
    """Return the axes, frames and titles of the loss figure in one arrangement of its panels.

    Arguments:
        view: What is shown.
        grid: Where the panels stand.
    """
    layout = make_layout(grid)
    for k in range(1, grid.panels + 1):
        layout |= _make_x_axis(view, grid, k)
        layout |= _make_loss_axis(view, grid, k)
        layout |= _make_strip_axis(view, grid, k, OFF_SCALE, "off scale")
        layout |= _make_strip_axis(view, grid, k, OPTIMUM, "optimum")
    numbered = list(enumerate(view.panels, start=1))
    layout["annotations"] = [note for k, panel in numbered for note in _write_notes(k, panel, grid)]
    layout["shapes"] = [shape for k, panel in numbered for shape in _draw_shapes(k, panel, grid)]
    return layout


def _write_notes(k: int, panel: LossPanel, grid: Grid) -> list[PlotlyJson]:
    notes = [write_title(k, escape_text(panel.answer.scheme), grid=grid, shift=4, bold=True)]
    if not any(group.runs for group in panel.groups):
        text = "every run diverged" if panel.groups else "no runs"
        notes.append(write_remark(k, LOSS, text, grid=grid))
    if not any(optimum.log2_lr is not None for optimum in panel.answer.optima):
        notes.append(write_remark(k, OPTIMUM, "no optimum is known", grid=grid))
    return notes


def _draw_shapes(k: int, panel: LossPanel, grid: Grid) -> list[PlotlyJson]:
    shapes = [draw_frame(k, piece, grid=grid) for piece in PIECES]
    regret = panel.answer.regret
    if regret is not None and math.isfinite(regret.log2_lr):
        shapes.append(_draw_carried(k, regret.log2_lr, grid))
    return shapes


def _make_x_axis(view: LossView, grid: Grid, k: int) -> PlotlyJson:
    ticks = place_ticks(view.low_x, view.high_x, most=8)
    axis = make_axis() | {
        "domain": grid.across(k),
        "anchor": name_axis("y", view.axis(k, OPTIMUM)),
        "range": round_numbers([view.low_x, view.high_x]),
        "tickvals": ticks,
        "ticktext": [format_power(tick) for tick in ticks],
        "title": {"text": "learning rate", "standoff": 6},
    }
    return {key_axis("x", k): axis | ({"matches": "x"} if k > 1 else {})}


def _make_loss_axis(view: LossView, grid: Grid, k: int) -> PlotlyJson:
    first = view.axis(1, LOSS)
    left = grid.column(k) == 0
    axis = make_axis() | {
        "domain": grid.up(k, LOSS),
        "anchor": name_axis("x", k),
        "type": "log" if view.losses.log else "linear",
        "range": view.losses.range,
        "nticks": 7,
        "showticklabels": left,
        "title": {"text": "final loss" if left else "", "standoff": 8},
    }
    shared = {} if k == 1 else {"matches": name_axis("y", first)}
    return {key_axis("y", view.axis(k, LOSS)): axis | shared}


def _make_strip_axis(view: LossView, grid: Grid, k: int, piece: int, label: str) -> PlotlyJson:
    rows = len(view.colours)
    axis = make_axis() | {
        "domain": grid.up(k, piece),
        "anchor": name_axis("x", k),
        "range": [-0.8, rows - 0.2],
        "fixedrange": True,
        "showgrid": False,
        "tickvals": [(rows - 1) / 2],
        "ticktext": [label],
        "tickcolor": CLEAR,
        "tickfont": {"size": 11},
        "showticklabels": grid.column(k) == 0,
    }
    return {key_axis("y", view.axis(k, piece)): axis}


def _draw_carried(k: int, x: float, grid: Grid) -> PlotlyJson:
    bottom, top = grid.up(k)
    return {
        "type": "line",
        "xref": name_axis("x", k),
        "yref": "paper",
        "x0": round_number(x),
        "x1": round_number(x),
        "y0": bottom,
        "y1": top,
        "layer": "below",
        "line": {"width": 1.2, "dash": "dash", "color": INK},
    }
