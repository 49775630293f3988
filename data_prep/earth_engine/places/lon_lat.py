"""Polygons in longitude and latitude, whole across the antimeridian.

RFC 7946 wants a polygon cut there in two; many a file has a ring that goes on
past 180 degrees, or jumps from 179 to -179. All three mean the small polygon.
An edge therefore never spans more than 180 degrees of longitude: it is taken
the short way round, and a region wider than that needs points in between.
"""

import numpy as np
import shapely

from s2distill.errors import VectorError

# Beyond this a number is no longitude, however often it went round.
_FARTHEST_LON_DEG = 720.0


def to_canonical(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    """The polygons of a geometry between -180 and 180 degrees.

    Args:
      geometry: Any geometry in (longitude, latitude); broken rings are
        mended, points and lines left out.

    Returns:
      Valid polygons, cut at the antimeridian; empty if there was no area.

    Raises:
      VectorError: Numbers that are no degrees, or a ring around a pole.
    """
    _check_degrees(geometry)
    pieces = [
        piece
        for polygon in _polygons(geometry)
        for piece in _cut(shapely.make_valid(_unwrap_polygon(polygon)))
    ]
    return _join(pieces)


def clip_around(
    geometry: shapely.Geometry,
    bounds: tuple[float, float, float, float],
) -> shapely.MultiPolygon:
    """What of a canonical geometry lies in a box that may pass 180 degrees.

    Args:
      geometry: Between -180 and 180 degrees.
      bounds: (west, south, east, north); west from -190, east up to 190.

    Returns:
      Polygons with longitudes as in the box, so that none is cut at 180.
    """
    box = shapely.box(*bounds)
    parts = [
        shapely.intersection(_shift(geometry, turn), box)
        for turn in (-360.0, 0.0, 360.0)
        if geometry.bounds[0] + turn < bounds[2]
        and geometry.bounds[2] + turn > bounds[0]
    ]
    return _join(parts)


def _check_degrees(geometry: shapely.Geometry) -> None:
    points = shapely.get_coordinates(geometry)
    bad = points[
        ~(np.abs(points[:, 0]) <= _FARTHEST_LON_DEG)
        | ~(np.abs(points[:, 1]) <= 90.0)
    ]
    if bad.size:
        raise VectorError(
            f"the point {bad[0, 0]:g}, {bad[0, 1]:g} is no longitude and "
            "latitude in degrees; a GeoJSON file has these, in this order"
        )


def _join(parts: list[shapely.Geometry]) -> shapely.MultiPolygon:
    """One geometry of valid parts; of a single one without the work."""
    joined = (
        parts[0]
        if len(parts) == 1
        else shapely.union_all(np.array(parts, dtype=object))
    )
    return shapely.MultiPolygon(_polygons(joined))


def _polygons(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    """The polygons in nested collections that are not empty."""
    if geometry.geom_type == "Polygon":
        return [] if geometry.is_empty else [geometry]
    if not hasattr(geometry, "geoms"):
        return []
    return [p for part in geometry.geoms for p in _polygons(part)]


def _unwrap_polygon(polygon: shapely.Polygon) -> shapely.Polygon:
    shell = _unwrap_ring(polygon.exterior)
    holes = [
        _shift_into(_unwrap_ring(ring), shell) for ring in polygon.interiors
    ]
    return shapely.Polygon(shell, holes)


def _unwrap_ring(ring: shapely.LinearRing) -> np.ndarray:
    """[N, 2] points of a ring without jumps: each edge the short way."""
    points = shapely.get_coordinates(ring)
    steps = np.diff(points[:, 0])
    turns = np.concatenate([[0.0], -360.0 * np.round(steps / 360.0).cumsum()])
    if turns[-1] != 0:
        raise VectorError(
            f"a ring that begins at {points[0, 0]:g}, {points[0, 1]:g} runs "
            "round a pole or round the Earth; cut it at 180 degrees of "
            "longitude (RFC 7946), with a point at least every 180 degrees"
        )
    points[:, 0] += turns
    return points


def _shift_into(hole: np.ndarray, shell: np.ndarray) -> np.ndarray:
    """The hole, turned by 360 degrees where only then it is in the shell."""
    west, east = shell[:, 0].min(), shell[:, 0].max()
    for turn in (0.0, 360.0, -360.0):
        moved = hole + np.array([turn, 0.0])
        if moved[:, 0].min() >= west and moved[:, 0].max() <= east:
            return moved
    return hole


def _cut(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    """Pieces between -180 and 180 degrees."""
    if geometry.is_empty:
        return []
    first = np.floor((geometry.bounds[0] + 180.0) / 360.0)
    last = np.floor((geometry.bounds[2] + 180.0) / 360.0)
    return [
        _shift(
            shapely.intersection(
                geometry, shapely.box(turn - 180.0, -90.0, turn + 180.0, 90.0)
            ),
            -turn,
        )
        for turn in 360.0 * np.arange(first, last + 1)
    ]


def _shift(geometry: shapely.Geometry, turn_deg: float) -> shapely.Geometry:
    if turn_deg == 0:
        return geometry
    return shapely.transform(
        geometry, lambda points: points + np.array([turn_deg, 0.0])
    )
