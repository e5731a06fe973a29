"""Data to train on, with its hash and its held-out part. NumPy only, no torch."""
