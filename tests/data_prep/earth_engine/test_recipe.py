import dataclasses

import pytest

from data_prep.earth_engine.recipe import OPEN_BUILDINGS
from data_prep.earth_engine.recipe import OPEN_BUILDINGS_TEMPORAL
from data_prep.earth_engine.recipe import S2_COLLECTIONS
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.recipe import check_recipe
from s2distill.data.bands import DEFAULT_BANDS
from s2distill.data.schema import OPTIONAL_FIELDS
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.flag_config import parse_config

NAN = float("nan")
IMAGE = {"image": "USDA/NAIP/DOQQ"}
HOUSES = {**IMAGE, "buildings": OPEN_BUILDINGS}
ROADS = {**IMAGE, "roads": "TIGER/2016/Roads"}


def test_the_default_recipe_is_a_stack_of_frames_alone():
    recipe = Recipe()
    check_recipe(recipe)
    assert recipe.frames == 32
    assert recipe.bands == DEFAULT_BANDS
    assert recipe.record_fields == ()
    assert recipe.label_fields == ()


def test_collections_are_those_without_the_offset():
    assert set(S2_COLLECTIONS) == {"L1C", "L2A"}
    assert all(name.endswith("_HARMONIZED") for name in S2_COLLECTIONS.values())
    assert "SR" in S2_COLLECTIONS["L2A"]
    assert "SR" not in S2_COLLECTIONS["L1C"]


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        (IMAGE, ("image",)),
        ({**IMAGE, "view_angle_property": "tilt"}, ("image", "view")),
        (HOUSES, ("image", "building")),
        (ROADS, ("image", "road")),
        ({**HOUSES, "height_property": "h"}, ("image", "building", "height")),
        ({"weak_labels": OPEN_BUILDINGS_TEMPORAL}, ("teacher",)),
        (
            {
                **HOUSES,
                **ROADS,
                "view_angle_property": "tilt",
                "height_property": "h",
                "weak_labels": OPEN_BUILDINGS_TEMPORAL,
            },
            ("image", "view", "building", "road", "height", "teacher"),
        ),
    ],
    ids=lambda value: "+".join(value),
)
def test_records_hold_what_is_asked_for_in_the_order_of_the_schema(
    asked, fields
):
    recipe = Recipe(**asked)
    check_recipe(recipe)
    assert recipe.record_fields == fields
    assert fields == tuple(f for f in OPTIONAL_FIELDS if f in fields)
    assert recipe.label_fields == tuple(
        f for f in fields if f in ("building", "road", "height")
    )


@pytest.mark.parametrize(
    ("before", "after"), [(1, 0), (0, 1), (99, 0), (50, 49)]
)
def test_1_to_99_frames_can_be_had(before, after):
    check_recipe(Recipe(frames_before=before, frames_after=after))


@pytest.mark.parametrize(("before", "after"), [(0, 0), (50, 50), (100, 0)])
def test_other_numbers_of_frames_are_refused(before, after):
    with pytest.raises(
        ConfigError,
        match=f"--frames_before={before} and --frames_after={after} ask for "
        f"{before + after} frames; 1 to 99",
    ):
        check_recipe(Recipe(frames_before=before, frames_after=after))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames_before": -1}, "--frames_before=-1 must be at least 0"),
        ({"frames_after": -2}, "--frames_after=-2 must be at least 0"),
        ({"window_days": 0}, "--window_days=0 must be at least 1"),
        ({"image_window_days": 0}, "--image_window_days=0 must be at least 1"),
        ({"road_width_m": -0.5}, "--road_width_m=-0.5 must be at least 0"),
        ({"road_width_m": NAN}, "--road_width_m=nan must be at least 0"),
        ({"clear_threshold": 1.1}, "--clear_threshold=1.1 must be within 0..1"),
        ({"min_frame_score": -0.1}, "--min_frame_score=-0.1 must be within"),
        ({"min_image_share": 50.0}, "--min_image_share=50.0 must be within"),
        ({"clear_threshold": NAN}, "--clear_threshold=nan must be within"),
        (
            {"building_filter_min": NAN},
            "--building_filter_min=nan is no number",
        ),
        ({"height_property": "h"}, "--height_property=h needs --buildings"),
        (
            {"building_filter_property": "confidence"},
            "--building_filter_property=confidence needs --buildings",
        ),
        (
            {"road_width_property": "width"},
            "--road_width_property=width needs --roads",
        ),
        (
            {**ROADS, "road_width_property": "width", "road_width_m": 0.0},
            "--road_width_property=width with --road_width_m=0",
        ),
        ({"view_angle_property": "a"}, "--view_angle_property=a needs --image"),
        (
            {**IMAGE, "view_azimuth_property": "a"},
            "--view_azimuth_property=a needs --view_angle_property",
        ),
        ({"buildings": "b"}, "--buildings or --roads without --image"),
        ({"roads": "r"}, "--buildings or --roads without --image"),
        (
            {**IMAGE, "labels_area": "area"},
            "--labels_area=area without --buildings or --roads",
        ),
        ({"image_bands": ("N",)}, "--image_bands=N: three are needed"),
        ({"image_bands": ("R", "G", "B", "N")}, "--image_bands=R,G,B,N: three"),
        ({"image_range": ("0",)}, "--image_range=0: two numbers"),
        ({"image_range": ("0", "1", "2")}, "--image_range=0,1,2: two numbers"),
        ({"image_range": ("a", "b")}, "--image_range=a,b: two numbers"),
        ({"image_range": ("9", "9")}, "--image_range=9,9: two numbers"),
        ({"image_range": ("255", "0")}, "--image_range=255,0: two numbers"),
        ({"image_range": ("0", "nan")}, "--image_range=0,nan: two numbers"),
        ({"image_range": ("0", "inf")}, "--image_range=0,inf: two numbers"),
        ({"image_range": ()}, "--image_range=: two numbers"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_flags_that_make_no_sense_are_refused_by_name(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        check_recipe(Recipe(**changes))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bands": ("B2", "B99")}, "B99"),
        ({"bands": ("B2", "B2")}, "B2"),
        ({"bands": ()}, "band"),
        ({"bands": ("B2", "B10")}, "--bands has B10, which surface"),
    ],
)
def test_bands_that_cannot_be_had_are_refused(changes, message):
    with pytest.raises(BandError, match=message):
        check_recipe(Recipe(**changes))


def test_the_cirrus_band_can_be_had_of_the_top_of_the_atmosphere():
    check_recipe(Recipe(bands=("B2", "B10"), product_level="L1C"))


def test_a_grey_image_may_name_one_band_thrice():
    check_recipe(Recipe(**IMAGE, image_bands=("P", "P", "P")))


def test_the_range_of_an_image_is_two_numbers():
    recipe = Recipe(image_range=("-200.5", "3e3"))
    check_recipe(recipe)
    assert recipe.image_range_dn == (-200.5, 3000.0)


def test_every_flag_is_read_from_a_flagfile(tmp_path):
    flagfile = tmp_path / "recipe.flags"
    flagfile.write_text(
        "--bands=B2,B8\n--image_range=200,3000\n--frames_around=place\n"
        "--roads=TIGER/2016/Roads\n--image=USDA/NAIP/DOQQ\n--road_width_m=0\n"
    )
    recipe = parse_config(Recipe, ["program", f"--flagfile={flagfile}"])
    check_recipe(recipe)
    assert recipe == dataclasses.replace(
        Recipe(),
        bands=("B2", "B8"),
        image_range=("200", "3000"),
        frames_around="place",
        roads="TIGER/2016/Roads",
        image="USDA/NAIP/DOQQ",
        road_width_m=0.0,
    )
