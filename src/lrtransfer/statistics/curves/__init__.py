"""From runs to loss curves, and from curves to optima."""
