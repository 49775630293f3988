"""UTM zones as EPSG:326xx and EPSG:327xx have them: 6 degrees each, plain.

Sentinel-2 tiles follow the military grid, which widens zone 32 at the coast
of Norway and four zones at Svalbard. That moves the border at which tiles
change zone, not the zones themselves: a place there in its plain zone is as
good a grid, and Earth Engine reprojects to it.

UTM ends at 84 N and 80 S. Points are [N, 2], (x, y) or (longitude, latitude).
"""

import functools
import re

import numpy as np
import rasterio.warp

from s2distill.errors import PlaceError

LON_LAT = "EPSG:4326"
ZONES = range(1, 61)
NORTH_END_DEG = 84.0
SOUTH_END_DEG = -80.0
FALSE_EASTING_M = 500_000
# Northing of the equator in the southern zones.
SOUTH_EQUATOR_M = 10_000_000
# Of the table of zone borders: 1.1 km, between which they bend by 1.3 mm.
_BORDER_STEP_DEG = 0.01


def format_utm(zone: int, *, south: bool) -> str:
    """The CRS of a zone, for example "EPSG:32616" for zone 16 north."""
    return f"EPSG:{(32700 if south else 32600) + zone}"


@functools.cache
def parse_utm(crs: str) -> tuple[int, bool]:
    """Zone and hemisphere of a CRS.

    Args:
      crs: "EPSG:32601" to "EPSG:32660" or "EPSG:32701" to "EPSG:32760".

    Returns:
      (zone 1 to 60, True in the south).

    Raises:
      PlaceError: Any other text.
    """
    match = re.fullmatch(r"EPSG:32([67])(\d\d)", str(crs))
    if not match or int(match[2]) not in ZONES:
        raise PlaceError(
            f"{crs!r} is no UTM zone; EPSG:32601 to 32660 lie north of the "
            "equator, EPSG:32701 to 32760 south"
        )
    return int(match[2]), match[1] == "7"


def middle_of_zone_deg(zone: int) -> float:
    """Longitude of the central meridian; the borders are 3 degrees off."""
    return 6.0 * zone - 183.0


def zone_half_width_m(crs: str, y_m: np.ndarray) -> np.ndarray:
    """How far the borders of a zone are from its central meridian.

    Args:
      crs: A UTM zone.
      y_m: [N] northings in that zone.

    Returns:
      [N] distances along x; the zone is within them of x = 500,000 m.
    """
    _, south = parse_utm(crs)
    from_equator_m = np.abs(y_m - (SOUTH_EQUATOR_M if south else 0))
    return np.interp(from_equator_m, *_border_table())


def is_within_zone(
    crs: str, bounds: np.ndarray, *, margin_m: float
) -> np.ndarray:
    """Which boxes keep clear of the borders of their zone, equator included.

    Boxes of two zones that both keep clear are at least twice the margin
    apart, whatever the lattices of the zones.

    Args:
      crs: A UTM zone.
      bounds: [N, 4] left, bottom, right, top in that zone.
      margin_m: Least distance along x and y.

    Returns:
      [N] bool.
    """
    left, bottom, right, top = (
        np.asarray(bounds, float).T
        + np.array([-margin_m, -margin_m, margin_m, margin_m])[:, None]
    )
    reach_m = np.minimum(
        zone_half_width_m(crs, bottom), zone_half_width_m(crs, top)
    )
    _, south = parse_utm(crs)
    inside = top <= SOUTH_EQUATOR_M if south else bottom >= 0
    inside &= left >= FALSE_EASTING_M - reach_m
    return inside & (right <= FALSE_EASTING_M + reach_m)


def move_points(
    points: np.ndarray, source_crs: str, target_crs: str
) -> np.ndarray:
    """Points in another CRS.

    Args:
      points: [N, 2].
      source_crs: Of the points.
      target_crs: Wanted.

    Returns:
      [N, 2]; infinite where the target has no such place.
    """
    x, y = rasterio.warp.transform(
        source_crs, target_crs, points[:, 0], points[:, 1]
    )
    return np.stack([x, y], axis=-1)


@functools.cache
def _border_table() -> tuple[np.ndarray, np.ndarray]:
    """Northing and distance from the middle, along the border of a zone."""
    # A little past the end, for squares that reach over 84 N.
    lat_deg = np.arange(0, NORTH_END_DEG + 1, _BORDER_STEP_DEG)
    border = np.stack([np.full_like(lat_deg, 6.0), lat_deg], axis=-1)
    x_y_m = move_points(border, LON_LAT, format_utm(31, south=False))
    return x_y_m[:, 1], x_y_m[:, 0] - FALSE_EASTING_M
