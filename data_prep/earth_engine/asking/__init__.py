"""Requests for pixels: login, pace, faults, pieces, the place guard."""
