"""What a place must be, and that the splits of many are apart."""

import collections
import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.earth_engine.places.place import PIXEL_M
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import make_place_grid
from data_prep.earth_engine.places.utm_zone import SOUTH_EQUATOR_M
from data_prep.earth_engine.places.utm_zone import is_within_zone
from data_prep.earth_engine.places.utm_zone import parse_utm
from data_prep.split import Bounds
from data_prep.split import SplitRule
from data_prep.split import check_splits_apart
from s2distill.data.schema import SPLITS
from s2distill.errors import ConfigError
from s2distill.errors import PlaceError
from s2distill.errors import SplitError
from s2distill.geo.grid import Grid

# x of any zone lies within; beyond is no place of it.
_MOST_EASTING_M = 1_000_000


def check_places(places: Sequence[Place], split_rule: Any, source: str) -> None:
    """Raises if a list of places cannot be a places file.

    Args:
      places: In order.
      split_rule: `SplitRule.to_json()`; None if the splits are by hand.
      source: Of the places, for messages.

    Raises:
      PlaceError: No place, one that `check_place` refuses, two equal keys,
        two sizes, or a rule that is none.
      SplitError: Two splits are nearer than the rule's gap.
    """
    if not places:
        raise PlaceError(f"{source}: there is no place; give a larger region")
    first: dict[str, int] = {}
    for number, place in enumerate(places, 1):
        where = f"{source}, feature {number}"
        try:
            check_place(place, places[0].tile_px)
        except PlaceError as error:
            raise PlaceError(f"{where} {error}") from error
        if place.key in first:
            raise PlaceError(
                f"{where} has the key {place.key} of feature "
                f"{first[place.key]} again; remove one of them"
            )
        first[place.key] = number
    _check_apart(places, _gap_m(split_rule, source), source)


def _gap_m(split_rule: Any, source: str) -> float:
    if split_rule is None:
        return 0.0
    try:
        return SplitRule(**split_rule).gap_m
    except (TypeError, ConfigError) as error:
        raise PlaceError(
            f"{source} has the split_rule {split_rule!r}, which is none: "
            f"{error}; write the file again"
        ) from error


def _check_apart(places: Sequence[Place], gap_m: float, source: str) -> None:
    zones: dict[str, dict[str, dict[str, Bounds]]] = collections.defaultdict(
        lambda: collections.defaultdict(dict)
    )
    for place in places:
        zones[place.grid.crs][place.split][place.key] = place.grid.bounds
    for footprints in zones.values():
        try:
            check_splits_apart(footprints, gap_m=gap_m)
        except SplitError as error:
            raise SplitError(f"{source}: {error}") from error
    if len(zones) > 1 and len({place.split for place in places}) > 1:
        _check_zones_apart(zones, gap_m, source)


def _check_zones_apart(
    zones: dict[str, dict[str, dict[str, Bounds]]], gap_m: float, source: str
) -> None:
    """Two zones share no metres; so none may come near their border."""
    for crs, footprints in zones.items():
        of_key = {
            k: b for split in footprints.values() for k, b in split.items()
        }
        within = is_within_zone(
            crs, np.array(list(of_key.values())), margin_m=gap_m / 2
        )
        for key, is_clear in zip(of_key, within, strict=True):
            if not is_clear:
                raise SplitError(
                    f"{source}: {key} is less than {gap_m / 2:g} m from the "
                    f"border of its zone {crs}, where a place of the next "
                    "zone and of another split may touch it; remove it"
                )


def check_place(place: Place, tile_px: int) -> None:
    """Raises PlaceError if a place is none, or of another size.

    Args:
      place: Whatever claims to be one.
      tile_px: Wanted side.
    """
    _check_grid(place.grid, tile_px)
    _, _, left, _, _, top = place.grid.transform
    key = make_key(place.grid.crs, int(left), int(top))
    if place.key != key:
        raise PlaceError(
            f"has the key {place.key!r}, but its grid makes it {key}; a key "
            "is never chosen"
        )
    if place.split not in SPLITS:
        raise PlaceError(
            f"has the split {place.split!r}; there are {', '.join(SPLITS)}"
        )
    if not is_date(place.date):
        raise PlaceError(
            f"has the date {place.date!r}; wanted is YYYY-MM-DD, or an empty "
            "text for the date of the recipe"
        )
    if not isinstance(place.stratum, str):
        raise PlaceError(f"has the stratum {place.stratum!r}, which is no text")


def is_date(text: Any) -> bool:
    """True for "YYYY-MM-DD" that the calendar has, and for ""."""
    if text == "":
        return True
    try:
        # fromisoformat also takes 20200113 and 2020-W03-1.
        return datetime.date.fromisoformat(text).isoformat() == text
    except (TypeError, ValueError):
        return False


def _check_grid(grid: Grid, tile_px: int) -> None:
    parse_utm(grid.crs)
    if (grid.height, grid.width) != (tile_px, tile_px):
        raise PlaceError(
            f"has {grid.height} x {grid.width} px, others {tile_px}; all "
            "places of a file are squares of one tile_px"
        )
    _, _, left, _, _, top = grid.transform
    tile_m = PIXEL_M * tile_px
    if left % tile_m or top % tile_m:
        raise PlaceError(
            f"has its corner at left={left:.15g}, top={top:.15g}, off the "
            f"lattice of {tile_m} m; both must be whole multiples of 10 m "
            "times tile_px"
        )
    if not (0 < left < _MOST_EASTING_M and 0 <= top <= SOUTH_EQUATOR_M):
        raise PlaceError(
            f"has its corner at left={left:.15g}, top={top:.15g}, which lies "
            f"outside its zone {grid.crs}"
        )
    if grid != make_place_grid(grid.crs, left, top, tile_px):
        raise PlaceError(
            f"has the transform {grid.transform}; wanted are pixels of 10 m, "
            "north up"
        )
