"""Names, types and sizes of the bands, against the server's own table."""

import pickle

import numpy as np
import pytest

from data_prep.earth_engine import layers
from data_prep.earth_engine.layers import digest_recipe
from data_prep.earth_engine.layers import frame_band
from data_prep.earth_engine.layers import make_frame_types
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server import world

IMAGE = {"image": "i"}
EVERYTHING = {
    **IMAGE,
    "view_angle_property": "a",
    "buildings": "b",
    "height_property": "h",
    "roads": "r",
    "weak_labels": "w",
}


def test_frames_stand_one_after_the_other_and_the_guard_last():
    (layer,) = make_layers(
        Recipe(bands=("B8A", "B2"), frames_before=1, frames_after=1)
    )
    assert (layer.name, layer.factor) == ("s2", 1)
    scalars = ["day", "second", "orbit", "baseline", "score"]
    frame = ["B8A", "B2", "valid", *scalars]
    assert layer.bands == (
        *(f"f00_{band}" for band in frame),
        *(f"f01_{band}" for band in frame),
        "longitude",
        "latitude",
    )
    assert list(make_frame_types(Recipe(bands=("B8A", "B2")))) == frame


def test_the_fine_layer_holds_everything_in_a_fixed_order():
    _, fine = make_layers(Recipe(**EVERYTHING))
    assert (fine.name, fine.factor) == ("fine", 20)
    wanted = (
        "red green blue image_valid image_day view_angle view_azimuth labelled "
        "building centroids height road weak_valid weak_presence weak_count "
        "weak_height longitude latitude"
    )
    assert " ".join(fine.bands) == wanted


@pytest.mark.parametrize(
    ("asked", "bands"),
    [
        (IMAGE, "red green blue image_valid image_day"),
        (
            {**IMAGE, "view_angle_property": "a"},
            "red green blue image_valid image_day view_angle view_azimuth",
        ),
        (
            {**IMAGE, "buildings": "b"},
            "red green blue image_valid image_day labelled building centroids",
        ),
        (
            {**IMAGE, "roads": "r"},
            "red green blue image_valid image_day labelled road",
        ),
        (
            {"weak_labels": "w"},
            "weak_valid weak_presence weak_count weak_height",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_a_fine_layer_holds_no_band_that_nobody_asked_for(asked, bands):
    _, fine = make_layers(Recipe(**asked))
    assert fine.bands == (*bands.split(), "longitude", "latitude")


def test_types_are_those_of_the_service():
    for layer in make_layers(Recipe(**EVERYTHING)):
        for band, kind in layer.types.items():
            assert np.dtype(kind) == np.dtype(world.band_type(band)), band
        assert layer.dtype.names == layer.bands
        assert [layer.dtype[band] for band in layer.bands] == [
            np.dtype(kind) for kind in layer.types.values()
        ]


def test_sizes_of_a_pixel_by_hand():
    stack, fine = make_layers(Recipe(**EVERYTHING))
    # Ten bands of 2 bytes, valid 1, day 2, second 4, orbit 1, baseline 2,
    # score 2, in 32 frames; longitude and latitude of 2.
    assert stack.pixel_bytes == 32 * (20 + 1 + 2 + 4 + 1 + 2 + 2) + 4 == 1028
    # Image 3 + 1 + 2, view 4, labels 1 + 2 + 2 + 1, weak 1 + 1 + 2 + 2.
    assert fine.pixel_bytes == 6 + 4 + 6 + 6 + 4


def test_every_number_is_exact_where_an_export_makes_it_a_float32():
    for layer in make_layers(Recipe(**EVERYTHING)):
        for band, kind in layer.types.items():
            high = 86_399 if band.endswith("second") else np.iinfo(kind).max
            assert int(np.float32(high)) == high
            assert int(np.float32(high - 1)) == high - 1


def test_units_are_whole_parts_that_their_types_hold():
    assert round(1 / layers.WEAK_PRESENCE) == np.iinfo(np.uint8).max
    assert 360 / layers.VIEW_DEG < layers.VIEW_UNKNOWN
    assert np.iinfo(np.uint16).max == layers.VIEW_UNKNOWN
    assert np.iinfo(np.uint16).max >= 1 / layers.FRAME_SCORE
    # The declared maximum of building_fractional_count, Earth Engine catalog.
    assert np.iinfo(np.uint16).max >= 0.0216 / layers.WEAK_COUNT


def test_names_of_99_frames_sort_as_their_numbers():
    names = [frame_band(number, "B2") for number in range(99)]
    assert names == sorted(set(names))
    assert names[3] == "f03_B2"
    assert names[98] == "f98_B2"


def test_a_layer_travels_to_workers():
    stack, fine = make_layers(Recipe(**EVERYTHING))
    assert stack.pixel_bytes
    assert fine.dtype
    for layer in (stack, fine):
        again = pickle.loads(pickle.dumps(layer))
        assert again == layer
        assert again.dtype == layer.dtype


def test_recipes_with_other_answers_have_another_word():
    words = [
        digest_recipe(recipe)
        for recipe in (
            Recipe(),
            Recipe(frames_after=15),
            Recipe(bands=("B2",)),
            Recipe(window_days=30),
        )
    ]
    assert len(set(words)) == len(words)


def test_what_is_not_asked_for_does_not_change_the_word():
    from data_prep.earth_engine.export_config import ExportConfig

    word = digest_recipe(Recipe())
    assert digest_recipe(Recipe(min_image_share=0.1)) == word
    assert digest_recipe(ExportConfig(places="p", output="o")) == word
