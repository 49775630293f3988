"""Everything before training records exist."""
