"""A forward pass, run once and watched: what it does with every parameter."""
