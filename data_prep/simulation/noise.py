"""Random fields made cheaply: small random grids, enlarged."""

import cv2
import numpy as np


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell_px: float
) -> np.ndarray:
    """Smooth noise whose hills are about `cell_px` wide.

    Returns:
      [height, width] float32, mean about 0, standard deviation about 0.85.
    """
    rows = max(2, round(height / cell_px) + 2)
    cols = max(2, round(width / cell_px) + 2)
    grid = rng.standard_normal((rows, cols), np.float32)
    return cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)


def fractal_noise(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    cell_px: float,
    octaves: int,
    persistence: float = 0.5,
) -> np.ndarray:
    """Octaves of `smooth_noise`, each half as wide and weaker.

    Returns:
      [height, width] float32, mean about 0, standard deviation about 1.
    """
    size = (
        max(2, round(height / cell_px) + 2),
        max(2, round(width / cell_px) + 2),
    )
    total = np.zeros(size, np.float32)
    power = 0.0
    for octave in range(octaves):
        weight = persistence**octave
        if octave:
            size = 2 * size[0], 2 * size[1]
            total = cv2.resize(
                total, size[::-1], interpolation=cv2.INTER_LINEAR
            )
        total += np.float32(weight) * rng.standard_normal(size, np.float32)
        power += 0.45 * weight**2
    total *= np.float32(1 / np.sqrt(power))
    return cv2.resize(total, (width, height), interpolation=cv2.INTER_CUBIC)


def grain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """White noise, uniform, [height, width] float32, mean 0, deviation 1.

    Drawn from bytes: five times faster than Gaussian numbers.
    """
    bytes_ = np.frombuffer(rng.bytes(height * width), np.uint8)
    values = bytes_.reshape(height, width).astype(np.float32)
    values -= np.float32(127.5)
    values *= np.float32(1 / 73.9)  # the deviation of 0..255
    return values
