"""Axes: how plotly numbers them, and where their ticks stand."""

import math
from collections.abc import Sequence

from .colours import FRAME, GRID
from .figure import PlotlyJson


def name_axis(letter: str, number: int) -> str:
    """Return how a trace names an axis.

    Example:
        >>> name_axis("x", 1), name_axis("y", 3)
        ('x', 'y3')
    """
    return letter if number == 1 else f"{letter}{number}"


def key_axis(letter: str, number: int) -> str:
    """Return how a layout names an axis.

    Example:
        >>> key_axis("x", 1), key_axis("y", 3)
        ('xaxis', 'yaxis3')
    """
    return f"{letter}axis" if number == 1 else f"{letter}axis{number}"


def place_ticks(low: float, high: float, *, most: int) -> list[int]:
    """Return evenly spaced integers inside a range, at most `most` of them.

    Arguments:
        low: Lower end of the range.
        high: Upper end.
        most: The largest number of ticks wanted.

    Example:
        >>> place_ticks(-8.5, 0.2, most=5)
        [-8, -6, -4, -2, 0]
    """
    step = max(1, math.ceil((math.floor(high) - math.ceil(low) + 1) / most))
    first = step * math.ceil(low / step)
    return list(range(first, math.floor(high) + 1, step))


def thin_out(values: Sequence[float], *, apart: float, keep: float) -> list[float]:
    """Return the values that can be labelled without touching; `keep` always is.

    Arguments:
        values: Positions, increasing.
        apart: Smallest distance between two labels.
        keep: The position that must have a label.

    Example:
        >>> thin_out([6, 6.5, 7, 8], apart=0.9, keep=8)
        [6, 7, 8]
    """
    labels: list[float] = []
    for value in (v for v in values if v == keep or abs(v - keep) >= apart):
        if not labels or value - labels[-1] >= apart:
            labels.append(value)
    return labels


def make_axis() -> PlotlyJson:
    """Return what every axis has."""
    return {
        "gridcolor": GRID,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": FRAME,
        "exponentformat": "power",
    }
