"""A user's rasters and vectors, cut into training records."""
