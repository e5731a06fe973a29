"""The user's own code, named as `pkg.module:name`: loaded, and hashed without being run."""
