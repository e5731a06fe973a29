"""Many runs: which to make, what is kept of them, and what follows."""
