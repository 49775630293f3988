"""The 50 cm picture of a town: off nadir, sunlit, stretched to 8 bits."""

import dataclasses
import math

import cv2
import numpy as np

from data_prep.simulation.light import Sun
from data_prep.simulation.light import cast_shadows
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.render import Painting
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import SKY_LIGHT
from data_prep.simulation.spectra import select_bands
from s2distill.data.bands import RGB_BANDS

# A roof 55 m high, seen 25 degrees off nadir, leans so far into the tile.
_LEAN_REACH_PX = 52


@dataclasses.dataclass(frozen=True)
class View:
    """How the 50 cm image was taken.

    Attributes:
      angle_deg: Off nadir, at the ground; 0 = straight down.
      azimuth_deg: Direction in which roofs lean, clockwise from north.
    """

    angle_deg: float
    azimuth_deg: float

    @property
    def lean_xy(self) -> tuple[float, float]:
        """Displacement (x, y) of a roof per metre of its height."""
        slope = math.tan(math.radians(self.angle_deg))
        azimuth = math.radians(self.azimuth_deg)
        return slope * math.sin(azimuth), -slope * math.cos(azimuth)


def draw_view(rng: np.random.Generator) -> View:
    """Mostly a few degrees off nadir, up to 25, as archives of images are."""
    angle = float(np.clip(abs(rng.normal(0, 11)), 0, 25))
    return View(angle, float(rng.uniform(0, 360)))


def render_view(
    painting: Painting,
    sun: Sun,
    view: View,
    margin_px: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Takes the 50 cm picture.

    Args:
      painting: The town, with `margin_px` around the tile.
      sun: Of the day of the picture.
      view: Direction; footprints stay in place, roofs lean.
      margin_px: Cut off on each side.
      rng: Source of haze, noise and stretch.

    Returns:
      [h, w, 3] uint8, red green blue.
    """
    shadow = cast_shadows(painting.height_m, sun, PIXEL_M)
    spare_px = max(margin_px - _LEAN_REACH_PX, 0)
    painting = painting.cropped(spare_px)
    shadow = _inner(shadow, spare_px)
    margin_px -= spare_px
    planes = painting.reflectance(RGB_BANDS)
    dark = 1 - select_bands(SKY_LIGHT, RGB_BANDS)
    for plane, share in zip(planes, dark, strict=True):
        plane *= 1 - share * shadow
    image = cv2.merge(list(planes))
    image = _lean(image, painting.height_m, view, sun)
    image = _inner(image, margin_px)
    # Optics and sampling of a 50 cm product: MTF about 0.1 to 0.2.
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 0.8))
    return _stretch(image, rng)


def _inner(image: np.ndarray, margin_px: int) -> np.ndarray:
    height, width = image.shape[:2]
    return np.ascontiguousarray(
        image[margin_px : height - margin_px, margin_px : width - margin_px]
    )


def source_levels(
    height_m: np.ndarray, view: View, pixel_m: float = PIXEL_M
) -> tuple[np.ndarray, np.ndarray, float]:
    """Which point each pixel of a leaning view shows.

    Pixel p shows the highest point whose lean ends on it: the largest k for
    which the surface at p - k d stands at least k levels high, where a level
    is the height that leans by one step d of one pixel.

    Args:
      height_m: [h, w] float32 surface.
      view: Direction.
      pixel_m: Size of a pixel.

    Returns:
      Levels [h, w] float32 (k), unit step [2] (x, y), and metres per level;
      pixel p shows what stands at p - k * step.
    """
    lean = np.array(view.lean_xy)
    slope = float(np.hypot(*lean))
    step = lean / max(slope, 1e-9)
    level_m = pixel_m / max(slope, 1e-9)
    levels = np.clip(height_m / level_m, 0, 255).astype(np.uint8)
    shown = np.zeros_like(levels)
    for k in range(1, int(levels.max()) + 1):
        dx, dy = np.round(step * k).astype(int)
        moved = _moved(levels, dx, dy)
        _, rises = cv2.threshold(moved, k - 1, k, cv2.THRESH_BINARY)
        cv2.max(shown, rises, shown)
    return shown.astype(np.float32), step, level_m


def _lean(
    image: np.ndarray, height_m: np.ndarray, view: View, sun: Sun
) -> np.ndarray:
    levels, step, level_m = source_levels(height_m, view)
    if not levels.any():
        return image
    rows, cols = np.nonzero(levels)
    shown = levels[rows, cols]
    height, width = levels.shape
    from_rows = rows - np.round(shown * step[1]).astype(np.intp)
    from_cols = cols - np.round(shown * step[0]).astype(np.intp)
    np.clip(from_rows, 0, height - 1, out=from_rows)
    np.clip(from_cols, 0, width - 1, out=from_cols)
    leaned = image.copy()
    colours = image[from_rows, from_cols]
    # The ray meets the surface below its top: a wall, or a crown's side.
    wall = height_m[from_rows, from_cols] >= (shown + 1) * np.float32(level_m)
    # The walls seen face against the lean; bright if the sun is there too.
    facing = -(step[0] * sun.toward_xy[0] + step[1] * sun.toward_xy[1])
    light = 0.4 + 0.6 * max(facing, 0.0)
    names = np.array(MATERIALS["wall"].percent, np.float32)
    colours[wall] = select_bands(names, RGB_BANDS) * np.float32(light)
    leaned[rows, cols] = colours
    return leaned


def _moved(levels: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """levels(x - dx, y - dy), 0 from outside."""
    height, width = levels.shape
    moved = np.zeros_like(levels)
    moved[max(0, dy) : height + min(0, dy), max(0, dx) : width + min(0, dx)] = (
        levels[
            max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)
        ]
    )
    return moved


def _stretch(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """8 bits as vendors deliver them: percentile stretch, gamma, noise."""
    sample = image[::8, ::8]
    low = np.quantile(sample, 0.01) * rng.uniform(0.2, 0.9)
    high = np.quantile(sample, rng.uniform(0.96, 0.99))
    # A few white roofs must not leave the rest in the dark.
    high = min(high, 5 * float(np.median(sample)))
    gamma = rng.uniform(0.55, 0.85)
    image = image - np.float32(low)
    image *= np.float32(1 / max(high - low, 1e-3))
    np.clip(image, 0, 1.2, out=image)
    cv2.pow(image, gamma, image)
    image *= (rng.uniform(0.94, 1.06, 3) * 225).astype(np.float32)
    noise = np.frombuffer(rng.bytes(image.size), np.uint8).reshape(image.shape)
    cv2.scaleAdd(noise.astype(np.float32), 1 / 32, image, image)
    image -= np.float32(4)
    np.clip(image, 0, 255, out=image)
    return image.astype(np.uint8)
