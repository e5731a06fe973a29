"""Reference models of any width; they know nothing about parametrizations."""
