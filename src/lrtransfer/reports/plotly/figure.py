"""Figures as plain data, in the form that plotly takes and a page stores."""

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PlotlyJson = dict[str, Any]
MOST_COLUMNS = 3


@dataclass(frozen=True)
class Figure:
    """A plotly figure whose panels may stand in one, two or three columns.

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


def escape_text(text: str, *, longest: int = 36) -> str:
    """Return a user's string so that plotly shows it as it is; plotly renders pseudo-HTML.

    Arguments:
        text: The string.
        longest: Characters after which it is cut.

    Example:
        >>> escape_text("<b>mup</b>")
        '&lt;b&gt;mup&lt;/b&gt;'
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return html.escape(cut, quote=False)


def round_number(value: float) -> float | None:
    """Return a number as a page stores it: six significant digits, None unless finite.

    Example:
        >>> round_number(2 / 3), round_number(float("nan"))
        (0.666667, None)
    """
    return float(f"{value:.6g}") if math.isfinite(value) else None


def round_numbers(values: Iterable[float]) -> list[float | None]:
    """Return numbers as a page stores them."""
    return [round_number(value) for value in values]


def draw_nothing(x: str, y: str) -> PlotlyJson:
    """Return a trace without points; plotly lays out no pair of axes that has no trace."""
    return {
        "type": "scatter",
        "x": [None],
        "y": [None],
        "xaxis": x,
        "yaxis": y,
        "hoverinfo": "skip",
    }
