"""Ratios that may be undefined: NaN within arrays, None where a reader looks.

A score without a single pixel behind it is neither 0 nor 1. Score functions
work on arrays of sums, one for each bootstrap replicate, and mark such
places with NaN; `to_number` turns them into None for files and tables.
"""

import math

import numpy as np


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """`numerator / denominator`, NaN (without a warning) where that is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    undefined = denominator == 0
    return np.where(
        undefined, np.nan, numerator / np.where(undefined, 1.0, denominator)
    )


def to_number(value: float | np.ndarray) -> float | None:
    """A float, or None where the value is not finite."""
    number = float(value)
    return number if math.isfinite(number) else None
