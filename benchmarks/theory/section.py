"""A section of the page of measurements: its rows, text and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

FOLDER = Path(__file__).parent.parent.parent / "docs" / "measurements" / "figures"
INK, PALE = "#222222", "#dddddd"


@dataclass(frozen=True)
class Row:
    """One measurement: what, its value, and the value required of it."""

    what: str
    measured: str
    wanted: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, rows for the table at the top of the page, and a text in Markdown."""

    title: str
    rows: tuple[Row, ...]
    text: str


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def loglog(
    name: str,
    series: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    x: str,
    y: str,
    errors: Mapping[str, ArrayLike] | None = None,
    guides: Mapping[str, float] | None = None,
) -> str:
    """Draw lines on logarithmic axes and return the Markdown that shows them.

    Arguments:
        name: Name of the file, without folder and ending.
        series: Abscissae and ordinates by label.
        x: Label of the abscissa.
        y: Label of the ordinate.
        errors: Standard errors of some series.
        guides: Exponents of grey lines by label, drawn through the first point of the first series.

    Returns:
        A Markdown image.
    """
    with mpl.rc_context({"svg.hashsalt": "lrtransfer", "font.size": 9, "text.color": INK}):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        axes = figure.subplots()
        for i, (label, (abscissa, ordinate)) in enumerate(series.items()):
            bars = None if errors is None else errors.get(label)
            axes.errorbar(
                np.asarray(abscissa), np.asarray(ordinate), yerr=bars, label=label,
                marker="osDv^P*X"[i % 8], markersize=4, linewidth=1.2, capsize=2,
            )  # fmt: skip
        first_x, first_y = (np.asarray(v, float) for v in next(iter(series.values())))
        for label, exponent in (guides or {}).items():
            line = first_y[0] * (first_x / first_x[0]) ** exponent
            axes.plot(first_x, line, color=PALE, linewidth=3, zorder=0, label=label)
        axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
        axes.set_xticks(first_x, [f"{value:g}" for value in first_x])
        axes.minorticks_off()
        axes.grid(color=PALE, linewidth=0.5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        FOLDER.mkdir(exist_ok=True)
        figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    return f"![{y} against {x}](figures/{name}.svg)\n"
