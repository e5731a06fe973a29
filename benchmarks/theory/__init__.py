"""Measure all figures of the theory and write them into docs/measurements/theory-figures.md."""
