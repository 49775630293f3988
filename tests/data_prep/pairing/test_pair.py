import dataclasses
import types

import numpy as np
import pytest
import rasterio
import shapely

from data_prep.pairing import pair
from data_prep.pairing.image import open_image
from data_prep.pairing.labels import Labels
from data_prep.pairing.labels import Layer
from data_prep.pairing.tiles import Tile
from s2distill.geo.grid import Grid

CRS = "EPSG:32633"
WHOLE = Grid(CRS, (10.0, 0, 500_000, 0, -10.0, 5_200_000), 5, 7)
TILE = Tile("train", 1, 2, WHOLE.cropped(1, 2, 2, 2))


class Frames(types.SimpleNamespace):
    times_utc_s = (100, 200, 300)
    product_level = "L2A"
    quantification_dn = 10_000.0
    offset_dn = 0.0

    def read(self, bands, grid):
        shape = (3, grid.height, grid.width)
        valid = np.zeros(shape, np.uint8)
        valid[list(self.seen)] = 1
        return np.full((*shape, len(bands)), 7, np.uint16), valid


@pytest.fixture
def place(tmp_path):
    rgb = np.random.default_rng(0).integers(1, 256, (3, 100, 140), np.uint8)
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        count=3,
        dtype="uint8",
        height=100,
        width=140,
        crs=CRS,
        transform=WHOLE.refined(20).affine,
    ) as file:
        file.write(rgb)
    left, _, _, top = WHOLE.bounds
    building = shapely.box(left + 25, top - 24, left + 29, top - 16)
    made = pair.Place(
        name="a",
        image=open_image(tmp_path / "a.tif"),
        labels=Labels(buildings=Layer(np.array([building]))),
        frames=Frames(seen=(0, 2)),
        bands=("B2",),
        shift_x_y_m=(0.0, 0.0),
        view_deg=None,
        min_image_share=0.5,
        provenance={},
    )
    return made, np.moveaxis(rgb, 0, -1)


def test_image_and_labels_move_by_the_shift_together(place):
    made, rgb = place
    moved = dataclasses.replace(made, shift_x_y_m=(1.5, -2.0))
    example = moved.make_example(TILE)
    # 3 px to the right and 4 px down: the tile shows what lay before.
    rows, cols = slice(20 - 4, 60 - 4), slice(40 - 3, 80 - 3)
    np.testing.assert_array_equal(example["image"]["rgb"], rgb[rows, cols])
    building = np.zeros((100, 140), np.uint8)
    building[32:48, 50:58] = 1
    np.testing.assert_array_equal(
        example["label"]["building"], building[rows, cols]
    )
    assert example["meta"]["transform"][2] == 500_020


def test_the_view_is_in_the_records_where_it_is_known(place):
    made = place[0]
    assert made.fields == ("image", "building")
    assert set(made.make_example(TILE)["image"]) == {"rgb", "valid"}
    seen = dataclasses.replace(made, view_deg=(12.5, 340.0))
    assert seen.fields == ("image", "view", "building")
    image = seen.make_example(TILE)["image"]
    assert image["view_angle_deg"] == 12.5
    assert image["view_azimuth_deg"] == 340


def test_dates_that_see_nothing_are_left_out(place):
    example = place[0].make_example(TILE)
    np.testing.assert_array_equal(example["s2"]["time_utc_s"], [100, 300])
    assert example["s2"]["image"].shape == (2, 2, 2, 1)


@pytest.mark.parametrize(
    ("change", "split", "reason"),
    [
        ({"frames": Frames(seen=())}, "train", pair.NO_VALID_FRAME),
        ({"shift_x_y_m": (60.0, 0.0)}, "train", pair.OUTSIDE_IMAGE),
        ({"labels": Labels()}, "test", pair.HELD_OUT_WITHOUT_LABELS),
    ],
)
def test_a_tile_without_a_record_has_a_reason(place, change, split, reason):
    made = dataclasses.replace(place[0], **change)
    assert made.make_example(dataclasses.replace(TILE, split=split)) == reason
