"""Single buildings of a label raster: found, taken out, put elsewhere.

Masks do not tell terraced houses apart; the density does: each of its peaks
is a building, and the mask around belongs to the nearest one it touches.
"""

import dataclasses
import math

import numpy as np
import scipy.ndimage
import scipy.spatial

from data_prep.rasterize import CENTROID_SIGMA_M
from data_prep.rasterize import make_centroid_density

_GAP_PX = 2  # free ground around what is put elsewhere
_TRIES = 2000


@dataclasses.dataclass(frozen=True)
class LabelledBuildings:
    """The buildings of a tile, numbered from 1.

    Attributes:
      count: How many the density counts.
      of_mask: [h, w] int, the number of each mask pixel; 0 off the mask, and
        on pieces whose centroid lies beyond the tile.
      of_density: [h, w] int, whose mass a pixel holds.
      sigma_px: Spread of a building's unit of mass.
    """

    count: int
    of_mask: np.ndarray
    of_density: np.ndarray
    sigma_px: float

    def footprint(self, number: int) -> np.ndarray:
        """[m, n] bool, cut out of the mask; [0, 0] if it has none."""
        return self.of_mask[self.window(number)] == number

    def window(self, number: int) -> tuple[slice, slice]:
        """Rows and columns of the footprint."""
        inside = self.of_mask == number
        rows, cols = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
        if not rows.size:
            return np.s_[0:0, 0:0]
        return np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def find_buildings(
    building: np.ndarray, density: np.ndarray, pixel_m: float
) -> LabelledBuildings:
    """Tells the buildings of a tile apart.

    Two whose centroids lie closer than about two spreads are one.

    Args:
      building: [h, w], 1 on buildings.
      density: [h, w] buildings per pixel, a Gaussian for each centroid.
      pixel_m: Side of a pixel.
    """
    sigma_px = CENTROID_SIGMA_M / pixel_m
    peaks = _find_peaks(density.astype(np.float32), sigma_px)
    # Joined along edges, not corners, or rows of houses would be one.
    components, _ = scipy.ndimage.label(building > 0)
    of_mask = np.zeros_like(components)
    of_density = np.zeros_like(components)
    if len(peaks) and components.any():
        nearest = scipy.ndimage.distance_transform_edt(
            components == 0, return_distances=False, return_indices=True
        )
        # The centroid of an L or a court may lie in the yard.
        home = components[tuple(nearest[:, *peaks.T])]
        for component, where in enumerate(
            scipy.ndimage.find_objects(components), 1
        ):
            own = np.flatnonzero(home == component)
            if own.size:
                pixels = np.argwhere(components[where] == component)
                pixels += [axis.start for axis in where]
                of_mask[tuple(pixels.T)] = 1 + own[_nearest(pixels, peaks[own])]
        held = np.argwhere(density > 0)
        of_density[tuple(held.T)] = 1 + _nearest(held, peaks)
    return LabelledBuildings(len(peaks), of_mask, of_density, sigma_px)


def remove_building(
    label: dict[str, np.ndarray], found: LabelledBuildings, number: int
) -> None:
    """Takes a building out of mask, density and height, in place.

    Args:
      label: Group `label` of a record.
      found: The buildings of it.
      number: Which one.
    """
    inside = found.of_mask == number
    label["building"][inside] = 0
    label["centroid_density"][found.of_density == number] = 0
    if "height_m" in label:
        label["height_m"][inside] = 0


def find_room(
    footprint: np.ndarray, taken: np.ndarray, rng: np.random.Generator
) -> tuple[int, int] | None:
    """A random place where a footprint fits.

    Args:
      footprint: [m, n] bool.
      taken: [h, w] bool; so much ground between stays free, and towards the
        edge: 2 pixels.
      rng: Source of the place; each that fits is as likely.

    Returns:
      Top left corner (row, column); None for an empty footprint, or if none
      of 2,000 random places was free.
    """
    if not footprint.any():
        return None
    reach = np.pad(footprint, _GAP_PX)
    reach = scipy.ndimage.binary_dilation(reach, iterations=_GAP_PX)
    places = np.subtract(taken.shape, reach.shape) + 1
    if places.min() < 1:
        return None
    rows, cols = reach.shape
    for row, col in rng.integers(places, size=(_TRIES, 2)).tolist():
        if not taken[row : row + rows, col : col + cols][reach].any():
            return row + _GAP_PX, col + _GAP_PX
    return None


def add_building(
    label: dict[str, np.ndarray],
    found: LabelledBuildings,
    number: int,
    place: tuple[int, int],
    taken: np.ndarray,
) -> None:
    """Puts a building a second time, in place.

    Args:
      label: Group `label` of a record.
      found: The buildings of it, before any change.
      number: Which one; its heights must still be there.
      place: Top left corner (row, column), from `find_room`.
      taken: [h, w] bool; the ground is taken from now on.
    """
    footprint, window = found.footprint(number), found.window(number)
    there = tuple(
        slice(start, start + size)
        for start, size in zip(place, footprint.shape, strict=True)
    )
    label["building"][there][footprint] = 1
    taken[there][footprint] = True
    if "height_m" in label:
        heights = label["height_m"][window][footprint]
        label["height_m"][there][footprint] = heights
    middle = np.argwhere(footprint).mean(0) + 0.5 + place
    added = make_centroid_density(
        middle[None], *taken.shape, sigma_px=found.sigma_px
    )
    density = label["centroid_density"]
    density[:] = (density + added).astype(density.dtype)


def _find_peaks(density: np.ndarray, sigma_px: float) -> np.ndarray:
    """[N, 2] row and column of each building's peak."""
    single = 1 / (2 * math.pi * sigma_px**2)
    highest = scipy.ndimage.maximum_filter(density, 2 * int(sigma_px) + 1)
    tops, number = scipy.ndimage.label(
        (density == highest) & (density > single / 2), np.ones((3, 3))
    )
    # Of equal neighbours, one.
    return np.array(
        [
            np.argwhere(tops[where] == top)[0] + [axis.start for axis in where]
            for top, where in enumerate(scipy.ndimage.find_objects(tops), 1)
        ]
    ).reshape(number, 2)


def _nearest(pixels: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """[P] position of the nearest of [N, 2] peaks to each of [P, 2] pixels."""
    return scipy.spatial.cKDTree(peaks).query(pixels)[1]
