"""Exact learning rates of deep linear networks, at finite and infinite width."""
