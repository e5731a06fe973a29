"""What each tensor of a model is, from how it grows and what the forward pass does with it."""
