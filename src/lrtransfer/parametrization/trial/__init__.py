"""What an optimizer does, measured on tiny copies of it, beside what its family of rules says."""
