"""What follows from the roles: how each tensor is initialised, multiplied and trained."""
