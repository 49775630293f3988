"""Places to export, and the check that records hold their own pixels."""

import numpy as np

from data_prep.earth_engine.export_config import ExportConfig
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from tests.earth_engine_server import world

ZONE = "EPSG:32616"
SMALL = {"frames_before": 2, "frames_after": 1, "bands": ("B2", "B4", "B8")}
FULL = {
    **SMALL,
    "image": "USDA/NAIP/DOQQ",
    "buildings": "projects/team/assets/footprints",
    "height_property": "height",
    "roads": "TIGER/2016/Roads",
}


def write_area(path, count, tile_px=4, splits=("train",)):
    """So many places of one zone, their splits far apart."""
    places = [
        place_at(
            ZONE,
            18_000 + 7 * (n % 25) + 2_000 * (n % len(splits)),
            93_000 + 3 * (n // 25),
            tile_px,
            split=splits[n % len(splits)],
            date="2020-07-01",
        )
        for n in range(count)
    ]
    write_places(path, places, split_rule=None)
    return places


def make_config(tmp_path, flags, **changes):
    return ExportConfig(
        places=str(tmp_path / "places.geojson"),
        output=str(tmp_path / "records"),
        **{"max_tries": 12, **flags, **changes},
    )


def read_all(folder):
    """All records of a folder by key."""
    found = {}
    for shard_split in {s.split for s in read_manifest(folder).shards}:
        for record in read_records(folder, shard_split):
            assert record["key"] not in found
            found[record["key"]] = record
    return found


def check_pixels(record, recipe=SMALL, empty=1):
    """Every pixel is the one that belongs at its place."""
    affine = tuple(record["meta"]["transform"])
    frames = recipe["frames_before"] + recipe["frames_after"] - empty
    side = record["s2"]["image"].shape[1]
    xs, ys = world.pixel_centres(affine, side, side)
    x, y = np.meshgrid(xs, ys)
    # The server leaves the last frame of each place empty.
    assert len(record["s2"]["image"]) == frames
    for frame in range(frames):
        valid = world.frame_values(frame, "valid", x, y)
        np.testing.assert_array_equal(record["s2"]["valid"][frame], valid)
        for band, name in enumerate(recipe["bands"]):
            np.testing.assert_array_equal(
                record["s2"]["image"][frame, :, :, band],
                world.frame_values(frame, name, x, y) * valid,
            )
    days = record["s2"]["time_utc_s"] // 86_400
    np.testing.assert_array_equal(days, world.FIRST_DAY + 5 * np.arange(frames))


def raw_records(folder):
    """The bytes of each file of records."""
    return {p.name: p.read_bytes() for p in folder.glob("*.tfrecord*")}
