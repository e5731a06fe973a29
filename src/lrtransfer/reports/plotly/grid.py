"""What both figures share: a grid of panels, one per scheme, and the colours of the widths.

A panel is a stack of pieces (strips and plots) over one x axis. Panels are numbered from 1, as
plotly numbers axes; piece p of panel k owns the y axis k + p·(number of panels). Sizes are in
pixels; plotly wants the vertical ones as fractions of the plotting area.
"""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

PlotlyJson = dict[str, Any]

INK = "#333"
MUTED = "#777"
GRID = "#e9e9e9"
FRAME = "#c8c8c8"
CLEAR = "rgba(0,0,0,0)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

MOST_COLUMNS = 3
_LEFT, _RIGHT, _BOTTOM = 66, 14, 46
_BETWEEN_ROWS = 58  # the labels of the x axis; a title comes on top of it
_BETWEEN_PIECES = 5
_BETWEEN_COLUMNS = 0.03  # of the plotting area's width

# "plasma" (van der Walt & Smith) without its yellow end, which vanishes on paper; narrow first
_SEQUENCE = ("#ed7953", "#d8576b", "#bd3786", "#9c179e", "#7201a8", "#46039f", "#0d0887")


@dataclass(frozen=True)
class Figure:
    """Hold a plotly figure whose panels may stand in one, two or three columns.

    Attributes:
        traces: plotly traces, the same for every arrangement.
        layouts: `layouts[c - 1]` arranges the panels in c columns.
    """

    traces: tuple[PlotlyJson, ...]
    layouts: tuple[PlotlyJson, ...]

    def plotly(self, *, columns: int = MOST_COLUMNS) -> PlotlyJson:
        """Return the figure as `plotly.graph_objects.Figure` takes it.

        Arguments:
            columns: Panels side by side; more than there are panels is the same as all.
        """
        return {
            "data": list(self.traces),
            "layout": self.layouts[min(columns, len(self.layouts)) - 1],
        }


@dataclass(frozen=True)
class Grid:
    """Place the pieces of every panel.

    Attributes:
        panels: Number of panels.
        columns: Panels side by side.
        pieces: Height of each piece from top to bottom, in pixels.
        title: Height of the title above a panel, in pixels.
    """

    panels: int
    columns: int
    pieces: tuple[int, ...]
    title: int

    @property
    def rows(self) -> int:
        """The number of rows of panels."""
        return -(-self.panels // self.columns)

    @property
    def panel_height(self) -> int:
        """The height of one panel in pixels."""
        return sum(self.pieces) + _BETWEEN_PIECES * (len(self.pieces) - 1)

    @property
    def row_height(self) -> int:
        """The way from one row of panels to the next in pixels."""
        return self.panel_height + self._between

    @property
    def _between(self) -> int:
        return _BETWEEN_ROWS + self.title

    @property
    def plot_height(self) -> int:
        """The height of the plotting area in pixels."""
        return self.rows * self.row_height - self._between

    @property
    def height(self) -> int:
        """The height of the whole figure in pixels."""
        return self.plot_height + self.title + _BOTTOM

    def column(self, panel: int) -> int:
        """Return the column of a panel, from 0."""
        return (panel - 1) % self.columns

    def across(self, panel: int) -> list[float]:
        """Return the horizontal domain of a panel."""
        share = (1 - _BETWEEN_COLUMNS * (self.columns - 1)) / self.columns
        left = self.column(panel) * (share + _BETWEEN_COLUMNS)
        return [round(left, 6), round(left + share, 6)]

    def up(self, panel: int, piece: int | None = None) -> list[float]:
        """Return the vertical domain of one piece of a panel, or of the whole panel."""
        row = (panel - 1) // self.columns
        top = row * self.row_height
        size = self.panel_height
        if piece is not None:
            top += sum(self.pieces[:piece]) + _BETWEEN_PIECES * piece
            size = self.pieces[piece]
        ends = (top + size, top)
        return [round(1 - end / self.plot_height, 6) for end in ends]


def grids(panels: int, pieces: tuple[int, ...], *, title: int) -> tuple[Grid, ...]:
    """Return the arrangements of a number of panels: one column, two, up to three.

    Arguments:
        panels: Number of panels, at least one.
        pieces: Height of each piece of a panel in pixels.
        title: Height of the title above a panel in pixels.

    Example:
        >>> [grid.rows for grid in grids(4, (300,), title=20)]
        [4, 2, 2]
    """
    columns = range(1, min(panels, MOST_COLUMNS) + 1)
    return tuple(Grid(panels, c, pieces, title) for c in columns)


def axis_name(letter: str, number: int) -> str:
    """Return how a trace names an axis.

    Example:
        >>> axis_name("x", 1), axis_name("y", 3)
        ('x', 'y3')
    """
    return letter if number == 1 else f"{letter}{number}"


def axis_key(letter: str, number: int) -> str:
    """Return how a layout names an axis.

    Example:
        >>> axis_key("x", 1), axis_key("y", 3)
        ('xaxis', 'yaxis3')
    """
    return f"{letter}axis" if number == 1 else f"{letter}axis{number}"


def plotly_text(text: str, *, longest: int = 36) -> str:
    """Return a user's string so that plotly shows it as it is; plotly renders pseudo-HTML.

    Arguments:
        text: The string.
        longest: Characters after which it is cut.

    Example:
        >>> plotly_text("<b>mup</b>")
        '&lt;b&gt;mup&lt;/b&gt;'
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return html.escape(cut, quote=False)


def number(value: float) -> float | None:
    """Return a number as a page stores it: six significant digits, None unless finite.

    Example:
        >>> number(2 / 3), number(float("nan"))
        (0.666667, None)
    """
    return float(f"{value:.6g}") if math.isfinite(value) else None


def numbers(values: Iterable[float]) -> list[float | None]:
    """Return numbers as a page stores them."""
    return [number(value) for value in values]


def width_colours(widths: Iterable[int]) -> dict[int, str]:
    """Return one colour per width, from light (narrow) to dark (wide).

    Arguments:
        widths: The widths of a study, in any order.

    Example:
        >>> width_colours([512, 256])
        {256: '#ed7953', 512: '#0d0887'}
    """
    ordered = sorted(set(widths))
    steps = max(len(ordered) - 1, 1)
    only = 0.5 if len(ordered) == 1 else 0.0
    return {width: _colour(i / steps + only) for i, width in enumerate(ordered)}


def _colour(share: float) -> str:
    place = share * (len(_SEQUENCE) - 1)
    lower = min(int(place), len(_SEQUENCE) - 2)
    mixed = (
        round(a + (place - lower) * (b - a))
        for a, b in zip(_rgb(_SEQUENCE[lower]), _rgb(_SEQUENCE[lower + 1]), strict=True)
    )
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def see_through(colour: str, alpha: float) -> str:
    """Return a colour with an opacity.

    Example:
        >>> see_through("#0d0887", 0.1)
        'rgba(13,8,135,0.1)'
    """
    return f"rgba({','.join(map(str, _rgb(colour)))},{alpha})"


def whole_ticks(low: float, high: float, *, most: int) -> list[int]:
    """Return evenly spaced integers inside a range, at most `most` of them.

    Arguments:
        low: Lower end of the range.
        high: Upper end.
        most: The largest number of ticks wanted.

    Example:
        >>> whole_ticks(-8.5, 0.2, most=5)
        [-8, -6, -4, -2, 0]
    """
    step = max(1, math.ceil((math.floor(high) - math.ceil(low) + 1) / most))
    first = step * math.ceil(low / step)
    return list(range(first, math.floor(high) + 1, step))


def spaced(values: Sequence[float], *, apart: float, keep: float) -> list[float]:
    """Return the values that can be labelled without touching; `keep` always is.

    Arguments:
        values: Positions, increasing.
        apart: Smallest distance between two labels.
        keep: The position that must have a label.

    Example:
        >>> spaced([6, 6.5, 7, 8], apart=0.9, keep=8)
        [6, 7, 8]
    """
    chosen: list[float] = []
    for value in (v for v in values if v == keep or abs(v - keep) >= apart):
        if not chosen or value - chosen[-1] >= apart:
            chosen.append(value)
    return chosen


def panel_title(panel: int, text: str, *, grid: Grid, shift: int, bold: bool) -> PlotlyJson:
    """Return a line of text above a panel, `shift` pixels over its upper edge."""
    return {
        "text": text,
        "x": grid.across(panel)[0],
        "y": grid.up(panel)[1],
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": shift,
        "showarrow": False,
        "font": {"size": 13, "weight": 600} if bold else {"size": 11, "color": MUTED},
    }


def frame(panel: int, piece: int, *, grid: Grid) -> PlotlyJson:
    """Return the frame around one piece of a panel."""
    left, right = grid.across(panel)
    bottom, top = grid.up(panel, piece)
    return {
        "type": "rect",
        "xref": "paper",
        "yref": "paper",
        "x0": left,
        "x1": right,
        "y0": bottom,
        "y1": top,
        "line": {"width": 1, "color": FRAME},
    }


def remark(panel: int, piece: int, text: str, *, grid: Grid) -> PlotlyJson:
    """Return a line of text in the middle of a piece that has nothing to show."""
    return {
        "text": text,
        "x": sum(grid.across(panel)) / 2,
        "y": sum(grid.up(panel, piece)) / 2,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"color": MUTED},
    }


def nothing_drawn(x: str, y: str) -> PlotlyJson:
    """Return a trace without points; plotly lays out no pair of axes that has no trace."""
    return {
        "type": "scatter",
        "x": [None],
        "y": [None],
        "xaxis": x,
        "yaxis": y,
        "hoverinfo": "skip",
    }


def base_layout(grid: Grid) -> PlotlyJson:
    """Return what every layout has: size, margins, fonts, a clear background."""
    return {
        "height": grid.height,
        "margin": {"l": _LEFT, "r": _RIGHT, "t": grid.title, "b": _BOTTOM},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": FONT, "size": 12, "color": INK},
        "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 12}},
        "hovermode": "closest",
        "showlegend": False,
    }


def base_axis() -> PlotlyJson:
    """Return what every axis has."""
    return {
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": FRAME,
        "exponentformat": "power",
    }
