"""One place: a square of ground on the lattice of its UTM zone.

Its side is `tile_px` pixels of 10 m, its corner a whole multiple of that
side. Its key is made of its zone and corner alone, so that a place is the
same place in every draw, and two places of one zone never overlap.
"""

import collections
import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.earth_engine.places.utm_zone import LON_LAT
from data_prep.earth_engine.places.utm_zone import move_points
from data_prep.earth_engine.places.utm_zone import parse_utm
from s2distill.geo.grid import Grid

PIXEL_M = 10


@dataclasses.dataclass(frozen=True)
class Place:
    """One square of ground.

    Attributes:
      key: "utm16n-737280-3736640": zone, left and top in metres.
      grid: `tile_px` squared pixels of 10 m, north up, on the lattice.
      split: "train", "validation" or "test".
      date: "YYYY-MM-DD" around which frames are wanted; "" leaves it to the
        recipe.
      stratum: What it was drawn as; "" without strata.
      properties: Others that its file gave it, kept as they are.
    """

    key: str
    grid: Grid
    split: str
    date: str = ""
    stratum: str = ""
    properties: Mapping[str, Any] = dataclasses.field(
        default_factory=dict, hash=False
    )

    @property
    def tile_px(self) -> int:
        """Side in pixels of 10 m."""
        return self.grid.width


def make_key(crs: str, left: int, top: int) -> str:
    """The key of the place whose upper left corner is given.

    Args:
      crs: A UTM zone.
      left: x of the corner, whole metres.
      top: y of the corner, whole metres.
    """
    zone, south = parse_utm(crs)
    return f"utm{zone:02d}{'s' if south else 'n'}-{left:d}-{top:d}"


def make_place_grid(crs: str, left: float, top: float, tile_px: int) -> Grid:
    """The grid of a place by its upper left corner."""
    transform = (
        float(PIXEL_M),
        0.0,
        float(left),
        0.0,
        float(-PIXEL_M),
        float(top),
    )
    return Grid(crs, transform, tile_px, tile_px)


def place_at(
    crs: str,
    col: int,
    row: int,
    tile_px: int,
    *,
    split: str = "train",
    date: str = "",
    stratum: str = "",
) -> Place:
    """The place in a square of the lattice.

    Args:
      crs: A UTM zone.
      col: floor(x / tile_m), eastwards.
      row: floor(y / tile_m), northwards, as the blocks of a split count.
      tile_px: Side; tile_m is ten times that.
      split: "train", "validation" or "test".
      date: "YYYY-MM-DD" or "".
      stratum: Any text.
    """
    tile_m = PIXEL_M * tile_px
    left, top = int(col) * tile_m, (int(row) + 1) * tile_m
    return Place(
        make_key(crs, left, top),
        make_place_grid(crs, left, top, tile_px),
        split,
        date,
        stratum,
    )


def footprints_lon_lat(places: Sequence[Place]) -> np.ndarray:
    """Corners of places in longitude and latitude.

    Args:
      places: Any number, of any zones.

    Returns:
      [N, 4, 2], counter-clockwise from the lower left corner; a square over
      the antimeridian has longitudes of both signs.
    """
    corners = np.empty((len(places), 4, 2))
    by_zone = collections.defaultdict(list)
    for number, place in enumerate(places):
        by_zone[place.grid.crs].append(number)
        left, bottom, right, top = place.grid.bounds
        corners[number] = (
            (left, bottom),
            (right, bottom),
            (right, top),
            (left, top),
        )
    for crs, numbers in by_zone.items():
        moved = move_points(corners[numbers].reshape(-1, 2), crs, LON_LAT)
        corners[numbers] = moved.reshape(-1, 4, 2)
    return corners
