"""How far a 50 cm image lies from its Sentinel-2 frames, to a part of a pixel.

The image is degraded by the sensor model to what Sentinel-2 would see of it,
at any shift, and compared with the median of the frames. No interpolation
of 10 m pixels takes part, so that none biases the answer.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from data_prep.simulation.sensor import S2_PIXEL_M
from data_prep.simulation.sensor import SensorSettings
from data_prep.simulation.sensor import sample_planes
from s2distill.errors import GridError

# Edges and blocks tell where things lie; haze, season and relief of wider
# reach differ between sensors.
_HIGH_PASS_SIGMA_PX = 3.0
_STEPS_PX = (0.5, 0.2, 0.1)
_RIVAL_PX = 2.0  # nearer correlations belong to the same peak
_MIN_PIXELS = 64
# What the high pass leaves of two unlike places is some two pixels wide, so of
# n pixels n / 4 are independent, and their correlation has a deviation of
# 2 / sqrt(n). The best of 81 shifts reached 4.7 of them in 30 trials.
_CHANCE = 6 * 2.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Registration:
    """Where an image belongs.

    Attributes:
      shift_row_px: Sentinel-2 pixels that the image must move down.
      shift_col_px: Sentinel-2 pixels that the image must move right.
      correlation: Of the image moved so with the frames, -1 to 1.
      confidence: By how much it exceeds the best correlation more than two
        pixels away; near 0 when another place would do as well.
      chance: Correlation that places with nothing in common stay below; the
        fewer pixels are compared, the higher it is.
    """

    shift_row_px: float
    shift_col_px: float
    correlation: float
    confidence: float
    chance: float


def register(
    grey: np.ndarray,
    grey_valid: np.ndarray,
    frames: np.ndarray,
    frames_valid: np.ndarray,
    *,
    max_shift_px: int,
) -> Registration:
    """Finds the shift between an image and its frames.

    Args:
      grey: [h, w] float32, mean of the visible bands of the image; h and w
        whole Sentinel-2 pixels.
      grey_valid: [h, w] uint8, 1 where the image shows the ground.
      frames: [T, H, W] float32, mean of the visible bands of each frame.
      frames_valid: [T, H, W] uint8, 1 where the ground is seen.
      max_shift_px: Shifts up to this are tried, in rows and columns.

    Raises:
      GridError: Too few pixels are valid in both to compare.
    """
    factor = grey.shape[0] // frames.shape[1]
    reference, seen = median_frame(frames, frames_valid)
    settings = SensorSettings(bands=("B3", "B3"), pixel_m=S2_PIXEL_M / factor)
    inside = grey_valid.astype(np.float32)
    grey = grey * inside

    def sample(row_px: float, col_px: float) -> tuple[np.ndarray, np.ndarray]:
        shift_m = (col_px * S2_PIXEL_M, row_px * S2_PIXEL_M)
        moved = sample_planes(np.stack([grey, inside]), shift_m, settings)
        return moved[0], moved[1] > 0.999

    def overlay(row_px: float, col_px: float) -> tuple[np.ndarray, np.ndarray]:
        moved, valid = sample(row_px, col_px)
        # Past its border the model repeats the image.
        valid &= _is_covered(valid.shape, row_px, col_px)
        return moved, valid & seen

    def correlate(row_px: float, col_px: float) -> float:
        moved, both = overlay(row_px, col_px)
        return correlate_masked(moved, reference, both)

    still, still_valid = sample(0, 0)
    whole = range(-max_shift_px, max_shift_px + 1)
    coarse = {}
    for row_px, col_px in itertools.product(whole, whole):
        moved, valid = (
            np.roll(array, (row_px, col_px), (0, 1))
            for array in (still, still_valid)
        )
        valid &= _is_covered(valid.shape, row_px, col_px) & seen
        coarse[row_px, col_px] = correlate_masked(moved, reference, valid)
    if not np.isfinite(list(coarse.values())).any():
        raise GridError(
            f"fewer than {_MIN_PIXELS} Sentinel-2 pixels are valid in both "
            "the image and its frames: too few to register; pass "
            "--noregister, or give clearer frames"
        )
    best = max(coarse, key=lambda s: np.nan_to_num(coarse[s], nan=-2.0))
    rivals = [
        value
        for place, value in coarse.items()
        if np.hypot(place[0] - best[0], place[1] - best[1]) > _RIVAL_PX
        and np.isfinite(value)
    ]
    row, col, peak = _refine(correlate, *best)
    compared = max(np.count_nonzero(overlay(row, col)[1]), 1)
    return Registration(
        shift_row_px=row,
        shift_col_px=col,
        correlation=peak,
        confidence=peak - max(rivals, default=0.0),
        chance=_CHANCE / compared**0.5,
    )


def median_frame(
    frames: np.ndarray, frames_valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Median over the dates on which each pixel is seen.

    Args:
      frames: [T, H, W] float.
      frames_valid: [T, H, W] uint8.

    Returns:
      [H, W] float32 median, 0 where no date sees the ground, and [H, W]
      bool, True where one does.
    """
    masked = np.ma.masked_array(frames, frames_valid == 0)
    seen = (frames_valid > 0).any(axis=0)
    median = np.ma.median(masked, axis=0)
    return np.ma.filled(median, 0).astype(np.float32), seen


def correlate_masked(
    first: np.ndarray, second: np.ndarray, valid: np.ndarray
) -> float:
    """Correlation of the fine structure of two arrays where both are valid.

    Args:
      first: [H, W] float.
      second: [H, W] float.
      valid: [H, W] bool.

    Returns:
      -1 to 1; NaN if fewer than 64 pixels are valid or one array is flat.
    """
    if np.count_nonzero(valid) < _MIN_PIXELS:
        return float("nan")
    a, b = (_high_pass(array, valid)[valid] for array in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else float("nan")


def _high_pass(array: np.ndarray, valid: np.ndarray) -> np.ndarray:
    weight = ndimage.gaussian_filter(
        valid.astype(np.float32), _HIGH_PASS_SIGMA_PX
    )
    level = ndimage.gaussian_filter(
        np.where(valid, array, 0).astype(np.float32), _HIGH_PASS_SIGMA_PX
    )
    return array - level / np.maximum(weight, 1e-6)


def _is_covered(
    shape: tuple[int, int], row_px: float, col_px: float
) -> np.ndarray:
    """Pixels that the image, moved, reaches with a pixel to spare."""
    axes = []
    for size, shift in zip(shape, (row_px, col_px), strict=True):
        place = np.arange(size)
        axes.append((place >= shift + 1) & (place <= size - 2 + shift))
    return axes[0][:, None] & axes[1][None]


def _refine(
    correlate: Callable[[float, float], float], row: float, col: float
) -> tuple[float, float, float]:
    """Climbs by parabolas through three shifts an axis, ever closer."""
    for step in _STEPS_PX:
        moves = []
        for d_row, d_col in ((step, 0.0), (0.0, step)):
            low, mid, high = (
                correlate(row + k * d_row, col + k * d_col) for k in (-1, 0, 1)
            )
            curve = low - 2 * mid + high
            move = 0.5 * (low - high) / curve if curve < 0 else 0.0
            moves.append(float(np.clip(move, -1.5, 1.5)) * step)
        row, col = row + moves[0], col + moves[1]
    return row, col, correlate(row, col)
