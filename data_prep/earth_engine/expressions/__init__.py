"""What Earth Engine is to compute for a place, as its own client says it."""
