"""The region to take places from: polygons in longitude and latitude.

Edges are straight in longitude and latitude, as RFC 7946 has it; projected
they are curved, so they get points in between first.
"""

import dataclasses
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyogrio.errors
import pyogrio.raw
import shapely

from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.places.lon_lat import clip_around
from data_prep.earth_engine.places.lon_lat import to_canonical
from data_prep.earth_engine.places.utm_zone import LON_LAT
from data_prep.earth_engine.places.utm_zone import NORTH_END_DEG
from data_prep.earth_engine.places.utm_zone import SOUTH_END_DEG
from data_prep.earth_engine.places.utm_zone import ZONES
from data_prep.earth_engine.places.utm_zone import format_utm
from data_prep.earth_engine.places.utm_zone import middle_of_zone_deg
from data_prep.earth_engine.places.utm_zone import move_points
from data_prep.earth_engine.places.utm_zone import parse_utm
from s2distill.errors import ConfigError
from s2distill.errors import VectorError
from s2distill.geo.grid import parse_crs

# An edge of 0.01 degree, 1.1 km, is off its curve by less than 0.03 m up to
# 45 degrees and 0.2 m at 80: L^2 tan(lat) / (8 R).
_EDGE_DEG = 0.01
_EDGE_M = 1000.0
_DEGREE_M = 110_500.0  # at least: of latitude, and of longitude at 0


@dataclasses.dataclass(frozen=True)
class Region:
    """Ground to take places from.

    Attributes:
      geometry: Valid polygons between -180 and 180 degrees of longitude, cut
        at the antimeridian, and within UTM's 80 S to 84 N.
      source: File or flag it came from, for messages.
    """

    geometry: shapely.MultiPolygon
    source: str

    def to_json(self) -> dict[str, Any]:
        """A GeoJSON geometry."""
        return shapely.geometry.mapping(self.geometry)


def read_region(path: str | os.PathLike[str]) -> Region:
    """Reads the polygons of a file as one region.

    Args:
      path: GeoJSON (geometry, feature or collection) or any vector file that
        GDAL reads, its first layer; a gs:// path only of one file.

    Raises:
      VectorError: Unreadable, no polygon, no degrees, or past the ends of
        UTM.
    """
    source = os.fspath(path)
    wkb, crs = _read_layer(source)
    # Broken rings are mended later, when they no longer jump.
    geometries = [
        geometry
        for geometry in shapely.from_wkb(wkb, on_invalid="fix").tolist()
        if geometry is not None and not geometry.is_empty
    ]
    collection = shapely.GeometryCollection(geometries)
    try:
        if parse_crs(crs) != parse_crs(LON_LAT):
            collection = _to_lon_lat(collection, crs)
        return _make_region(collection, source)
    except VectorError as error:
        raise VectorError(f"{source}: {error}") from error


def parse_region_box(text: Sequence[str]) -> Region:
    """The region of --region_box=WEST,SOUTH,EAST,NORTH.

    Args:
      text: Four numbers in degrees; west beyond east crosses the
        antimeridian.

    Raises:
      ConfigError: Not four numbers, or a box without area.
      VectorError: Past the ends of UTM.
    """
    flag = f"--region_box={','.join(text)}"
    try:
        west, south, east, north = map(float, text)
    except ValueError:
        raise ConfigError(
            f"{flag}: wanted are four numbers in degrees, west, south, east, "
            "north"
        ) from None
    if not (
        south < north and west != east and max(abs(west), abs(east)) <= 180
    ):
        raise ConfigError(
            f"{flag}: south must be below north, west and east differ and "
            "lie within -180..180; west beyond east crosses the antimeridian"
        )
    if west > east:
        east += 360.0
    middle = (west + east) / 2
    # Two halves, because no edge may span more than 180 degrees.
    halves = [
        shapely.box(west, south, middle, north),
        shapely.box(middle, south, east, north),
    ]
    try:
        return _make_region(shapely.MultiPolygon(halves), flag)
    except VectorError as error:
        raise VectorError(f"{flag}: {error}") from error


def zones_of_region(region: Region) -> tuple[str, ...]:
    """The UTM zones that a region has ground in.

    Plain zones of 6 degrees, as `utm_zone` says, each cut at the equator.

    Args:
      region: Any.

    Returns:
      CRS such as "EPSG:32616", those of the north first, west to east.
    """
    found = []
    for south in (False, True):
        for zone in ZONES:
            crs = format_utm(zone, south=south)
            if shapely.area(_clip_to_zone(region, crs, margin_m=0.0)) > 0:
                found.append(crs)
    return tuple(found)


def region_in_zone(
    region: Region, crs: str, *, margin_m: float = 0.0
) -> shapely.Geometry:
    """The part of a region in a UTM zone, in metres of that zone.

    Args:
      region: Any.
      crs: A UTM zone.
      margin_m: How far beyond the borders of the zone to go, at least;
        squares that straddle a border can then be told from those that
        leave the region.

    Returns:
      Valid polygons, true to 0.2 m; empty if the region is elsewhere.
    """
    part = _clip_to_zone(region, crs, margin_m=margin_m)
    if part.is_empty:
        return part
    part = shapely.segmentize(part, _EDGE_DEG)
    moved = shapely.transform(
        part, lambda points: move_points(points, LON_LAT, crs)
    )
    return moved if moved.is_valid else shapely.make_valid(moved)


def _read_layer(source: str) -> tuple[np.ndarray, str]:
    """[N] WKB of the first layer, and its CRS."""
    try:
        content = read_bytes(source) if is_remote(source) else source
        with warnings.catch_warnings():
            # A ring that is not closed is closed; GDAL warns of it.
            warnings.simplefilter("ignore", RuntimeWarning)
            meta, _, wkb, _ = pyogrio.raw.read(
                content, columns=[], force_2d=True
            )
    except (OSError, pyogrio.errors.DataSourceError) as error:
        reason = str(error).partition(";")[0]
        raise VectorError(
            f"{source} cannot be read as a vector file: {reason}; is it cut, "
            "or no GeoJSON?"
        ) from error
    if wkb is None or not meta["crs"]:
        lacking = "geometry" if wkb is None else "CRS"
        raise VectorError(
            f"{source} has no {lacking}; give a GeoJSON polygon in longitude "
            "and latitude"
        )
    return wkb, meta["crs"]


def _to_lon_lat(geometry: shapely.Geometry, crs: str) -> shapely.Geometry:
    """Edges are straight in the file's own CRS, so they get points first."""
    parsed = parse_crs(crs)
    if parsed.is_projected:
        _, metres = parsed.linear_units_factor
        geometry = shapely.segmentize(geometry, _EDGE_M / metres)
    return shapely.transform(
        geometry, lambda points: move_points(points, crs, LON_LAT)
    )


def _make_region(geometry: shapely.Geometry, source: str) -> Region:
    canonical = to_canonical(geometry)
    if canonical.is_empty or shapely.area(canonical) == 0:
        kinds = sorted({part.geom_type for part in _leaves(geometry)})
        raise VectorError(
            f"no polygon with an area ({', '.join(kinds) or 'nothing'} "
            "found); an edge of more than 180 degrees of longitude goes the "
            "short way round and needs points in between"
        )
    _, south, _, north = canonical.bounds
    if north > NORTH_END_DEG or south < SOUTH_END_DEG:
        raise VectorError(
            f"the region reaches from {south:g} to {north:g} degrees of "
            "latitude; UTM, and with it the grid of Sentinel-2, ends at "
            f"{SOUTH_END_DEG:g} and {NORTH_END_DEG:g}: cut it there"
        )
    return Region(canonical, source)


def _leaves(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    if hasattr(geometry, "geoms"):
        return [leaf for part in geometry.geoms for leaf in _leaves(part)]
    return [geometry]


def _clip_to_zone(
    region: Region, crs: str, *, margin_m: float
) -> shapely.Geometry:
    zone, is_south = parse_utm(crs)
    _, south, _, north = region.geometry.bounds
    margin_deg = margin_m / _DEGREE_M
    # A degree of longitude is shortest where the region is nearest a pole.
    shrink = math.cos(math.radians(max(abs(south), abs(north))))
    reach = 3.0 + margin_deg / shrink
    middle = middle_of_zone_deg(zone)
    low, high = (SOUTH_END_DEG, margin_deg)
    if not is_south:
        low, high = (-margin_deg, NORTH_END_DEG)
    return clip_around(
        region.geometry, (middle - reach, low, middle + reach, high)
    )
