import dataclasses

import numpy as np
import pytest
import rasterio.warp

from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import footprints_lon_lat
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import make_place_grid
from data_prep.earth_engine.places.place import place_at
from s2distill.errors import PlaceError


def test_a_key_names_zone_hemisphere_and_corner_in_metres():
    # Literals: a changed key would be another place.
    assert make_key("EPSG:32616", 737280, 3736640) == ("utm16n-737280-3736640")
    assert make_key("EPSG:32701", 500480, 8120000) == ("utm01s-500480-8120000")
    with pytest.raises(PlaceError, match="EPSG:4326' is no UTM zone"):
        make_key("EPSG:4326", 0, 0)


@pytest.mark.parametrize("tile_px", [1, 7, 32])
def test_a_place_covers_its_square_of_the_lattice(tile_px):
    side = 10 * tile_px
    place = place_at("EPSG:32733", 51, 30_011, tile_px, split="test")
    assert place.grid.bounds == (
        51 * side,
        30_011 * side,
        52 * side,
        30_012 * side,
    )
    assert place.grid.pixel_size == (10, 10)
    assert place.grid.transform[4] == -10
    assert (place.tile_px, place.split) == (tile_px, "test")
    assert place.key == f"utm33s-{51 * side}-{30_012 * side}"
    assert place.grid == make_place_grid(
        "EPSG:32733", 51 * side, 30_012 * side, tile_px
    )


def test_numpy_integers_make_the_same_place():
    col, row = np.array([2304, 11677], np.int64)
    assert place_at("EPSG:32616", col, row, 32) == place_at(
        "EPSG:32616", 2304, 11677, 32
    )


def test_places_are_values_with_what_their_file_knew_of_them():
    place = place_at("EPSG:32616", 2304, 11677, 32, date="2020-02-29")
    named = dataclasses.replace(place, properties={"name": "a"})
    assert place != named
    assert len({place, named, place_at("EPSG:32616", 2305, 11677, 32)}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        place.split = "test"


def test_footprints_are_the_corners_of_the_grid_in_order():
    places = [
        place_at("EPSG:32616", 2304, 11677, 32),
        place_at("EPSG:32760", 2600, 25000, 32),
        place_at("EPSG:32616", 2204, 11777, 32),
    ]
    found = footprints_lon_lat(places)
    assert found.shape == (3, 4, 2)
    for place, corners in zip(places, found, strict=True):
        left, bottom, right, top = place.grid.bounds
        lon, lat = rasterio.warp.transform(
            place.grid.crs,
            "EPSG:4326",
            [left, right, right, left],
            [bottom, bottom, top, top],
        )
        np.testing.assert_allclose(corners, np.stack([lon, lat], -1))
        # Counter-clockwise: the shoelace sum is positive.
        x, y = corners.T
        assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) > 0
    assert footprints_lon_lat([]).shape == (0, 4, 2)


def test_a_place_needs_no_more_than_key_grid_and_split():
    grid = make_place_grid("EPSG:32616", 320, 640, 32)
    place = Place("utm16n-320-640", grid, "train")
    assert (place.date, place.stratum, place.properties) == ("", "", {})
