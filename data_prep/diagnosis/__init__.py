"""What the doctor does: opens an input, measures it, and says what is wrong."""
