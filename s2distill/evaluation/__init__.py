"""Metrics, calibration, reports and their pictures."""
