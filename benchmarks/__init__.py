"""Measurements of speed, coverage and accuracy."""
