"""Optimal learning rate against size: one panel per scheme, both axes log2.

x is log2 size, y the learning rate as log2. Colours are those of the loss figure.
"""

from collections.abc import Sequence

from ...statistics.answer import SchemeAnswer
from ..plotly.figure import Figure
from ..plotly.grid import arrange_panels
from .optimum_layout import lay_out_optima
from .optimum_traces import draw_panel
from .optimum_view import make_optimum_view

_HEIGHT = 270


def draw_optimum_figure(answers: Sequence[SchemeAnswer], *, target: int) -> Figure:
    """Draw the optimum of every size with its interval, the drift and the prediction.

    Arguments:
        answers: What was concluded for each scheme, at least one, in the order of the panels.
        target: Size the learning rate is wanted for.

    Returns:
        The figure, its panels sharing both axes.
    """
    view = make_optimum_view(answers, target)
    panels = enumerate(view.answers, start=1)
    grids = arrange_panels(len(view.answers), (_HEIGHT,), title=56)
    return Figure(
        traces=tuple(trace for k, answer in panels for trace in draw_panel(view, k, answer)),
        layouts=tuple(lay_out_optima(view, grid) for grid in grids),
    )
