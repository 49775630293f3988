import numpy as np

from data_prep.diagnosis.record_labels import LabelCounter


def _record(key, *, valid=1, building=0, shown=None):
    side = np.ones((4, 5), np.uint8)
    house = side * 0
    house[0, :building] = 1
    record = {
        "key": key.encode(),
        "label": {
            "valid": side * valid,
            "building": house * valid,
            "road": house * valid,
            "centroid_density": (house * valid / 4).astype(np.float16),
        },
    }
    if shown is not None:
        record["image"] = {"valid": shown}
    return record


def test_shares_are_of_labelled_pixels():
    counter = LabelCounter()
    counter.add(_record("a", building=4))
    counter.add(_record("b", valid=0))
    counter.add(_record("c"))
    facts = counter.facts()
    assert facts.records == 3
    assert facts.labelled_share == 40 / 60
    assert facts.building_share == facts.road_share == 4 / 40
    assert facts.buildings == 1.0
    assert facts.unlabelled == ("b",)
    assert facts.no_building == ("c",)
    assert facts.unlabelled_image == ()


def test_labels_where_the_image_shows_nothing_are_named():
    dark = np.ones((4, 5), np.uint8)
    dark[:1] = 0
    counter = LabelCounter()
    counter.add(_record("a", shown=np.ones((4, 5), np.uint8)))
    counter.add(_record("b", shown=dark))
    assert counter.facts().unlabelled_image == ("b",)


def test_records_without_labels_have_no_facts():
    counter = LabelCounter()
    counter.add({"key": b"a"})
    assert counter.facts() is None


def test_only_the_groups_that_are_there_are_counted():
    record = _record("a", building=2)
    del record["label"]["road"], record["label"]["centroid_density"]
    counter = LabelCounter()
    counter.add(record)
    assert counter.facts().road_share is None
    assert counter.facts().buildings is None
