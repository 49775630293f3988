"""Answers become records: each number against the server's closed forms."""

import json
import math

import numpy as np
import pytest

from data_prep.earth_engine.layers import VIEW_UNKNOWN
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records import assemble
from data_prep.earth_engine.records.assemble import make_example
from data_prep.earth_engine.records.assemble import make_spec
from s2distill.errors import AnswerError
from tests.earth_engine_server import world
from tests.earth_engine_server.place_answers import ask
from tests.earth_engine_server.place_answers import edit
from tests.earth_engine_server.place_answers import pixel_positions

BANDS = ("B8", "B2", "B12")
STACK = {"bands": BANDS, "frames_before": 2, "frames_after": 3}
IMAGE = {**STACK, "image": "i", "min_image_share": 0.1}
VIEW = {**IMAGE, "view_angle_property": "a"}
LABELS = {**IMAGE, "buildings": "b", "height_property": "h", "roads": "r"}
WEAK = {**STACK, "weak_labels": "w"}
FULL = {**LABELS, **WEAK, **VIEW}
PLACE = place_at("EPSG:32616", 14_401, 66_724, 5)
PLACES = [PLACE, place_at("EPSG:32719", 6_913, 125_983, 4)]
FINE_X_Y = pixel_positions(PLACE.grid.refined(20))
ROWS, COLS = np.mgrid[0:100, 0:100]  # of the fine layer of PLACE


def _make(asked, layer="fine", place=PLACE, frames_missing=1, **bands):
    """The record of the server's answers, of which some bands are changed."""
    recipe = Recipe(**asked)
    answers = ask(place, recipe, frames_missing)
    if bands:
        changes = {
            name: change if callable(change) else (lambda _, to=change: to)
            for name, change in bands.items()
        }
        answers = edit(answers, layer, **changes)
    return make_example(place, recipe, answers)


def _facts(example):
    return json.loads(example["meta"]["provenance"])


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.key)
def test_frames_hold_what_belongs_at_each_pixel(place):
    stack = _make(STACK, place=place)["s2"]
    x_y = pixel_positions(place.grid)
    assert stack["image"].shape == (4, place.tile_px, place.tile_px, 3)
    assert (stack["image"].dtype, stack["valid"].dtype) == ("uint16", "uint8")
    for frame in range(4):
        valid = world.frame_values(frame, "valid", *x_y)
        np.testing.assert_array_equal(stack["valid"][frame], valid)
        for number, band in enumerate(BANDS):
            dn = world.frame_values(frame, band, *x_y)
            np.testing.assert_array_equal(
                stack["image"][frame, ..., number], np.where(valid, dn, 0)
            )
    # Every fifth day from 2020-01-01 on, a second later each time.
    times = [1_577_836_800 + 432_000 * n + 39_000 + n for n in range(4)]
    np.testing.assert_array_equal(stack["time_utc_s"], times)
    assert stack["time_utc_s"].dtype == np.int64
    assert 0 < stack["valid"].mean() < 1


def test_a_record_says_where_it_lies_and_what_its_numbers_are():
    example = _make(STACK)
    assert set(example) == {"key", "s2", "meta"}
    assert example["key"] == "utm16n-720050-3336250"
    meta = example["meta"]
    wanted = [10, 0, 720_050, 0, -10, 3_336_250]
    np.testing.assert_array_equal(meta["transform"], wanted)
    assert meta["transform"].dtype == np.float64
    assert (meta["crs"], meta["product_level"]) == ("EPSG:32616", "L2A")
    assert (meta["quantification_dn"], meta["offset_dn"]) == (10_000, 0)
    frames = [
        {"orbit": n + 1, "baseline": 4 + n / 100, "clear_score": 0.9 - n / 100}
        for n in range(4)
    ]
    assert _facts(example) == {"source": "Earth Engine", "frames": frames}


def test_frames_on_which_nothing_is_valid_are_left_out():
    example = _make(STACK, "s2", f00_valid=0, f02_valid=0)
    whole = _make(STACK)["s2"]
    for name, values in example["s2"].items():
        np.testing.assert_array_equal(values, whole[name][[1, 3]])
    assert [frame["orbit"] for frame in _facts(example)["frames"]] == [2, 4]


def test_one_valid_pixel_keeps_a_frame():
    one = np.arange(25).reshape(5, 5) == 7
    nothing = {f"f0{n}_valid": 0 for n in range(4)}
    stack = _make(STACK, "s2", frames_missing=0, **nothing, f04_valid=one)["s2"]
    assert stack["image"].shape == (1, 5, 5, 3)
    np.testing.assert_array_equal(stack["valid"], one[None])
    np.testing.assert_array_equal(stack["image"].any(axis=-1), one[None])


@pytest.mark.parametrize(
    "name", ["day", "second", "orbit", "baseline", "score"]
)
def test_a_frame_that_says_two_things_is_no_frame(name):
    def change_one(plane):
        plane[3, 4] += 1
        return plane

    low = world.frame_values(3, name, 0, 0)
    with pytest.raises(
        AnswerError,
        match=f"{PLACE.key}: the {name} of a frame .* {low} to {low + 1};",
    ):
        _make(STACK, "s2", **{f"f03_{name}": change_one})


def test_the_image_is_that_of_its_place_and_black_where_it_shows_nothing():
    valid = COLS % 7 < 3
    example = _make(IMAGE, image_valid=valid)
    image = example["image"]
    assert set(image) == {"rgb", "valid"}
    assert (image["rgb"].dtype, image["valid"].dtype) == ("uint8", "uint8")
    np.testing.assert_array_equal(image["valid"], valid)
    for number, name in enumerate(("red", "green", "blue")):
        wanted = world.fine_values(name, *FINE_X_Y) * valid
        np.testing.assert_array_equal(image["rgb"][..., number], wanted)
    assert _facts(example)["image_days_since_1970"] == [world.IMAGE_DAY]


def test_all_days_of_an_image_are_named_and_no_day_is_none():
    example = _make(IMAGE, image_day=COLS // 25 * 1_000, image_valid=COLS < 75)
    assert _facts(example)["image_days_since_1970"] == [1_000, 2_000]


@pytest.mark.parametrize(
    ("columns", "least", "is_kept"),
    [
        (50, 0.5, True),
        (49, 0.5, False),
        (100, 1.0, True),
        (99, 1.0, False),
        (1, 0.0, True),
        (0, 0.0, False),
    ],
)
def test_an_image_shows_its_share_of_the_place_or_there_is_no_record(
    columns, least, is_kept
):
    example = _make(
        {**IMAGE, "min_image_share": least}, image_valid=columns > COLS
    )
    assert (
        isinstance(example, dict)
        if is_kept
        else (example == "outside the image")
    )


@pytest.mark.parametrize(
    ("bands", "angle_deg", "azimuth_deg"),
    [
        ({}, 12.5, 90.0),
        ({"view_azimuth": VIEW_UNKNOWN}, 12.5, math.nan),
        (
            {"view_angle": VIEW_UNKNOWN, "view_azimuth": VIEW_UNKNOWN},
            math.nan,
            math.nan,
        ),
        # Pixels that show nothing have no say.
        (
            {
                "image_valid": COLS < 20,
                "view_angle": np.where(COLS < 20, 700, 0),
            },
            7.0,
            90.0,
        ),
    ],
    ids=["known", "no azimuth", "none", "outside"],
)
def test_the_view_is_in_degrees_and_nan_where_nobody_knows_it(
    bands, angle_deg, azimuth_deg
):
    image = _make(VIEW, **bands)["image"]
    for name, wanted in (("angle", angle_deg), ("azimuth", azimuth_deg)):
        found = image[f"view_{name}_deg"]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, np.float32(wanted))


@pytest.mark.parametrize(
    ("columns", "angle_deg", "azimuth_deg"),
    [(40, 25.0, 359.0), (60, 3.0, 1.0), (50, 3.0, 1.0)],
)
def test_of_two_images_the_view_is_that_of_the_larger_part(
    columns, angle_deg, azimuth_deg
):
    # Halfway between 359 and 1 degrees lies 180, where no roof leans.
    image = _make(
        VIEW,
        view_angle=np.where(columns > COLS, 300, 2_500),
        view_azimuth=np.where(columns > COLS, 100, 35_900),
    )["image"]
    assert image["view_angle_deg"] == np.float32(angle_deg)
    assert image["view_azimuth_deg"] == np.float32(azimuth_deg)


def test_labels_are_those_of_their_place_where_both_image_and_labels_are():
    label = _make(LABELS, labelled=ROWS < 70, image_valid=COLS >= 15)["label"]
    valid = (ROWS < 70) & (COLS >= 15)
    np.testing.assert_array_equal(label["valid"], valid)
    for name in ("building", "road"):
        wanted = world.fine_values(name, *FINE_X_Y)
        assert (wanted & valid).any()
        assert (wanted & ~valid).any()
        np.testing.assert_array_equal(label[name], wanted & valid)
        assert label[name].dtype == np.uint8
    planes = {"building", "road", "centroid_density", "height_m"}
    assert set(label) == {"valid", *planes}


def test_heights_are_unknown_0_or_a_number():
    def forget(height):
        return np.where((COLS >= 40) & (COLS < 60), 0, height)

    found = _make(LABELS, labelled=ROWS < 90, height=forget)["label"][
        "height_m"
    ]
    inside = world.fine_values("building", *FINE_X_Y)
    unlabelled, forgotten = ROWS >= 90, (COLS >= 40) & (COLS < 60)
    assert found.dtype == np.float16
    assert np.isnan(found[unlabelled]).all()
    assert np.isnan(found[inside & forgotten]).all()
    assert (found[~inside & ~unlabelled] == 0).all()
    known = inside & ~forgotten & ~unlabelled
    assert known.sum() > 100
    wanted_m = world.fine_values("height", *FINE_X_Y) / 100
    np.testing.assert_array_equal(found[known], wanted_m[known])


def _spread_by_hand(points, height, width):
    """Each point as a Gaussian of 1.36 m whose sum inside is 1."""
    rows, cols = np.mgrid[0:height, 0:width]
    total = np.zeros((height, width))
    for row, col in points:
        distance_m = 0.5 * np.hypot(rows - row, cols - col)
        bump = np.exp(-0.5 * (distance_m / 1.36) ** 2)
        total += bump / bump.sum()
    return total


def test_centroid_density_counts_the_buildings():
    place = place_at("EPSG:32616", 14_401, 66_725, 8)
    found = _make(LABELS, place=place)["label"]["centroid_density"]
    x_y = pixel_positions(place.grid.refined(20))
    points = np.argwhere(world.fine_values("centroids", *x_y))
    assert len(points) >= 4
    assert found.dtype == np.float16
    # float16 keeps eleven bits of each of some 400 pixels of a building.
    total = found.astype(float).sum()
    assert total == pytest.approx(len(points), rel=2e-4)
    # Beyond four sigma nothing is spread: 6e-5 of the mass, over all pixels.
    by_hand = _spread_by_hand(points, 160, 160)
    np.testing.assert_allclose(found, by_hand, atol=2e-5)


def test_two_centroids_in_one_pixel_and_one_in_a_corner_count_as_three():
    counts = np.zeros((100, 100), np.uint8)
    counts[40, 70], counts[0, 99] = 2, 1
    found = _make(LABELS, centroids=counts)["label"]["centroid_density"]
    found = found.astype(float)
    assert found[20:60, 50:90].sum() == pytest.approx(2, rel=2e-4)
    assert found[:20, 80:].sum() == pytest.approx(1, rel=2e-4)
    assert found.sum() == pytest.approx(3, rel=2e-4)
    assert np.unravel_index(found.argmax(), found.shape) == (0, 99)


def test_there_is_no_density_without_buildings_nor_outside_of_the_labels():
    none = _make(LABELS, centroids=0)["label"]
    assert none["valid"].all()
    assert not none["centroid_density"].any()
    half = _make(LABELS, labelled=COLS < 50, centroids=ROWS + COLS == 99)
    found = half["label"]["centroid_density"]
    assert not found[:, 50:].any()
    assert found[:, :50].any()


def test_weak_labels_are_the_answers_of_a_teacher():
    valid = ROWS % 3 > 0
    example = _make(WEAK, weak_valid=valid)
    assert set(example) == {"key", "s2", "teacher", "meta"}
    teacher = example["teacher"]
    np.testing.assert_array_equal(teacher["valid"], valid)
    scales = {
        "building_probs": ("weak_presence", 1 / 255),
        "centroid_density": ("weak_count", 1e-6),
        "height_m": ("weak_height", 0.01),
    }
    assert set(teacher) == {"valid", *scales}
    for name, (band, scale) in scales.items():
        wanted = np.where(valid, world.fine_values(band, *FINE_X_Y) * scale, 0)
        assert wanted.any()
        assert teacher[name].dtype == np.float16
        # Eleven bits; below 6e-5 steps of 6e-8.
        np.testing.assert_allclose(teacher[name], wanted, rtol=5e-4, atol=3e-8)


@pytest.mark.parametrize(
    ("asked", "band", "reason"),
    [
        (IMAGE, "image_valid", "outside the image"),
        (LABELS, "labelled", "no labelled ground"),
        (WEAK, "weak_valid", "no weak labels"),
    ],
)
def test_a_place_without_what_was_asked_for_says_why(asked, band, reason):
    assert _make(asked, **{band: 0}) == reason
    assert isinstance(_make(asked), dict)


def test_a_place_without_a_valid_frame_says_so():
    assert _make(STACK, frames_missing=5) == "no valid frame"


def test_reasons_can_be_told_apart():
    names = [name for name in dir(assemble) if name.isupper()]
    values = [getattr(assemble, name) for name in names]
    reasons = [value for value in values if isinstance(value, str)]
    assert len(reasons) == len(set(reasons)) == 5


def _check_same(one, two):
    if not isinstance(one, dict):
        one = one.encode() if isinstance(one, str) else one
        np.testing.assert_array_equal(two, one)
        return
    assert set(one) == set(two)
    for name in one:
        _check_same(one[name], two[name])


@pytest.mark.parametrize(
    "asked",
    [STACK, IMAGE, LABELS, WEAK, FULL, {**FULL, "height_property": ""}],
    ids=["stack", "image", "labels", "weak", "full", "without heights"],
)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.key)
def test_a_record_is_what_its_specification_says(asked, place):
    from s2distill.data.record_serializer import RecordSerializer

    recipe = Recipe(**asked)
    spec = make_spec(recipe, place.tile_px)
    assert spec.fields == recipe.record_fields
    assert spec.label_px == 20 * place.tile_px
    example = _make(asked, place=place)
    serializer = RecordSerializer(spec)
    read = serializer.features.deserialize_example_np
    _check_same(example, read(serializer.serialize(example)))


def test_records_of_the_top_of_the_atmosphere_say_so():
    asked = {"bands": ("B2", "B10"), "product_level": "L1C"}
    spec = make_spec(Recipe(**asked), 4)
    assert (spec.product_level, spec.bands) == ("L1C", ("B2", "B10"))
    assert (spec.quantification_dn, spec.offset_dn) == (10_000, 0)
    assert _make(asked)["meta"]["product_level"] == "L1C"


def test_weak_labels_teach_buildings_and_heights_and_no_roads():
    answers = ("building", "height")
    assert make_spec(Recipe(**WEAK), 4).teacher_answers == answers
    assert make_spec(Recipe(**LABELS), 4).teacher_answers == ()
