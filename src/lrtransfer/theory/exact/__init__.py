"""Deep linear networks, exactly: losses, limits and optima at finite and infinite width."""
