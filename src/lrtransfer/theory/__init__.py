"""Predictions about learning rates, in float64 NumPy and exact arithmetic, without torch."""
