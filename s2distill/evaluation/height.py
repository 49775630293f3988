"""Height of buildings: error on true building pixels, and by true height.

The bands show what the mean hides: a model may be right on houses, which are
many, and squash towers, which are few.
"""

import numpy as np

from s2distill.evaluation.ratio import ratio

# Lower edges of the bands, m; the last has no upper edge.
BAND_EDGES_M = (0.0, 5.0, 10.0, 20.0)
BAND_NAMES = ("0_5_m", "5_10_m", "10_20_m", "over_20_m")


def sum_height_errors(
    height_m: np.ndarray, true_height_m: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Sums of one tile, band by band.

    Args:
      height_m: [h, w] metres above ground, predicted.
      true_height_m: [h, w] metres above ground.
      weight: [h, w], above 0 on building pixels of known height.

    Returns:
      [4 bands, 3] float64: pixels, sum of absolute errors, sum of errors.
    """
    known = weight > 0
    true = true_height_m[known].astype(np.float64)
    error = height_m[known].astype(np.float64) - true
    # Heights above ground below 0 are noise of the label: first band.
    band = np.maximum(np.searchsorted(BAND_EDGES_M, true, "right") - 1, 0)
    bands = len(BAND_EDGES_M)
    return np.stack(
        [
            np.bincount(band, minlength=bands).astype(np.float64),
            np.bincount(band, np.abs(error), minlength=bands),
            np.bincount(band, error, minlength=bands),
        ],
        axis=-1,
    )


def height_mae_m(sums: np.ndarray) -> np.ndarray:
    """[..., 4, 3] sums to [...] mean absolute error over all heights, m."""
    total = sums.sum(axis=-2)
    return ratio(total[..., 1], total[..., 0])


def height_bias_m(sums: np.ndarray) -> np.ndarray:
    """[..., 4, 3] sums to [...] mean of predicted minus true height, m."""
    total = sums.sum(axis=-2)
    return ratio(total[..., 2], total[..., 0])


def height_mae_by_band_m(sums: np.ndarray) -> np.ndarray:
    """[..., 4, 3] sums to [..., 4] mean absolute error of each band, m."""
    return ratio(sums[..., 1], sums[..., 0])
