"""Reference models. They know their width and nothing of parametrizations."""
