"""Clouds, their shadows, and the mask that finds most of them."""

import dataclasses

import cv2
import numpy as np

from data_prep.simulation.noise import fractal_noise


@dataclasses.dataclass(frozen=True)
class CloudField:
    """Clouds over one frame, all [H, W].

    Attributes:
      opacity: float32, 0 = clear, 1 = nothing of the ground is seen.
      brightness: float32, reflectance of the cloud.
      shadow: float32, share of the light taken from the ground.
      valid: uint8, what a cloud mask would say: 1 = usable.
    """

    opacity: np.ndarray
    brightness: np.ndarray
    shadow: np.ndarray
    valid: np.ndarray


def draw_clouds(
    rng: np.random.Generator, shape: tuple[int, int], kind: str
) -> CloudField:
    """Draws the clouds of a frame.

    Args:
      rng: Source of chance.
      shape: (H, W) at 10 m.
      kind: "clear", "partly" or "cloudy".

    Returns:
      The clouds. The mask is grown by a pixel or two, as real ones are; in
      some frames it misses thin parts, or marks clear ground.
    """
    height, width = shape
    if kind == "clear":
        valid = np.ones(shape, np.uint8)
        _mark_clear_ground(rng, valid, 0.06)
        zero = np.zeros(shape, np.float32)
        return CloudField(zero, zero, zero, valid)
    reach = 24  # px; clouds beyond the frame throw shadows into it
    big = (height + 2 * reach, width + 2 * reach)
    field = fractal_noise(
        rng, *big, cell_px=rng.uniform(14, 48), octaves=5, persistence=0.55
    )
    level = (
        rng.uniform(-4.5, -2.5) if kind == "cloudy" else rng.uniform(0.1, 1.6)
    )
    opacity = np.clip((field - level) * rng.uniform(0.9, 2.2), 0, 1) ** 1.3
    if kind == "partly" and rng.random() < 0.3:
        opacity *= np.float32(rng.uniform(0.25, 0.6))  # cirrus
    bright = np.clip(0.42 + 0.12 * field + rng.normal(0, 0.08), 0.25, 0.95)
    inner = np.s_[reach : reach + height, reach : reach + width]
    # Sun in the south-east or north-east: shadows fall to the west.
    east, south = rng.integers(6, reach), rng.integers(-14, 15)
    moved = np.s_[
        reach + south : reach + south + height,
        reach + east : reach + east + width,
    ]
    shadow = 0.72 * cv2.GaussianBlur(opacity, (0, 0), 1.2)[moved]
    seen = opacity[inner]
    blind = rng.uniform(0.08, 0.3)
    found = ((seen > blind) | (shadow > blind + 0.1)).astype(np.uint8)
    size = 2 * int(rng.integers(0, 3)) + 1
    found = cv2.dilate(found, np.ones((size, size), np.uint8))
    valid = 1 - found
    _mark_clear_ground(rng, valid, 0.1)
    return CloudField(
        np.ascontiguousarray(seen, np.float32),
        np.ascontiguousarray(bright[inner], np.float32),
        np.ascontiguousarray(shadow * (1 - seen), np.float32),
        valid,
    )


def _mark_clear_ground(
    rng: np.random.Generator, valid: np.ndarray, chance: float
) -> None:
    """Marks a few clear pixels as cloud, as masks do over bright roofs."""
    if rng.random() < chance:
        row, col = (int(rng.integers(n)) for n in valid.shape)
        valid[row : row + 3, col : col + 4] = 0
