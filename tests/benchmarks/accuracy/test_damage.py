import itertools
import json
import zlib

import numpy as np
import pytest
import scipy.ndimage

from benchmarks.accuracy.damage import draw_shift_px
from benchmarks.accuracy.damage import shift_labels
from benchmarks.accuracy.damage import spoil_labels
from benchmarks.accuracy.label_buildings import find_buildings
from data_prep.simulate import Config
from data_prep.simulate import run
from s2distill.data.folders import read_records
from s2distill.errors import ConfigError
from s2distill.errors import OutputError
from s2distill.errors import RecordError

_SHARE = 0.3


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Five labelled train tiles of 140 m, one of validation, one of test."""
    folder = tmp_path_factory.mktemp("world")
    run(
        Config(
            output=str(folder),
            train_scenes=6,
            validation_scenes=1,
            test_scenes=1,
            labelled_share=5 / 6,
            tile_px=14,
            frames=2,
            bands=("B2", "B8"),
            styles=("grid_suburb", "terraced_town"),
            seed=2,
            workers=1,
        )
    )
    return folder


@pytest.fixture(scope="module")
def spoiled(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoiled") / "labelled"
    return folder, spoil_labels(world / "labelled", folder, _SHARE, 7)


@pytest.fixture(scope="module")
def shifted(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shifted") / "labelled"
    return folder, shift_labels(world / "labelled", folder, 3.0, 7)


def _pairs(world, folder):
    """Each train record before and after."""
    return zip(
        read_records(world / "labelled", "train"),
        read_records(folder, "train"),
        strict=True,
    )


def _count(folder):
    """Buildings that the density of the train split holds."""
    return sum(
        record["label"]["centroid_density"].astype(float).sum()
        for record in read_records(folder, "train")
    )


@pytest.mark.parametrize("damage", ["spoiled", "shifted"])
def test_only_labels_of_the_train_split_change(world, damage, request):
    import tensorflow_datasets as tfds

    folder, _ = request.getfixturevalue(damage)
    source = world / "labelled"
    names = {path.name for path in source.iterdir()}
    assert {path.name for path in folder.iterdir()} == names
    kept = [n for n in names if "-validation" in n or "-test" in n]
    assert len(kept) == 2
    for name in [*kept, "statistics.json", "features.json"]:
        assert (folder / name).read_bytes() == (source / name).read_bytes()
    for before, after in _pairs(world, folder):
        assert before.keys() == after.keys()
        for group in before.keys() - {"label", "key"}:
            for name, value in before[group].items():
                np.testing.assert_array_equal(after[group][name], value)
        assert before["key"] == after["key"]
        assert before["label"].keys() == after["label"].keys()
        assert (before["label"]["building"] != after["label"]["building"]).any()
    splits = tfds.builder_from_directory(str(folder)).info.splits
    assert {name: split.num_examples for name, split in splits.items()} == {
        "train": 5,
        "validation": 1,
        "test": 1,
    }


def test_the_manifest_says_what_was_done_and_to_what(world, spoiled):
    before, after = (
        json.loads((folder / "records.json").read_text())
        for folder in (world / "labelled", spoiled[0])
    )
    assert after["provenance"] == {
        "damage": "spoiled labels",
        "share": _SHARE,
        "seed": 7,
        "source": before["provenance"],
    }
    for name in ("spec", "split_rule", "dropped"):
        assert before[name] == after[name]


def test_half_of_the_spoiled_buildings_are_missing_half_invented(
    world, spoiled
):
    folder, counts = spoiled
    buildings = sum(
        json.loads(record["meta"]["provenance"])["buildings"]
        for record in read_records(folder, "train")
    )
    assert counts.buildings == buildings > 30
    assert counts.missing + counts.invented + counts.without_room == round(
        _SHARE * buildings
    )
    assert 0 <= counts.missing - counts.invented - counts.without_room <= 1
    assert counts.invented > 3
    assert _count(folder) == pytest.approx(
        buildings - counts.missing + counts.invented, abs=0.05
    )


def test_nothing_of_a_missing_building_is_left(world, spoiled):
    for before, after in _pairs(world, spoiled[0]):
        gone = (before["label"]["building"] > 0) & (
            after["label"]["building"] == 0
        )
        assert (after["label"]["height_m"][gone] == 0).all()
        where, number = scipy.ndimage.label(gone)
        for piece in range(1, number + 1):
            inside = where == piece
            assert inside.sum() >= 10  # whole houses, no splinters
            assert after["label"]["centroid_density"][inside].sum() < 0.05


def test_invented_buildings_are_twins_on_free_ground(world, spoiled):
    number = 0
    for before, after in _pairs(world, spoiled[0]):
        old, new = before["label"], after["label"]
        found = find_buildings(old["building"], old["centroid_density"], 0.5)
        footprints = [found.footprint(n + 1) for n in range(found.count)]
        shapes = {(shape.shape, shape.tobytes()) for shape in footprints}
        added = (new["building"] > 0) & (old["building"] == 0)
        near = scipy.ndimage.binary_dilation(
            (old["building"] > 0) | (old["road"] > 0), iterations=2
        )
        assert not (added & near).any()
        pieces, count = scipy.ndimage.label(added, np.ones((3, 3)))
        for piece, where in enumerate(scipy.ndimage.find_objects(pieces), 1):
            inside = pieces[where] == piece
            assert (inside.shape, inside.tobytes()) in shapes
            assert new["height_m"][where][inside].min() > 2
            density = new["centroid_density"][where].astype(float)
            assert density.sum() > 0.8
        number += count
        np.testing.assert_array_equal(new["road"], old["road"])
        np.testing.assert_array_equal(new["valid"], old["valid"])
    assert number == spoiled[1].invented


def test_the_seed_decides_what_is_spoiled(world, spoiled, tmp_path):
    for seed, is_same in ((7, True), (8, False)):
        folder = tmp_path / str(seed)
        spoil_labels(world / "labelled", folder, _SHARE, seed)
        for name in (path.name for path in folder.glob("*-train.*")):
            same = (folder / name).read_bytes() == (
                spoiled[0] / name
            ).read_bytes()
            assert same == is_same


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all_can_be_spoiled(world, tmp_path, share):
    counts = spoil_labels(world / "labelled", tmp_path / "out", share, 0)
    half = share * counts.buildings / 2
    assert counts.missing == np.ceil(half)
    assert counts.invented + counts.without_room == np.floor(half)
    left = counts.buildings - counts.missing + counts.invented
    assert _count(tmp_path / "out") == pytest.approx(left, abs=0.2)
    if share == 0:
        for before, after in _pairs(world, tmp_path / "out"):
            for name, plane in before["label"].items():
                np.testing.assert_array_equal(after["label"][name], plane)


def _find_shift_px(before, after):
    """The one shift in reach after which all seen pixels are the same."""
    found = []
    for rows, cols in itertools.product(range(-6, 7), repeat=2):
        moved = np.roll(before, (rows, cols), (0, 1))[6:-6, 6:-6]
        if np.array_equal(moved, after[6:-6, 6:-6]):
            found.append((rows, cols))
    assert len(found) == 1
    return found[0]


def test_all_labels_of_a_tile_move_together(world, shifted):
    folder, counts = shifted
    shifts = []
    for before, after in _pairs(world, folder):
        rows, cols = _find_shift_px(
            before["label"]["building"], after["label"]["building"]
        )
        shifts.append((rows, cols))
        valid = np.ones_like(after["label"]["valid"])
        valid[: max(rows, 0)] = valid[valid.shape[0] + min(rows, 0) :] = 0
        valid[:, : max(cols, 0)] = 0
        valid[:, valid.shape[1] + min(cols, 0) :] = 0
        np.testing.assert_array_equal(after["label"]["valid"], valid)
        outside = {"height_m": np.nan}
        for name in before["label"].keys() - {"valid"}:
            plane = np.roll(before["label"][name], (rows, cols), (0, 1))
            plane[valid == 0] = outside.get(name, 0)
            np.testing.assert_array_equal(after["label"][name], plane)
    assert len(set(shifts)) > 3
    lengths_m = 0.5 * np.hypot(*np.transpose(shifts))
    assert lengths_m.max() <= 3
    assert counts.tiles == 5
    assert counts.mean_shift_m == pytest.approx(lengths_m.mean())


def test_a_tile_moves_alike_wherever_it_stands(world, shifted):
    before, after = next(_pairs(world, shifted[0]))
    rng = np.random.default_rng([7, zlib.crc32(before["key"].encode())])
    assert draw_shift_px(6.0, rng) == _find_shift_px(
        before["label"]["building"], after["label"]["building"]
    )


def test_shifts_fill_the_circle_evenly():
    rng = np.random.default_rng(0)
    drawn = np.array([draw_shift_px(3.2, rng) for _ in range(3000)])
    places, counts = np.unique(drawn, axis=0, return_counts=True)
    axis = np.arange(-4, 5)
    inside = np.hypot(*np.meshgrid(axis, axis)) <= 3.2
    assert len(places) == inside.sum()
    assert np.hypot(*places.T).max() <= 3.2
    # Poisson: 3000 draws over 37 places are 81 each, give or take 9.
    assert counts.min() > 81 - 4.5 * 9
    assert counts.max() < 81 + 4.5 * 9
    assert draw_shift_px(0.4, rng) == (0, 0)


@pytest.mark.parametrize(
    ("damage", "folder", "amount", "error", "message"),
    [
        (spoil_labels, "labelled", 1.2, ConfigError, "share=1.2"),
        (shift_labels, "labelled", -1.0, ConfigError, "max_shift_m=-1.0"),
        (spoil_labels, "unlabelled", 0.1, RecordError, "only image, view"),
        (shift_labels, "unlabelled", 3.0, RecordError, "no building labels"),
    ],
)
def test_damage_that_makes_no_sense_is_refused(
    world, tmp_path, damage, folder, amount, error, message
):
    with pytest.raises(error, match=message):
        damage(world / folder, tmp_path / "out", amount, 0)
    assert not list(tmp_path.iterdir())


def test_records_without_a_train_split_are_refused(example_records, tmp_path):
    example_records(tmp_path / "in", {"test": 1}, fields=("building",))
    with pytest.raises(RecordError, match="no train split"):
        shift_labels(tmp_path / "in", tmp_path / "out", 3.0, 0)


def test_a_folder_is_replaced_only_when_told(world, spoiled, tmp_path):
    folder = tmp_path / "out"
    shift_labels(world / "labelled", folder, 3.0, 1)
    with pytest.raises(OutputError, match="exists already"):
        spoil_labels(world / "labelled", folder, _SHARE, 7)
    spoil_labels(world / "labelled", folder, _SHARE, 7, overwrite=True)
    one, other = (f / "records.json" for f in (folder, spoiled[0]))
    assert one.read_bytes() == other.read_bytes()
