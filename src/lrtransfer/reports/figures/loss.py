"""Loss against learning rate: one panel per scheme, one colour per width.

x is the learning rate as log2. A panel stacks three pieces over the same x axis, each with one row
or curve per width:

    off scale   runs that diverged (×) and losses above the plot (△): nothing is ever left out
    loss        every run, the fitted median with its band
    optimum     the interval of the best learning rate, an arrow where only a bound is known
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...statistics.answer import CurveFit, Optimum, SchemeAnswer, axis_of
from ...statistics.table import RunTable
from ..cells import Cell, gather
from ..notation import loss_text, optimum_text, rate_range_text, rate_text, tick_text
from ..plotly.grid import (
    CLEAR,
    INK,
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
    whole_ticks,
    width_colours,
)
from .loss_axis import LossAxis, loss_axis

_OFF_SCALE, _LOSS, _OPTIMUM = range(3)
_LOSS_HEIGHT = 280
_ROW_HEIGHT = 12
_MOST_DOTS = 20_000  # above it a browser takes seconds per redraw


@dataclass(frozen=True)
class _Panel:
    answer: SchemeAnswer
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _View:
    panels: tuple[_Panel, ...]
    colours: dict[int, str]  # by width, narrow first
    loss: LossAxis
    low_x: float
    high_x: float
    every_run: bool
    size: str  # what a width is called

    @property
    def strip(self) -> int:
        return _ROW_HEIGHT * len(self.colours) + 8

    def row(self, width: int) -> int:
        return list(self.colours).index(width)

    def axis(self, panel: int, piece: int) -> int:
        return panel + piece * len(self.panels)


def loss_figure(table: RunTable, answers: Sequence[SchemeAnswer]) -> Figure:
    """Draw loss against learning rate, one panel per scheme, one colour per width.

    Arguments:
        table: The runs of a study.
        answers: What was concluded for each scheme, at least one, in the order of the panels.

    Returns:
        The figure, its panels sharing both axes. A trace's `legendgroup` is its width.
    """
    view = _view(table, answers)
    traces = [
        trace
        for k, panel in enumerate(view.panels, start=1)
        for trace in (
            *(
                nothing_drawn(axis_name("x", k), axis_name("y", view.axis(k, piece)))
                for piece in (_OFF_SCALE, _LOSS, _OPTIMUM)
            ),
            *(t for width in view.colours for t in _width_traces(view, k, panel, width)),
        )
    ]
    pieces = (view.strip, _LOSS_HEIGHT, view.strip)
    return Figure(
        traces=tuple(traces),
        layouts=tuple(_layout(view, grid) for grid in grids(len(view.panels), pieces, title=26)),
    )


def every_run(cells: Iterable[Cell]) -> bool:
    """Return whether there is a dot for every run, or, as there are too many, for every cell.

    Arguments:
        cells: The cells of all schemes.
    """
    return sum(cell.total for cell in cells) <= _MOST_DOTS


def shown_losses(table: RunTable, answers: Sequence[SchemeAnswer]) -> LossAxis:
    """Return the losses the figure shows.

    Arguments:
        table: The runs of a study.
        answers: What was concluded for each scheme.
    """
    return loss_axis(gather(table, answer.scheme) for answer in answers)


def _view(table: RunTable, answers: Sequence[SchemeAnswer]) -> _View:
    panels = tuple(_Panel(answer, gather(table, answer.scheme)) for answer in answers)
    cells = [cell for panel in panels for cell in panel.cells]
    widths = {cell.width for cell in cells} | {o.size for a in answers for o in a.optima}
    rates = [cell.x for cell in cells] or [0.0]
    return _View(
        panels=panels,
        colours=width_colours(widths),
        loss=loss_axis(panel.cells for panel in panels),
        low_x=min(rates) - 0.6,
        high_x=max(rates) + 0.6,
        every_run=every_run(cells),
        size=axis_of(answers).name,
    )


def _width_traces(view: _View, k: int, panel: _Panel, width: int) -> list[PlotlyJson]:
    cells = [cell for cell in panel.cells if cell.width == width]
    fits = [fit for fit in panel.answer.fits if fit.size == width]
    optima = [optimum for optimum in panel.answer.optima if optimum.size == width]
    drawn = [
        *(trace for fit in fits for trace in (_band(view, fit), _fit_line(view, fit))),
        *([] if fits else [_median_line(view, width, cells)]),
        _dots(view, width, cells),
    ]
    strips = [_off_scale(view, width, cells)]
    intervals = [_interval(view, optimum) for optimum in optima if optimum.log2_lr is not None]
    return [
        trace | {"xaxis": axis_name("x", k), "yaxis": axis_name("y", view.axis(k, piece))}
        for piece, traces in ((_OFF_SCALE, strips), (_LOSS, drawn), (_OPTIMUM, intervals))
        for trace in traces
        if trace["x"]
    ]


def _band(view: _View, fit: CurveFit) -> PlotlyJson:
    lower = [view.loss.held(float(y)) for y in fit.low]
    upper = [view.loss.held(float(y)) for y in fit.high]
    x = [float(x) for x in fit.log2_lr]
    return {
        "type": "scatter",
        "legendgroup": str(fit.size),
        "x": numbers([*x, *reversed(x)]),
        "y": numbers([*lower, *reversed(upper)]),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": see_through(view.colours[fit.size], 0.13),
        "hoverinfo": "skip",
    }


def _fit_line(view: _View, fit: CurveFit) -> PlotlyJson:
    return {
        "type": "scatter",
        "legendgroup": str(fit.size),
        "x": numbers(float(x) for x in fit.log2_lr),
        "y": numbers(view.loss.held(float(y)) for y in fit.loss),
        "mode": "lines",
        "line": {"width": 1.6, "color": view.colours[fit.size]},
        "hoverinfo": "skip",
    }


def _median_line(view: _View, width: int, cells: Sequence[Cell]) -> PlotlyJson:
    """Join the medians where no curve could be fitted; a diverged median breaks the line."""
    y = [view.loss.held(c.median) if math.isfinite(c.median) else math.nan for c in cells]
    return {
        "type": "scatter",
        "legendgroup": str(width),
        "x": numbers(cell.x for cell in cells),
        "y": numbers(y),
        "mode": "lines",
        "line": {"width": 1.2, "dash": "dot", "color": view.colours[width]},
        "hoverinfo": "skip",
    }


def _dots(view: _View, width: int, cells: Sequence[Cell]) -> PlotlyJson:
    if view.every_run:
        dots = [(cell.x, loss, str(seed)) for cell in cells for seed, loss in cell.runs]
    else:
        dots = [(cell.x, cell.median, "median") for cell in cells]
    dots = [dot for dot in dots if dot[1] <= view.loss.high]
    return {
        "type": "scatter",
        "legendgroup": str(width),
        "x": numbers(x for x, _, _ in dots),
        "y": numbers(loss for _, loss, _ in dots),
        "customdata": [seed for _, _, seed in dots],
        "mode": "markers",
        "marker": {"size": 5, "opacity": 0.8, "color": view.colours[width]},
        "hovertemplate": (
            f"{view.size} {width}, seed %{{customdata}}<br>"
            "lr 2^%{x:.2f}<br>loss %{y:.4g}<extra></extra>"
        ),
    }


def _off_scale(view: _View, width: int, cells: Sequence[Cell]) -> PlotlyJson:
    marks = [(cell, _above(view, cell)) for cell in cells]
    marks = [(cell, above) for cell, above in marks if above or cell.diverged]
    return {
        "type": "scatter",
        "legendgroup": str(width),
        "x": numbers(cell.x for cell, _ in marks),
        "y": [view.row(width)] * len(marks),
        "text": [_mark_text(view, cell, above) for cell, above in marks],
        "mode": "markers",
        "marker": {
            "symbol": ["x" if cell.diverged else "triangle-up-open" for cell, _ in marks],
            "size": [6 if cell.diverged else 7 for cell, _ in marks],
            "color": view.colours[width],
            "line": {"width": [0 if cell.diverged else 1.2 for cell, _ in marks]},
            "opacity": [1.0 if _lost(cell, above) else 0.55 for cell, above in marks],
        },
        "hovertemplate": "%{text}<extra></extra>",
    }


def _above(view: _View, cell: Cell) -> list[float]:
    return [loss for loss in cell.losses if loss > view.loss.high]


def _lost(cell: Cell, above: Sequence[float]) -> bool:
    return cell.diverged + len(above) == cell.total


def _mark_text(view: _View, cell: Cell, above: Sequence[float]) -> str:
    lines = [f"{view.size} {cell.width}", f"lr {rate_text(cell.x, digits=2, significant=4)}"]
    if cell.diverged:
        lines.append(f"{cell.diverged} of {cell.total} runs diverged")
    if above:
        lines.append(
            f"{len(above)} of {cell.total} runs above the plot, up to {loss_text(max(above))}"
        )
    return "<br>".join(lines)


def _interval(view: _View, optimum: Optimum) -> PlotlyJson:
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
    limits = f"95 %: {rate_range_text(low, high)}" if bounded else "only a bound is known"
    return {
        "type": "scatter",
        "legendgroup": str(optimum.size),
        "x": numbers([left, estimate, right] if bounded else [left, right]),
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
        "text": f"{view.size} {optimum.size}<br>optimum {optimum_text(optimum)}<br>{limits}",
        "hovertemplate": "%{text}<extra></extra>",
    }


def _layout(view: _View, grid: Grid) -> PlotlyJson:
    layout = base_layout(grid)
    for k in range(1, grid.panels + 1):
        layout |= _x_axis(view, grid, k)
        layout |= _loss_axis(view, grid, k)
        layout |= _strip_axis(view, grid, k, _OFF_SCALE, "off scale")
        layout |= _strip_axis(view, grid, k, _OPTIMUM, "optimum")
    numbered = list(enumerate(view.panels, start=1))
    layout["annotations"] = [note for k, panel in numbered for note in _notes(k, panel, grid)]
    layout["shapes"] = [shape for k, panel in numbered for shape in _shapes(k, panel, grid)]
    return layout


def _notes(k: int, panel: _Panel, grid: Grid) -> list[PlotlyJson]:
    notes = [panel_title(k, plotly_text(panel.answer.scheme), grid=grid, shift=4, bold=True)]
    if not any(cell.runs for cell in panel.cells):
        text = "every run diverged" if panel.cells else "no runs"
        notes.append(remark(k, _LOSS, text, grid=grid))
    if not any(optimum.log2_lr is not None for optimum in panel.answer.optima):
        notes.append(remark(k, _OPTIMUM, "no optimum is known", grid=grid))
    return notes


def _shapes(k: int, panel: _Panel, grid: Grid) -> list[PlotlyJson]:
    shapes = [frame(k, piece, grid=grid) for piece in (_OFF_SCALE, _LOSS, _OPTIMUM)]
    regret = panel.answer.regret
    if regret is not None and math.isfinite(regret.log2_lr):
        shapes.append(_carried(k, regret.log2_lr, grid))
    return shapes


def _x_axis(view: _View, grid: Grid, k: int) -> PlotlyJson:
    ticks = whole_ticks(view.low_x, view.high_x, most=8)
    axis = base_axis() | {
        "domain": grid.across(k),
        "anchor": axis_name("y", view.axis(k, _OPTIMUM)),
        "range": numbers([view.low_x, view.high_x]),
        "tickvals": ticks,
        "ticktext": [tick_text(tick) for tick in ticks],
        "title": {"text": "learning rate", "standoff": 6},
    }
    return {axis_key("x", k): axis | ({"matches": "x"} if k > 1 else {})}


def _loss_axis(view: _View, grid: Grid, k: int) -> PlotlyJson:
    first = view.axis(1, _LOSS)
    left = grid.column(k) == 0
    axis = base_axis() | {
        "domain": grid.up(k, _LOSS),
        "anchor": axis_name("x", k),
        "type": "log" if view.loss.log else "linear",
        "range": view.loss.range,
        "nticks": 7,
        "showticklabels": left,
        "title": {"text": "final loss" if left else "", "standoff": 8},
    }
    shared = {} if k == 1 else {"matches": axis_name("y", first)}
    return {axis_key("y", view.axis(k, _LOSS)): axis | shared}


def _strip_axis(view: _View, grid: Grid, k: int, piece: int, label: str) -> PlotlyJson:
    rows = len(view.colours)
    axis = base_axis() | {
        "domain": grid.up(k, piece),
        "anchor": axis_name("x", k),
        "range": [-0.8, rows - 0.2],
        "fixedrange": True,
        "showgrid": False,
        "tickvals": [(rows - 1) / 2],
        "ticktext": [label],
        "tickcolor": CLEAR,
        "tickfont": {"size": 11},
        "showticklabels": grid.column(k) == 0,
    }
    return {axis_key("y", view.axis(k, piece)): axis}


def _carried(k: int, x: float, grid: Grid) -> PlotlyJson:
    bottom, top = grid.up(k)
    return {
        "type": "line",
        "xref": axis_name("x", k),
        "yref": "paper",
        "x0": number(x),
        "x1": number(x),
        "y0": bottom,
        "y1": top,
        "layer": "below",
        "line": {"width": 1.2, "dash": "dash", "color": INK},
    }
