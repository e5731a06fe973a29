"""Where runs are trained, and how many at once. Knows no store, and loads no torch."""
