"""Text to train on, with its hash and its split. NumPy only."""
