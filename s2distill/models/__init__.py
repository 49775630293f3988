"""Teacher and student networks, in `keras.ops` only."""
