"""All squares of the lattice that a region holds.

Squares are addressed (col, row) on the lattice of their zone: the square
covers x from col * tile_m and y from row * tile_m. Nothing is enumerated
outside the region: boxes of 256 x 256 squares are halved until each is wholly
inside, wholly outside, or one square.
"""

import dataclasses
from typing import Literal

import numpy as np
import shapely

from data_prep.earth_engine.places.place import PIXEL_M
from data_prep.earth_engine.places.region import Region
from data_prep.earth_engine.places.region import region_in_zone
from data_prep.earth_engine.places.region import zones_of_region
from data_prep.earth_engine.places.utm_zone import FALSE_EASTING_M
from data_prep.earth_engine.places.utm_zone import SOUTH_EQUATOR_M
from data_prep.earth_engine.places.utm_zone import is_within_zone
from data_prep.earth_engine.places.utm_zone import parse_utm
from data_prep.earth_engine.places.utm_zone import zone_half_width_m
from s2distill.errors import ConfigError
from s2distill.errors import PlaceError

Coverage = Literal["whole", "centre", "touch"]

NEAR_ZONE_BORDER = "near a UTM zone border"
# About 2 GB of arrays; 2 million square kilometres of 320 m squares.
MAX_CANDIDATES = 20_000_000
_BOX = 256
# Squares are taken this much smaller than they are, so that the edge of a
# region drawn along the lattice is not lost to rounding (see region_in_zone).
_PLAY_M = 0.5


@dataclasses.dataclass(frozen=True)
class Squares:
    """Squares of the lattice of one zone.

    Attributes:
      crs: The UTM zone.
      tile_px: Side in pixels of 10 m.
      cols: [N] int64.
      rows: [N] int64.
    """

    crs: str
    tile_px: int
    cols: np.ndarray
    rows: np.ndarray

    @property
    def tile_m(self) -> int:
        """Side in metres."""
        return PIXEL_M * self.tile_px

    @property
    def bounds(self) -> np.ndarray:
        """[N, 4] left, bottom, right, top in metres."""
        low = np.stack([self.cols, self.rows], axis=-1) * float(self.tile_m)
        return np.concatenate([low, low + self.tile_m], axis=-1)

    def chosen(self, which: np.ndarray) -> "Squares":
        """Those that a mask or a list of positions names."""
        return dataclasses.replace(
            self, cols=self.cols[which], rows=self.rows[which]
        )


def find_squares(
    region: Region, tile_px: int, coverage: Coverage, *, gap_m: float
) -> tuple[list[Squares], dict[str, int]]:
    """The squares of a region, each in the zone of its centre.

    Squares whose footprint, grown by half the gap, crosses a border of its
    zone or the equator are left out: the next zone has another lattice and
    other blocks, and could put touching ground into another split.

    Args:
      region: Where to look.
      tile_px: Side of a square.
      coverage: "whole": all of the square lies in the region; "centre": its
        centre does; "touch": any of it does.
      gap_m: Least distance of two splits.

    Returns:
      Squares by zone, row by row from south to north, and the number left
      out, by reason.

    Raises:
      ConfigError: `tile_px` below 1.
      PlaceError: More than MAX_CANDIDATES.
    """
    if tile_px < 1:
        raise ConfigError(f"--tile_px={tile_px} must be at least 1")
    tile_m = PIXEL_M * tile_px
    parts = {
        crs: region_in_zone(region, crs, margin_m=2.0 * tile_m + gap_m)
        for crs in zones_of_region(region)
    }
    _check_number(region, parts, tile_m)
    found, left_out = [], 0
    for crs, part in parts.items():
        squares = _squares_in(part, crs, tile_px, coverage)
        squares = squares.chosen(_has_centre_in_zone(squares))
        clear = is_within_zone(crs, squares.bounds, margin_m=gap_m / 2)
        left_out += int(np.count_nonzero(~clear))
        found.append(squares.chosen(clear))
    return found, {NEAR_ZONE_BORDER: left_out} if left_out else {}


def _check_number(
    region: Region, parts: dict[str, shapely.Geometry], tile_m: int
) -> None:
    area_m2 = sum(shapely.area(part) for part in parts.values())
    about = area_m2 / tile_m**2
    if about > MAX_CANDIDATES:
        raise PlaceError(
            f"{region.source} covers about {area_m2 / 1e6:,.0f} km2, that is "
            f"{about:,.0f} squares of {tile_m} m, more than "
            f"{MAX_CANDIDATES:,}; give a larger --tile_px, or cut the region "
            "into parts: a place has the same key, split and rank in each"
        )


def _has_centre_in_zone(squares: Squares) -> np.ndarray:
    """The next zone has the others; the equator belongs to the north."""
    x, y = (np.stack([squares.cols, squares.rows]) + 0.5) * squares.tile_m
    inside = np.abs(x - FALSE_EASTING_M) <= zone_half_width_m(squares.crs, y)
    _, south = parse_utm(squares.crs)
    return inside & (y < SOUTH_EQUATOR_M if south else y >= 0)


def _squares_in(
    part: shapely.Geometry, crs: str, tile_px: int, coverage: Coverage
) -> Squares:
    """The squares of a lattice that polygons hold, in order of row, col."""
    tile_m = PIXEL_M * tile_px
    shapely.prepare(part)
    left, bottom, right, top = np.array(part.bounds) // (tile_m * _BOX)
    cols, rows = (
        axis.ravel() * _BOX
        for axis in np.meshgrid(
            np.arange(left, right + 1, dtype=np.int64),
            np.arange(bottom, top + 1, dtype=np.int64),
        )
    )
    found_cols, found_rows = [], []
    size = _BOX
    while cols.size and size > 1:
        boxes = _boxes(cols, rows, size, tile_m)
        hit = shapely.intersects(part, boxes)
        inside = hit & shapely.covers(part, boxes)
        for found, axis in zip(
            (found_cols, found_rows),
            _subdivide(cols[inside], rows[inside], size, 1),
            strict=True,
        ):
            found.append(axis)
        edge = hit & ~inside
        cols, rows = _subdivide(cols[edge], rows[edge], size, size // 2)
        size //= 2
    held = _is_held(part, cols, rows, tile_m, coverage)
    cols = np.concatenate([*found_cols, cols[held]])
    rows = np.concatenate([*found_rows, rows[held]])
    order = np.lexsort((cols, rows))
    return Squares(crs, tile_px, cols[order], rows[order])


def _is_held(
    part: shapely.Geometry,
    cols: np.ndarray,
    rows: np.ndarray,
    tile_m: int,
    coverage: Coverage,
) -> np.ndarray:
    if coverage == "centre":
        return shapely.contains_xy(
            part, (cols + 0.5) * tile_m, (rows + 0.5) * tile_m
        )
    squares = _boxes(cols, rows, 1, tile_m, play_m=_PLAY_M)
    if coverage == "touch":
        return shapely.intersects(part, squares)
    return shapely.covers(part, squares)


def _boxes(
    cols: np.ndarray,
    rows: np.ndarray,
    size: int,
    tile_m: int,
    play_m: float = 0.0,
) -> np.ndarray:
    return shapely.box(
        cols * tile_m + play_m,
        rows * tile_m + play_m,
        (cols + size) * tile_m - play_m,
        (rows + size) * tile_m - play_m,
    )


def _subdivide(
    cols: np.ndarray, rows: np.ndarray, size: int, step: int
) -> tuple[np.ndarray, np.ndarray]:
    """Lower left corners of the parts, `step` wide, of boxes."""
    offsets = np.arange(0, size, step)
    d_col, d_row = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    return (
        np.add.outer(cols, d_col).ravel(),
        np.add.outer(rows, d_row).ravel(),
    )
