"""A grid of panels, one per scheme, and what is written and framed on it.

A panel is a stack of pieces (strips and plots) over one x axis. Panels are numbered from 1, as
plotly numbers axes; piece p of panel k owns the y axis k + p·(number of panels). Sizes are in
pixels; plotly wants the vertical ones as fractions of the plotting area.
"""

from dataclasses import dataclass

from .colours import CLEAR, FRAME, INK, MUTED
from .figure import MOST_COLUMNS, PlotlyJson

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

_LEFT, _RIGHT, _BOTTOM = 66, 14, 46
_BETWEEN_ROWS = 58  # the labels of the x axis; a title comes on top of it
_BETWEEN_PIECES = 5
_BETWEEN_COLUMNS = 0.03  # of the plotting area's width


@dataclass(frozen=True)
class Grid:
    """One arrangement of the panels: where the pieces of each stand.

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


def arrange_panels(panels: int, pieces: tuple[int, ...], *, title: int) -> tuple[Grid, ...]:
    """Return the arrangements of a number of panels: one column, two, up to three.

    Arguments:
        panels: Number of panels, at least one.
        pieces: Height of each piece of a panel in pixels.
        title: Height of the title above a panel in pixels.

    Example:
        >>> [grid.rows for grid in arrange_panels(4, (300,), title=20)]
        [4, 2, 2]
    """
    columns = range(1, min(panels, MOST_COLUMNS) + 1)
    return tuple(Grid(panels, c, pieces, title) for c in columns)


def write_title(panel: int, text: str, *, grid: Grid, shift: int, bold: bool) -> PlotlyJson:
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


def draw_frame(panel: int, piece: int, *, grid: Grid) -> PlotlyJson:
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


def write_remark(panel: int, piece: int, text: str, *, grid: Grid) -> PlotlyJson:
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


def make_layout(grid: Grid) -> PlotlyJson:
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
