"""Optimizers of public packages: what each does, and whether `verify` tells it."""
