"""Which runs a study needs, how they are kept, and who trains them."""
