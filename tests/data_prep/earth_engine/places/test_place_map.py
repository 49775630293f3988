import matplotlib.image
import numpy as np
import pytest
import shapely

from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.place_map import draw_map
from data_prep.earth_engine.places.region import Region
from data_prep.earth_engine.places.region import parse_region_box
from data_prep.earth_engine.places.utm_zone import move_points
from s2distill.errors import OutputError

COLOURS = {
    "train": (0x00, 0x72, 0xB2),
    "validation": (0xE6, 0x9F, 0x00),
    "test": (0xD5, 0x5E, 0x00),
}
GROUND = (0xF0, 0xEC, 0xE2)


def _place(lon, lat, crs, split="train", tile_px=32):
    x, y = move_points(np.array([[lon, lat]]), "EPSG:4326", crs)[0]
    side = 10 * tile_px
    return place_at(crs, x // side, y // side, tile_px, split=split)


def _picture(path):
    return (matplotlib.image.imread(path)[..., :3] * 255).round().astype(int)


def _where(picture, colour):
    """[N, 2] rows and columns of the pixels of a colour below the legend."""
    found = np.argwhere((picture == colour).all(axis=-1))
    return found[found[:, 0] > 60]


def test_each_place_has_the_colour_of_its_split_where_it_lies(tmp_path):
    region = parse_region_box(("-85", "33", "-84.9", "33.1"))
    places = [
        _place(-84.98, 33.09, "EPSG:32616", "train"),
        _place(-84.92, 33.09, "EPSG:32616", "validation"),
        _place(-84.92, 33.02, "EPSG:32616", "test"),
    ]
    draw_map(tmp_path / "a.png", places, region)
    picture = _picture(tmp_path / "a.png")
    centres = {
        split: _where(picture, colour).mean(axis=0)
        for split, colour in COLOURS.items()
    }
    assert centres["train"][1] < centres["validation"][1] - 200
    # On the lattice, so half a place of 40 dots up or down.
    assert abs(centres["train"][0] - centres["validation"][0]) < 25
    assert centres["test"][0] > centres["validation"][0] + 200
    # The region is 34.6 places high and 29.1 wide.
    ground = np.ptp(_where(picture, GROUND), axis=0)
    side = np.ptp(_where(picture, COLOURS["test"]), axis=0)
    np.testing.assert_allclose(side, ground / np.array([34.6, 29.1]), atol=2.5)


def test_a_region_over_the_antimeridian_is_drawn_in_one_piece(tmp_path):
    region = parse_region_box(("179.9", "-17", "-179.9", "-16.8"))
    places = [
        _place(179.92, -16.9, "EPSG:32760", "train"),
        _place(-179.92, -16.9, "EPSG:32701", "test"),
    ]
    draw_map(tmp_path / "a.png", places, region)
    picture = _picture(tmp_path / "a.png")
    train, test = (
        _where(picture, COLOURS[split]).mean(axis=0)
        for split in ("train", "test")
    )
    ground = np.ptp(_where(picture, GROUND)[:, 1])
    assert test[1] - train[1] == pytest.approx(0.8 * ground, rel=0.05)


def test_a_hole_of_the_region_is_left_white(tmp_path):
    ring = shapely.box(0.4, 1, 0.6, 1.2)
    hole = shapely.box(0.45, 1.05, 0.55, 1.15)
    region = Region(shapely.MultiPolygon([ring.difference(hole)]), "a")
    draw_map(tmp_path / "a.png", [_place(0.42, 1.02, "EPSG:32631")], region)
    picture = _picture(tmp_path / "a.png")
    ground = _where(picture, GROUND)
    low, high = ground.min(axis=0), ground.max(axis=0)
    middle = (low + high) // 2
    assert picture[tuple(middle)].tolist() == [255, 255, 255]
    assert picture[middle[0], low[1] + 9].tolist() == list(GROUND)


def test_places_smaller_than_a_dot_are_seen(tmp_path):
    region = parse_region_box(("-90", "20", "-78", "40"))
    draw_map(tmp_path / "a.png", [_place(-85, 30, "EPSG:32616")], region)
    assert len(_where(_picture(tmp_path / "a.png"), COLOURS["train"])) >= 9


def test_a_map_that_cannot_be_written_is_named(tmp_path):
    region = parse_region_box(("-85", "33", "-84.9", "33.1"))
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="cannot write .*a.png"):
        draw_map(
            tmp_path / "a.png", [_place(-84.98, 33.09, "EPSG:32616")], region
        )
