import dataclasses

import pytest

from data_prep.diagnosis.record_findings import find_record_faults
from data_prep.diagnosis.subject import Footprint
from data_prep.diagnosis.subject import LabelFacts
from data_prep.diagnosis.subject import RecordFacts
from data_prep.diagnosis.subject import Subject

LABELS = LabelFacts(
    records=10,
    labelled_share=1.0,
    building_share=0.2,
    road_share=0.1,
    buildings=90.0,
    unlabelled=(),
    no_building=(),
    unlabelled_image=(),
)


def _tile(key, split, left):
    bounds = (left, 0.0, left + 320.0, 320.0)
    return Footprint(key=key, split=split, crs="EPSG:32631", bounds=bounds)


FACTS = RecordFacts(
    directories=("set",),
    fields=("image", "building"),
    tile_px=(32,),
    label_factor=20,
    counts={"train": 2, "validation": 1, "test": 1},
    split_rule={"gap_m": 100.0},
    footprints=(
        _tile("a", "train", 0.0),
        _tile("b", "train", 320.0),
        _tile("c", "validation", 1000.0),
        _tile("d", "test", 2000.0),
    ),
    labels=LABELS,
    dropped={},
)


def _find(statistics="some", **changes):
    subject = Subject(
        kind="records",
        source="set",
        records=4,
        shape=(8, 32, 32, 10),
        bands=("B2",),
        places=(),
        looked_at="all",
        statistics=statistics,
        record_facts=dataclasses.replace(FACTS, **changes),
    )
    return {f.code: f for f in find_record_faults(subject)}


def test_good_records_are_silent():
    assert _find() == {}


def test_what_is_no_record_is_passed_over():
    subject = Subject(
        kind="geotiff_frames",
        source="",
        records=1,
        shape=(),
        bands=(),
        places=(),
        looked_at="",
    )
    assert list(find_record_faults(subject)) == []


@pytest.mark.parametrize(
    ("left", "rule", "touch"),
    [
        (700.0, {"gap_m": 100.0}, True),
        (760.0, {"gap_m": 100.0}, False),
        (700.0, None, False),
        (600.0, None, True),
    ],
    ids=["in the gap", "past the gap", "no rule", "on top"],
)
def test_splits_that_touch_are_an_error_that_names_both_tiles(
    left, rule, touch
):
    tiles = (_tile("a", "train", 320.0), _tile("z", "test", left))
    found = _find(footprints=tiles, split_rule=rule)
    assert ("splits_touch" in found) == touch
    if touch:
        assert found["splits_touch"].severity == "error"
        assert "train tile a and test tile z" in found["splits_touch"].message
    assert ("split_by_hand" in found) == (rule is None)


def test_a_key_in_two_folders_is_a_warning():
    tiles = (_tile("a", "train", 0.0), _tile("a", "train", 5000.0))
    assert _find(footprints=tiles)["duplicate_key"].where == ("a",)


def test_missing_statistics_are_a_warning():
    assert _find(statistics=None)["no_statistics"].severity == "warning"


def test_two_tile_sizes_are_a_warning():
    assert "16 and 32 px" in _find(tile_px=(16, 32))["tile_sizes"].message


def test_a_labelled_set_without_test_split_is_a_note():
    counts = {"train": 4, "validation": 2, "test": 0}
    assert _find(counts=counts)["empty_split"].severity == "note"
    assert _find(counts=counts, fields=("image",)) == {}


@pytest.mark.parametrize(
    ("labels", "code", "severity"),
    [
        ({"building_share": 0.0005}, "rare_buildings", "warning"),
        ({"no_building": ("a",)}, "no_building", "note"),
        ({"unlabelled": ("a",)}, "unlabelled", "note"),
        ({"unlabelled": tuple("abcdef")}, "unlabelled", "warning"),
        ({"unlabelled_image": ("a",)}, "label_without_image", "warning"),
    ],
)
def test_labels_that_teach_little_are_told(labels, code, severity):
    found = _find(labels=dataclasses.replace(LABELS, **labels))
    assert {c: f.severity for c, f in found.items()} == {code: severity}
