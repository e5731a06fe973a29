"""What each tensor of a model is, and what that means for its initialisation and training."""
