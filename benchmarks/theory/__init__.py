"""Measure all figures of the theory and write them into docs/theory-figures.md."""
