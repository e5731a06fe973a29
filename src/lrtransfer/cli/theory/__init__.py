"""`lrtransfer theory`: exact learning rates of deep linear networks."""
