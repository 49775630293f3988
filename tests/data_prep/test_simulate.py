import json
import pathlib
import typing

import numpy as np
import pytest

from data_prep.simulate import Config
from data_prep.simulate import make_example
from data_prep.simulate import run
from data_prep.simulate import scene_settings
from data_prep.simulation.conditions import Condition
from data_prep.simulation.placement import make_rule
from data_prep.simulation.placement import walk_places
from data_prep.simulation.scene import make_labels
from data_prep.simulation.scene import make_scene
from data_prep.simulation.scene import to_example
from data_prep.simulation.town_files import write_town_files
from s2distill.data.folders import read_records
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid

_SMALL = {
    "train_scenes": 4,
    "validation_scenes": 1,
    "test_scenes": 1,
    "labelled_share": 0.5,
    "tile_px": 8,
    "frames": 3,
    "bands": ("B2", "B4", "B3", "B11"),
}


def _files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(pathlib.Path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The same world from one worker and from two."""
    folders = [tmp_path_factory.mktemp("world") / str(n) for n in (1, 2)]
    for workers, folder in enumerate(folders, 1):
        run(Config(output=str(folder), workers=workers, seed=3, **_SMALL))
    return folders


def test_the_number_of_workers_changes_no_byte(worlds):
    one, two = (_files(folder) for folder in worlds)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


def test_records_open_with_tfds_and_hold_what_was_asked_for(worlds):
    import tensorflow_datasets as tfds

    labelled = tfds.builder_from_directory(str(worlds[0] / "labelled"))
    unlabelled = tfds.builder_from_directory(str(worlds[0] / "unlabelled"))
    counts = {s: i.num_examples for s, i in labelled.info.splits.items()}
    assert counts == {"train": 2, "validation": 1, "test": 1}
    assert {s: i.num_examples for s, i in unlabelled.info.splits.items()} == {
        "train": 2
    }
    record = next(iter(tfds.as_numpy(labelled.as_dataset("test"))))
    assert record["s2"]["image"].shape == (3, 8, 8, 4)
    assert record["s2"]["image"].dtype == np.uint16
    assert record["image"]["rgb"].shape == (160, 160, 3)
    height_m = record["label"]["height_m"].astype(float)
    assert ((height_m > 0) == (record["label"]["building"] > 0)).all()
    assert "label" not in next(
        iter(tfds.as_numpy(unlabelled.as_dataset("train")))
    )


def test_statistics_are_written_where_there_is_a_train_split(worlds):
    for name in ("labelled", "unlabelled"):
        content = json.loads((worlds[0] / name / "statistics.json").read_text())
        assert tuple(content["bands"]) == _SMALL["bands"]


def _scene(seed, size_px=(12, 10), frames=3):
    import dataclasses

    config = Config(output="x", seed=seed, frames=frames)
    settings = dataclasses.replace(
        scene_settings(config, 2), height_px=size_px[0], width_px=size_px[1]
    )
    grid = Grid("EPSG:32631", (10.0, 0, 5e5, 0, -10.0, 5e6), *size_px)
    return make_scene(settings, grid, (2, 9), "grid_suburb"), settings


def test_the_density_sums_to_the_number_of_centroids_in_the_tile():
    scene, settings = _scene(4)
    labels = make_labels(scene)
    assert labels["building"].shape == (240, 200)
    example = to_example(scene, settings, "k", labels=True)
    number = json.loads(example["meta"]["provenance"])["buildings"]
    assert number > 0
    total = labels["centroid_density"].astype(float).sum()
    assert total == pytest.approx(number, rel=2e-3)


def test_another_seed_gives_another_scene():
    (a, _), (b, _) = _scene(4), _scene(5)
    assert (a.image != b.image).mean() > 0.5
    assert (a.stack.dn != b.stack.dn).mean() > 0.9


def test_the_world_of_a_seed_stays_what_it_was():
    # As of commit 4128acc, before there were styles and conditions to choose.
    known = {
        "simulated-03571-00714": (1533, 1365, (335, 4020, 2180), 101.7),
        "simulated-03571-00715": (0, 1772, (351, 2434, 2109), 86.9),
        "simulated-03571-00716": (4457, 412, (3221, 3582, 2686), 111.1),
        "simulated-03571-00717": (3746, 4562, (2628, 3831, 2479), 88.6),
    }
    bands = ("B2", "B8", "B11")
    config = Config(output="x", seed=11, frames=2, bands=bands)
    counts = {"train": len(known), "validation": 0, "test": 0}
    for place in walk_places(make_rule(counts, 80.0), counts, 8):
        job = (scene_settings(config, 8), place, True)
        example = make_example(job)
        building_px, road_px, dn, red = known[place.key]
        assert example["label"]["building"].sum() == building_px
        assert example["label"]["road"].sum() == road_px
        # Not the bytes: other machines round sums in another order.
        found = example["s2"]["image"].mean((0, 1, 2))
        np.testing.assert_allclose(found, dn, atol=0.6)
        assert example["image"]["rgb"][..., 0].mean() == pytest.approx(
            red, abs=0.1
        )


def test_a_world_of_named_styles_under_a_condition(tmp_path, worlds):
    changes = {"styles": ("greenhouses", "village"), "condition": "snow"}
    run(Config(output=str(tmp_path), seed=3, workers=1, **_SMALL | changes))
    folder = tmp_path / "labelled"
    for record in read_records(folder, "train"):
        notes = json.loads(record["meta"]["provenance"])
        assert set(notes["styles"]) <= set(changes["styles"])
        assert notes["condition"] == "snow"
    flags = json.loads((folder / "records.json").read_text())["provenance"]
    assert "--styles=greenhouses,village" in flags["flags"]
    assert "--condition=snow" in flags["flags"]
    usual = (worlds[0] / "labelled" / "records.json").read_text()
    assert "--styles" not in usual
    assert "--condition" not in usual


def test_each_condition_can_be_asked_for():
    hint = typing.get_type_hints(Config)["condition"]
    assert typing.get_args(hint) == typing.get_args(Condition)


def test_more_scenes_leave_the_first_ones_where_they_are():
    few = {"train": 6, "validation": 2, "test": 2}
    many = {"train": 60, "validation": 20, "test": 20}
    rule = make_rule(few, 320.0)
    assert rule == make_rule(many, 320.0)
    places = list(walk_places(rule, many, 32))
    keys = {place.key for place in places}
    assert len(keys) == 100
    assert {p.key for p in walk_places(rule, few, 32)} <= keys
    lefts = {place.grid.transform[2] % 20 for place in places}
    tops = {place.grid.transform[5] % 20 for place in places}
    assert lefts == tops == {0.0}  # so that 20 m pixels are whole


def test_a_town_is_written_as_files_that_gdal_reads(tmp_path):
    import pyogrio
    import rasterio

    _, settings = _scene(4)
    scene = write_town_files(tmp_path / "town", settings, style="village")
    frames = sorted((tmp_path / "town" / "sentinel2").iterdir())
    assert len(frames) == 3
    with rasterio.open(frames[0]) as file:
        assert file.descriptions == settings.bands
        assert file.crs.to_epsg() == 32631
        assert file.nodata == 0
        assert file.tags()["PRODUCT_LEVEL"] == "L2A"
        assert file.tags()["DATETIME_UTC"].startswith(frames[0].stem)
        valid = scene.stack.valid[0] > 0
        dn = file.read()
        np.testing.assert_array_equal(
            dn[:, valid], np.moveaxis(scene.stack.dn[0], -1, 0)[:, valid]
        )
        assert (dn[:, ~valid] == 0).all()
        bounds = file.bounds
    with rasterio.open(tmp_path / "town" / "image.tif") as file:
        assert file.bounds == bounds
        np.testing.assert_array_equal(
            np.moveaxis(file.read(), 0, -1), scene.image
        )
    with rasterio.open(tmp_path / "town" / "truth.tif") as file:
        building, transform = file.read(1), file.transform
    path = str(tmp_path / "town" / "buildings.geojson")
    assert "32631" in pyogrio.read_info(path)["crs"]
    import shapely
    from rasterio.features import rasterize

    shapes = shapely.from_wkb(pyogrio.raw.read(path)[2])
    burnt = rasterize(
        [(s, 1) for s in shapes], building.shape, transform=transform
    )
    overlap = np.minimum(burnt, building).sum()
    assert overlap / np.maximum(burnt, building).sum() > 0.95


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": ""}, "--output=DIR for records or --town_geotiffs"),
        ({"labelled_share": 1.5}, "--labelled_share=1.5 must lie in 0..1"),
        ({"frames": 0}, "--frames=0 must be at least 1"),
        ({"tile_px": 7}, "--tile_px=7 even"),
        ({"seed": -1}, "--seed=-1 must be at least 0"),
        ({"styles": ("moon",)}, "no style moon; there are grid_suburb"),
        (
            {"train_scenes": 0, "validation_scenes": 0, "test_scenes": 0},
            "scenes wanted",
        ),
    ],
)
def test_flags_that_make_no_sense_are_refused(changes, message, tmp_path):
    values = {"output": str(tmp_path / "w")} | changes
    with pytest.raises(ConfigError, match=message):
        run(Config(**values))
    assert not list(tmp_path.iterdir())
