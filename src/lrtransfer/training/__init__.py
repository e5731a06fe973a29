"""How one run is trained. It takes a model, an optimizer and data as they are."""
