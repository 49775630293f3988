"""Reads vector files of any format GDAL knows, repaired and reprojected."""

import collections
import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import pyogrio
import pyogrio.errors
import pyogrio.raw
import rasterio.warp
import shapely

from s2distill.errors import VectorError
from s2distill.geo.grid import parse_crs

_LINES = ("LineString", "MultiLineString", "LinearRing")
_POLYGONS = ("Polygon", "MultiPolygon")


@dataclasses.dataclass(frozen=True)
class Features:
    """Geometries with one number each.

    Attributes:
      geometries: [N] shapely geometries in the CRS that was asked for.
      values: [N] float64, the attribute asked for, NaN where it is missing
        or no number; None if none was asked for.
      repaired: How many had broken rings and were mended.
      dropped: How many could not be used, by reason.
    """

    geometries: np.ndarray
    values: np.ndarray | None
    repaired: int
    dropped: dict[str, int]


def read_features(
    path: str | os.PathLike[str],
    crs: str,
    *,
    kinds: Sequence[str] = _POLYGONS,
    value_field: str | None = None,
) -> Features:
    """Reads a layer into a CRS, mending broken rings.

    Args:
      path: Any vector file GDAL reads; its first layer.
      crs: Wanted CRS, for example "EPSG:32616".
      kinds: Geometry types to keep; others are dropped and counted.
      value_field: Name of a numeric attribute to read.

    Raises:
      VectorError: Unreadable, no CRS, no such field, or nothing usable.
    """
    try:
        meta, _, wkb, fields = pyogrio.raw.read(
            os.fspath(path),
            columns=[value_field] if value_field else [],
            force_2d=True,
        )
        names = list(pyogrio.read_info(os.fspath(path))["fields"])
    except pyogrio.errors.DataSourceError as error:
        raise VectorError(
            f"{path} cannot be read as a vector file: {error}"
        ) from error
    if value_field and value_field not in names:
        raise VectorError(
            f"{path} has no field {value_field!r}; it has {', '.join(names)}"
        )
    if not meta["crs"]:
        raise VectorError(
            f"{path} says no CRS; set one, for example with ogr2ogr -a_srs"
        )
    values = _to_numbers(fields[0]) if value_field else None
    geometries, kept, repaired, dropped = _mend(wkb, kinds)
    if not kept.size:
        raise VectorError(
            f"{path} holds no usable geometry; dropped by reason: "
            f"{dropped or 'the file is empty'}; wanted {', '.join(kinds)}"
        )
    return Features(
        geometries=_reproject(geometries, meta["crs"], crs),
        values=None if values is None else values[kept],
        repaired=repaired,
        dropped=dropped,
    )


def read_lines_or_polygons(
    path: str | os.PathLike[str], crs: str, *, width_field: str | None = None
) -> Features:
    """Like `read_features`, for roads: lines and polygons, width as value."""
    return read_features(
        path, crs, kinds=(*_LINES, *_POLYGONS), value_field=width_field
    )


def _to_numbers(column: np.ndarray) -> np.ndarray:
    def number(value: object) -> float:
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return np.nan

    return np.array([number(v) for v in column], np.float64)


def _mend(
    wkb: np.ndarray, kinds: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, int, dict[str, int]]:
    """Usable geometries, their positions, how many were mended or dropped."""
    dropped: collections.Counter[str] = collections.Counter()
    geometries, kept, repaired = [], [], 0
    parsed = shapely.from_wkb(wkb, on_invalid="fix")
    strict = shapely.from_wkb(wkb, on_invalid="ignore")
    for i, (geometry, as_written) in enumerate(
        zip(parsed, strict, strict=True)
    ):
        if geometry is None or geometry.is_empty:
            dropped["no geometry"] += 1
            continue
        if as_written is None or not as_written.is_valid:
            geometry = _keep_kinds(shapely.make_valid(geometry), kinds)
            if geometry is None:
                dropped["broken beyond repair"] += 1
                continue
            repaired += 1
        if geometry.geom_type not in kinds:
            dropped[f"is a {geometry.geom_type}"] += 1
            continue
        geometries.append(geometry)
        kept.append(i)
    return (
        np.array(geometries, dtype=object),
        np.array(kept, dtype=int),
        repaired,
        dict(sorted(dropped.items())),
    )


def _keep_kinds(
    geometry: shapely.Geometry, kinds: Sequence[str]
) -> shapely.Geometry | None:
    """What of a mended geometry is of the wanted kinds and has a size."""
    parts = [
        part
        for part in shapely.get_parts(shapely.get_parts(geometry)).tolist()
        if part.geom_type in kinds and part.length > 0
    ]
    return shapely.union_all(parts) if parts else None


def _reproject(geometries: np.ndarray, source: str, target: str) -> np.ndarray:
    source_crs, target_crs = parse_crs(source), parse_crs(target)
    if source_crs == target_crs:
        return geometries

    def move(points: np.ndarray) -> np.ndarray:
        xs, ys = rasterio.warp.transform(
            source_crs, target_crs, points[:, 0], points[:, 1]
        )
        return np.stack([xs, ys], axis=-1)

    return shapely.transform(geometries, move)
