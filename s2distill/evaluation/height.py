"""Height of buildings: error on true building pixels, and by true height.

The bands show what the mean hides: a model may be right on houses, which are
many, and squash towers, which are few. The same holds of the intervals of a
model that answers a scale of its error.
"""

import numpy as np

from s2distill.evaluation.ratio import ratio

# Lower edges of the bands, m; the last has no upper edge.
BAND_EDGES_M = (0.0, 5.0, 10.0, 20.0)
BAND_NAMES = ("0_5_m", "5_10_m", "10_20_m", "over_20_m")
# Central intervals whose coverage is scored.
LEVELS = (0.5, 0.8, 0.9)
# Steps of error over scale: from 2**-12 to 2**12, 1.6 % each.
_STEPS_PER_DOUBLING = 43
_DOUBLINGS = 12
RATIO_STEPS = 2 * _DOUBLINGS * _STEPS_PER_DOUBLING


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
    band = _band(true)
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


def sum_height_coverage(
    height_m: np.ndarray,
    scale_m: np.ndarray,
    true_height_m: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """How often the truth lies in the intervals of one tile, band by band.

    The error is taken to follow a Laplace distribution of scale b: a share p
    of it lies within -b ln(1 - p).

    Args:
      height_m: [h, w] metres above ground, predicted.
      scale_m: [h, w] b, metres, above 0.
      true_height_m: [h, w] metres above ground.
      weight: [h, w], above 0 on building pixels of known height.

    Returns:
      [4 bands, 4] float64: pixels, pixels within the central interval of
      each of `LEVELS`.
    """
    known = weight > 0
    true = true_height_m[known].astype(np.float64)
    ratios = _error_over_scale(height_m, scale_m, true_height_m, known)
    band, bands = _band(true), len(BAND_EDGES_M)
    inside = [ratios <= -np.log1p(-level) for level in LEVELS]
    return np.stack(
        [np.bincount(band[i], minlength=bands) for i in (..., *inside)],
        axis=-1,
    ).astype(np.float64)


def sum_height_ratios(
    height_m: np.ndarray,
    scale_m: np.ndarray,
    true_height_m: np.ndarray,
    weight: np.ndarray,
) -> np.ndarray:
    """Histogram of error over scale of one tile, for `fit_scale_factor`.

    Args:
      height_m: [h, w] metres above ground, predicted.
      scale_m: [h, w] metres, above 0.
      true_height_m: [h, w] metres above ground.
      weight: [h, w], above 0 on building pixels of known height.

    Returns:
      [RATIO_STEPS] float32 pixels in steps of the logarithm; the first and
      the last hold all that lies beyond.
    """
    ratios = _error_over_scale(height_m, scale_m, true_height_m, weight > 0)
    doublings = np.log2(np.maximum(ratios, 2.0**-_DOUBLINGS))
    step = np.floor((doublings + _DOUBLINGS) * _STEPS_PER_DOUBLING)
    step = np.clip(step.astype(np.int64), 0, RATIO_STEPS - 1)
    return np.bincount(step, minlength=RATIO_STEPS).astype(np.float32)


def fit_scale_factor(ratios: np.ndarray, level: float = 0.8) -> float | None:
    """What scales are multiplied by so that intervals cover what they say.

    Args:
      ratios: [RATIO_STEPS] sums of `sum_height_ratios`.
      level: The central interval that is to cover its share, in 0 to 1.

    Returns:
      The factor, above 0, exact to a step (1.6 %); None without a pixel.
    """
    if not ratios.sum():
        return None
    running = np.concatenate([[0.0], np.cumsum(ratios, dtype=np.float64)])
    step = np.interp(level * running[-1], running, np.arange(RATIO_STEPS + 1))
    quantile = 2.0 ** (step / _STEPS_PER_DOUBLING - _DOUBLINGS)
    return float(quantile / -np.log1p(-level))


def height_coverage(sums: np.ndarray, level: float) -> np.ndarray:
    """[..., 4, 4] sums to [...] share of the truth within one interval."""
    total = sums.sum(axis=-2)
    return ratio(total[..., 1 + LEVELS.index(level)], total[..., 0])


def height_coverage_80_by_band(sums: np.ndarray) -> np.ndarray:
    """[..., 4, 4] sums to [..., 4] share within the 80 % interval, by band."""
    return ratio(sums[..., 1 + LEVELS.index(0.8)], sums[..., 0])


def _band(true_height_m: np.ndarray) -> np.ndarray:
    # Heights above ground below 0 are noise of the label: first band.
    return np.maximum(
        np.searchsorted(BAND_EDGES_M, true_height_m, "right") - 1, 0
    )


def _error_over_scale(
    height_m: np.ndarray,
    scale_m: np.ndarray,
    true_height_m: np.ndarray,
    known: np.ndarray,
) -> np.ndarray:
    """[pixels] absolute error in units of the scale, where it is known."""
    planes = (height_m, true_height_m, scale_m)
    height, true, scale = (plane[known].astype(np.float64) for plane in planes)
    return np.abs(height - true) / scale
