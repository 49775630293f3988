"""A region becomes places: grids, keys, splits, dates."""
