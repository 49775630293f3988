"""Which places are asked for."""

import pytest

from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from data_prep.earth_engine.places.wanted_places import list_wanted
from data_prep.earth_engine.places.wanted_places import read_wanted
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import TIGER_ROADS
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import ConfigError

FRAMES = Recipe()
LABELS = Recipe(image=NAIP, roads=TIGER_ROADS)


def _place(col, split, date=""):
    return place_at("EPSG:32616", col, 30_000, 8, split=split, date=date)


TRAIN, TEST = _place(6_000, "train"), _place(6_900, "test", "2020-03-01")


def test_what_is_held_out_is_asked_for_only_with_labels():
    assert list_wanted([TEST, TRAIN], FRAMES) == ([TRAIN], [TEST])
    assert list_wanted([TEST, TRAIN], LABELS) == ([TEST, TRAIN], [])


def test_wanted_places_are_read_with_their_dates(tmp_path):
    path = tmp_path / "places.geojson"
    write_places(path, [TRAIN, TEST], split_rule=None)
    assert read_wanted(str(path), LABELS, "2021-01-01") == [TRAIN, TEST]


def test_a_place_without_a_date_is_named(tmp_path):
    path = tmp_path / "places.geojson"
    write_places(path, [TEST, TRAIN], split_rule=None)
    message = rf"1 places of .* have no date .*{TRAIN.key}.*--date="
    with pytest.raises(ConfigError, match=message):
        read_wanted(str(path), LABELS, "")


def test_a_file_of_places_that_nothing_scores_is_refused(tmp_path):
    path = tmp_path / "places.geojson"
    write_places(path, [TEST], split_rule=None)
    with pytest.raises(ConfigError, match="has no place to ask for: all are"):
        read_wanted(str(path), FRAMES, "2021-01-01")
