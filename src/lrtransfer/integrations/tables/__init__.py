"""Runs made anywhere, as the statistics read them. Never torch."""
