"""The places file: GeoJSON that maps show, with exact grids in it.

Polygons are in longitude and latitude; the grid stands in the properties
crs, left, top, tile_px and is what counts. Splits are proven apart whenever
the file is written or read, so that a split edited by hand cannot leak.
"""

import dataclasses
import json
import os
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from data_prep.earth_engine.places.lon_lat import to_canonical
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import footprints_lon_lat
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import make_place_grid
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.place_checks import check_places
from s2distill.errors import PlaceError

__all__ = [
    "Place",
    "make_key",
    "place_at",
    "PlacesFile",
    "read_places",
    "write_places",
]

_OWN = ("key", "crs", "left", "top", "tile_px", "split", "date", "stratum")
# A polygon in the file is rounded to 1 cm; one moved on a map is off by more.
_DECIMALS = 7
_MOVED_DEG = 1e-5
# More than any coordinate in metres: JSON has numbers that no float holds.
_FARTHEST_M = 1e9


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlacesFile:
    """What `read_places` found.

    Attributes:
      places: In the order of the file, which is that of the draw.
      tile_px: Side of each.
      split_rule: `SplitRule.to_json()` of the splits; None if by hand.
      dropped: Number of squares left out, by reason.
      provenance: Program and flags that made the file.
      region: GeoJSON geometry the places were taken from; None if unknown.
    """

    places: tuple[Place, ...]
    tile_px: int
    split_rule: dict[str, Any] | None
    dropped: dict[str, int]
    provenance: dict[str, Any]
    region: dict[str, Any] | None


def write_places(
    path: str | os.PathLike[str],
    places: Sequence[Place],
    *,
    split_rule: Mapping[str, Any] | None,
    region: Mapping[str, Any] | None = None,
    dropped: Mapping[str, int] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Writes a places file, whole or not at all.

    Args:
      path: GeoJSON file, local or gs://; replaced if it exists.
      places: At least one, all of one size; their order is kept.
      split_rule: `SplitRule.to_json()`; None if the splits are by hand.
      region: GeoJSON geometry the places were taken from.
      dropped: Number of squares left out, by reason.
      provenance: Program and flags that made the places.

    Raises:
      PlaceError: What `read_places` would refuse.
      SplitError: Two splits are nearer than the rule's gap.
      OutputError: If the disk refuses.
    """
    source = os.fspath(path)
    rule = None if split_rule is None else dict(split_rule)
    check_places(places, rule, source)
    members = {
        "type": "FeatureCollection",
        "tile_px": places[0].tile_px,
        "split_rule": rule,
        "dropped": dict(dropped or {}),
        "provenance": dict(provenance or {}),
        "region": None if region is None else dict(region),
    }
    # A line for each feature: differences between two files can be read.
    head = json.dumps(members, sort_keys=True, allow_nan=False)[:-1]
    lines = ",\n".join(_feature_lines(places))
    write_text(source, f'{head}, "features": [\n{lines}\n]}}\n')


def read_places(path: str | os.PathLike[str]) -> PlacesFile:
    """Reads what `write_places` wrote, and what was added by hand since.

    Args:
      path: GeoJSON file, local or gs://.

    Raises:
      PlaceError: No such file, cut, no places file, or a place that is off
        the lattice, in no UTM zone, of another size, of an unknown split, of
        no date, of a wrong key, twice there, or moved on the map alone.
      SplitError: Two splits are nearer than the rule's gap.
    """
    source = os.fspath(path)
    content = _parse(_read_text(source), source)
    places = tuple(
        _to_place(feature, f"{source}, feature {number}")
        for number, feature in enumerate(content["features"], 1)
    )
    check_places(places, content["split_rule"], source)
    if places[0].tile_px != content["tile_px"]:
        raise PlaceError(
            f"{source} says tile_px={content['tile_px']!r}, its places have "
            f"{places[0].tile_px}; write the file again"
        )
    _check_not_moved(content["features"], places, source)
    return PlacesFile(
        places=places,
        tile_px=places[0].tile_px,
        split_rule=content["split_rule"],
        dropped=content.get("dropped") or {},
        provenance=content.get("provenance") or {},
        region=content.get("region"),
    )


def _feature_lines(places: Sequence[Place]) -> Iterator[str]:
    corners = footprints_lon_lat(places).round(_DECIMALS)
    split_in_two = np.ptp(corners[..., 0], axis=1) > 180.0
    rings = np.concatenate([corners, corners[:, :1]], axis=1).tolist()
    for place, ring, is_split in zip(places, rings, split_in_two, strict=True):
        geometry = {"type": "Polygon", "coordinates": [ring]}
        if is_split:
            geometry = shapely.geometry.mapping(
                to_canonical(shapely.Polygon(ring))
            )
        _, _, left, _, _, top = place.grid.transform
        properties = {
            **place.properties,
            "key": place.key,
            "crs": place.grid.crs,
            "left": int(left),
            "top": int(top),
            "tile_px": place.tile_px,
            "split": place.split,
            "date": place.date,
            "stratum": place.stratum,
        }
        yield json.dumps(
            {
                "type": "Feature",
                "geometry": geometry,
                "properties": properties,
            },
            allow_nan=False,
        )


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PlaceError(
            f"{source} is cut or no JSON: {error}; fetch it again, or write "
            "it again with data_prep.earth_engine.sample_places"
        ) from error
    wanted = ("features", "tile_px", "split_rule")
    missing = (
        [name for name in wanted if name not in content]
        if isinstance(content, dict)
        else wanted
    )
    if missing or not isinstance(content["features"], list):
        raise PlaceError(
            f"{source} is no places file: it has no "
            f"{(missing or wanted)[0]!r}; data_prep.earth_engine."
            "sample_places writes one, and map programs that save it anew "
            "may leave its other members out"
        )
    return content


def _to_place(feature: Any, where: str) -> Place:
    properties = feature.get("properties") if isinstance(feature, dict) else 0
    properties = properties if isinstance(properties, dict) else {}
    missing = [name for name in _OWN if name not in properties]
    if missing:
        raise PlaceError(
            f"{where} has no property {missing[0]!r}: it is no place; "
            "data_prep.earth_engine.sample_places writes places"
        )
    for name in ("left", "top", "tile_px"):
        value = properties[name]
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not abs(value) < _FARTHEST_M
            or value % 1
            or (name == "tile_px" and value < 1)
        ):
            raise PlaceError(
                f"{where} has {name}={value!r}; wanted is a whole number"
            )
    return Place(
        key=properties["key"],
        grid=make_place_grid(
            str(properties["crs"]),
            properties["left"],
            properties["top"],
            int(properties["tile_px"]),
        ),
        split=properties["split"],
        date=properties["date"],
        stratum=properties["stratum"],
        properties={k: v for k, v in properties.items() if k not in _OWN},
    )


def _check_not_moved(
    features: Sequence[Any], places: Sequence[Place], source: str
) -> None:
    """PlaceError where the polygon shows other ground than the grid."""
    wanted = footprints_lon_lat(places)
    for number, feature in enumerate(features):
        geometry = feature.get("geometry")
        # A square over the antimeridian has two parts.
        if not isinstance(geometry, dict) or geometry.get("type") != (
            "Polygon"
        ):
            continue
        try:
            ring = np.asarray(geometry["coordinates"][0], float)[:4, :2]
            moved = ring.shape != (4, 2) or (
                np.abs(ring.min(0) - wanted[number].min(0)).max() > _MOVED_DEG
            )
        except (KeyError, IndexError, TypeError, ValueError):
            moved = True
        if moved:
            raise PlaceError(
                f"{source}, feature {number + 1} ({places[number].key}) has a "
                "polygon elsewhere than its crs, left and top say; places are "
                "not moved on the map: add and remove them with "
                "data_prep.earth_engine.sample_places"
            )


def _read_text(path: str) -> str:
    try:
        return read_bytes(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlaceError(
            f"{path} cannot be read as text: {error}; "
            "data_prep.earth_engine.sample_places writes a places file"
        ) from error
