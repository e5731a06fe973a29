"""What is predicted about learning rates: float64 NumPy and exact arithmetic, no torch."""
