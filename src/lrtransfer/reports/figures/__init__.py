"""The figures of a report: plain data in, plotly figures out.

import plotly.graph_objects as go
go.Figure(draw_losses(study.table, study.answers).plotly())
"""

from ..plotly.figure import Figure as Figure
from .loss import draw_losses as draw_losses
from .optimum import draw_optima as draw_optima

__all__ = ["Figure", "draw_losses", "draw_optima"]
