"""Answers on disk become records, on Beam."""
