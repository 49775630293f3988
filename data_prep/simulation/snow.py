"""Snow over a town: the ground, roofs in part, streets partly cleared."""

import numpy as np

from data_prep.simulation.noise import fractal_noise
from data_prep.simulation.render import Painting
from data_prep.simulation.spectra import select_bands

# Settled dry snow, percent, in the order of `spectra.SPECTRUM_BANDS`:
# rounded from grains of 0.1 to 0.2 mm in Wiscombe and Warren 1980 (Journal
# of the Atmospheric Sciences 37), within the 63 to 97 % that Hannula and
# Pulliainen 2019 (Journal of Glaciology 65) measured up to the near
# infrared. Ice absorbs beyond 1.4 um: snow is nearly black there.
SNOW_PERCENT = (88, 88, 87, 86, 85, 83, 80, 79, 10, 8)
_BARE_ROOFS = 0.2  # share: warm, steep, or glass
_ON_TREES = (0.1, 0.35)  # what crowns hold, with what shows between
_ON_STREETS = (0.15, 0.6)  # mean of a place, by how well it clears them


def snow_cover(painting: Painting, rng: np.random.Generator) -> np.ndarray:
    """Share of each pixel under snow.

    Args:
      painting: Of the town, at any pixel size.
      rng: Source of chance.

    Returns:
      [h, w] float32 in 0..1. Ground is covered but for thin spots; each roof
      has its own share, some have none; streets keep tracks.
    """
    shape = painting.surface.shape
    patches = fractal_noise(rng, *shape, cell_px=12, octaves=3)
    cover = np.clip(0.97 + 0.05 * patches, 0.7, 1.0)
    roofs = rng.uniform(0.4, 1.0, len(painting.spectra))
    roofs[rng.random(len(roofs)) < _BARE_ROOFS] = 0.0
    street, tree = rng.uniform(*_ON_STREETS), rng.uniform(*_ON_TREES)
    on_street = painting.road > 0
    cover[on_street] = np.clip(street + 0.2 * patches[on_street], 0.0, 0.9)
    on_roof = painting.building > 0
    cover[on_roof] = roofs[painting.surface[on_roof]]
    is_tree = painting.height_m > painting.building_height_m
    cover[is_tree] = tree
    return cover.astype(np.float32)


def lay_snow(
    planes: np.ndarray,
    cover: np.ndarray,
    brightness: np.ndarray,
    bands: tuple[str, ...],
) -> None:
    """Covers reflectance with snow, in place.

    Args:
      planes: [C, h, w] float32.
      cover: [h, w] share under snow.
      brightness: [h, w] factor of slopes and texture, for snow too.
      bands: Names of the planes.
    """
    lit = cover * np.minimum(brightness, 1.0)
    for plane, white in zip(
        planes, select_bands(SNOW_PERCENT, bands), strict=True
    ):
        plane *= 1 - cover
        plane += white * lit
