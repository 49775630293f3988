"""Grids, rasters, windows and vectors; never TensorFlow."""
