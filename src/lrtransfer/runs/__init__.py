"""One run: what it is, what it is made of, what came of it."""
