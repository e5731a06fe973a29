"""The figures of a report: plain data in, plotly figures out.

import plotly.graph_objects as go
go.Figure(loss_figure(study.table, study.answers).plotly())
"""

from .loss_panels import loss_figure as loss_figure
from .optimum_panels import optimum_figure as optimum_figure
from .panels import Figure as Figure

__all__ = ["Figure", "loss_figure", "optimum_figure"]
