"""What draws: grids of panels, axes and colours, as plotly reads them."""
