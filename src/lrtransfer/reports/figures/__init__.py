"""The figures of a report: plain data in, plotly figures out.

import plotly.graph_objects as go
go.Figure(draw_loss_figure(study.table, study.answers).plotly())
"""

from ..plotly.figure import Figure as Figure
from .loss import draw_loss_figure as draw_loss_figure
from .optimum import draw_optimum_figure as draw_optimum_figure

__all__ = ["Figure", "draw_loss_figure", "draw_optimum_figure"]
