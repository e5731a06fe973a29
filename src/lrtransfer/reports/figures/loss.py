"""Loss against learning rate: one panel per scheme, one colour per size.

x is the learning rate as log2. A panel stacks three pieces over the same x axis, each with one row
or curve per size:

    off scale   runs that diverged (×) and losses above the plot (△): nothing is ever left out
    loss        every run, the fitted median with its band
    optimum     the interval of the best learning rate, an arrow where only a bound is known
"""

from collections.abc import Sequence

from ...statistics.answer import SchemeAnswer
from ...statistics.table import RunTable
from ..plotly.axes import name_axis
from ..plotly.figure import Figure, draw_nothing
from ..plotly.grid import arrange_panels
from .loss_layout import lay_out_losses
from .loss_traces import draw_size
from .loss_view import PIECES, make_loss_view

_LOSS_HEIGHT = 280


def draw_loss_figure(table: RunTable, answers: Sequence[SchemeAnswer]) -> Figure:
    """Draw loss against learning rate, one panel per scheme, one colour per size.

    Arguments:
        table: The runs of a study.
        answers: What was concluded for each scheme, at least one, in the order of the panels.

    Returns:
        The figure, its panels sharing both axes. A trace's `legendgroup` is its size.
    """
    view = make_loss_view(table, answers)
    traces = [
        trace
        for k, panel in enumerate(view.panels, start=1)
        for trace in (
            *(draw_nothing(name_axis("x", k), name_axis("y", view.axis(k, p))) for p in PIECES),
            *(t for size in view.colours for t in draw_size(view, k, panel, size)),
        )
    ]
    grids = arrange_panels(len(view.panels), (view.strip, _LOSS_HEIGHT, view.strip), title=26)
    return Figure(tuple(traces), tuple(lay_out_losses(view, grid) for grid in grids))
