"""The figures of a report: plain data in, plotly figures out.

import plotly.graph_objects as go
go.Figure(loss_figure(study.table, study.answers).plotly())
"""

from ..plotly.grid import Figure as Figure
from .loss import loss_figure as loss_figure
from .optimum import optimum_figure as optimum_figure

__all__ = ["Figure", "loss_figure", "optimum_figure"]
