import dataclasses

import numpy as np
import pytest

from data_prep.earth_engine.layers import VIEW_UNKNOWN
from data_prep.earth_engine.recipe import CLOUD_SCORE_PLUS
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import S2_COLLECTIONS
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server.small_earth.scenes import DATE_MS
from tests.earth_engine_server.small_earth.scenes import DAY_MS
from tests.earth_engine_server.small_earth.scenes import FINE_GRID
from tests.earth_engine_server.small_earth.scenes import S2_GRID
from tests.earth_engine_server.small_earth.scenes import compute_layer
from tests.earth_engine_server.small_earth.scenes import encode_layer
from tests.earth_engine_server.small_earth.scenes import make_patterned
from tests.earth_engine_server.small_earth.scenes import place_picture
from tests.earth_engine_server.small_earth.scenes import stripe
from tests.earth_engine_server.small_earth.world import World
from tests.earth_engine_server.small_earth.world import make_picture

ASSET = "projects/team/assets/photos"
RECIPE = Recipe(image=ASSET, image_window_days=100)
DATE = DATE_MS // DAY_MS
COLOURS = ("red", "green", "blue")


class Flights:
    """Images of the place, each of one day."""

    def __init__(self, asset=ASSET, grid=FINE_GRID, bands=("R", "G", "B")):
        self.asset, self.grid, self.bands = asset, grid, bands
        self.rng = np.random.default_rng(5)
        self.images = []

    def add(self, days, cols=None, *, low=1, high=256, name="m", **properties):
        """An image `days` after the date; None: it has no date.

        cols: A range of columns that it shows.
        """
        inside = np.ones((self.grid.height, self.grid.width), bool)
        if cols is not None:
            inside[:] = False
            inside[:, cols.start : cols.stop] = True
        if days is not None:
            properties["system__time_start"] = DATE_MS + round(days * DAY_MS)
        image = make_patterned(
            self.grid,
            self.rng,
            self.bands,
            low,
            high,
            inside=inside,
            system__index=f"{name}_{len(self.images)}",
            **properties,
        )
        self.images.append(image)
        return image

    def compute(self, recipe=RECIPE, seed=0, name="fine", **assets):
        found = {self.asset: self.images, **assets}
        return compute_layer(recipe, name, World(self.grid, found, seed))


def days_shown(answer):
    """Days from the date in the first row; None where nothing is shown."""
    return [
        int(day) - DATE if valid else None
        for day, valid in zip(
            answer["image_day"][0], answer["image_valid"][0], strict=True
        )
    ]


def test_the_nearest_image_that_shows_the_place_is_on_top():
    flights = Flights()
    for days in (-40, 30, -20.5, 60):
        flights.add(days)
    answer = flights.compute()
    assert set(days_shown(answer)) == {-21}
    for colour, band in zip(COLOURS, flights.bands, strict=True):
        expected = flights.images[2].values[band]
        np.testing.assert_array_equal(answer[colour], expected)


@pytest.mark.parametrize("seed", range(3))
def test_of_two_as_near_the_earlier_is_taken(seed):
    flights = Flights()
    flights.add(7)
    flights.add(-7)
    assert set(days_shown(flights.compute(seed=seed))) == {-7}


@pytest.mark.parametrize("seed", range(3))
def test_tiles_of_one_date_are_laid_side_by_side(seed):
    flights = Flights()
    left = flights.add(-30.0, range(0, 17))
    right = flights.add(-29.7, range(11, 28))
    flights.add(-1, range(0, 14))
    answer = flights.compute(seed=seed)
    assert set(days_shown(answer)) == {-30}
    red = left.values["R"].copy()
    red[:, 11:] = right.values["R"][:, 11:]
    np.testing.assert_array_equal(answer["red"], red)


def test_a_date_that_shows_more_of_the_place_goes_before_a_nearer_one():
    flights = Flights()
    flights.add(-1, range(0, 24))
    flights.add(-90)
    assert set(days_shown(flights.compute())) == {-90}


def test_a_sliver_that_is_hidden_does_not_send_a_date_back():
    flights = Flights()
    flights.add(-1)
    flights.images[0].inside[:10, 0] = False  # 10 of 560 pixels
    flights.add(-90)
    answer = flights.compute()
    assert days_shown(answer) == [-90] + [-1] * 27
    assert (answer["image_valid"] == 1).all()


def test_where_the_best_date_has_a_hole_the_next_shows_through():
    flights = Flights()
    flights.add(-10, range(0, 20))
    flights.add(50, range(14, 26))
    expected = [-10] * 20 + [50] * 6 + [None] * 2
    answer = flights.compute()
    assert days_shown(answer) == expected
    for band in (*COLOURS, "image_valid", "image_day"):
        assert not answer[band][:, 26:].any()


def test_images_out_of_the_window_or_of_other_places_are_not_shown():
    flights = Flights()
    for days in (-100.1, 100):
        flights.add(days)
    image = flights.add(1)
    flights.images[-1] = place_picture(
        image, FINE_GRID, bounds=(400_000, 3_600_000, 410_000, 3_610_000)
    )
    assert not flights.compute()["image_valid"].any()


def test_a_pixel_is_shown_where_all_bands_are_seen_and_not_all_are_0():
    flights = Flights()
    image = flights.add(0, low=0, high=3)
    shape = (FINE_GRID.height, FINE_GRID.width)
    for band in flights.bands:
        image.masks[band][:] = flights.rng.random(shape) > 0.2
    seen = np.all([image.masks[band] > 0 for band in flights.bands], 0)
    filled = np.any([image.values[band] > 0 for band in flights.bands], 0)
    answer = flights.compute()
    assert 0 < (seen & filled).sum() < seen.size
    np.testing.assert_array_equal(answer["image_valid"], seen & filled)
    assert not answer["green"][~(seen & filled)].any()


def test_an_image_of_16_bits_is_stretched_and_cut():
    flights = Flights(bands=("b3", "b2", "b1"))
    image = flights.add(0, low=1, high=4000)
    recipe = dataclasses.replace(
        RECIPE, image_bands=flights.bands, image_range=("200", "3000")
    )
    answer = flights.compute(recipe)
    for colour, band in zip(COLOURS, flights.bands, strict=True):
        share = (image.values[band] - 200) / 2800
        expected = np.clip(np.floor(share * 255 + 0.5), 0, 255)
        np.testing.assert_array_equal(answer[colour], expected)


def test_a_grey_image_may_name_its_band_thrice():
    flights = Flights(bands=("pan",))
    image = flights.add(0)
    recipe = dataclasses.replace(RECIPE, image_bands=("pan",) * 3)
    answer = flights.compute(recipe)
    for colour in COLOURS:
        np.testing.assert_array_equal(answer[colour], image.values["pan"])


def test_naip_images_without_a_blue_band_are_left_out():
    flights = Flights(NAIP)
    flights.add(-50)
    image = flights.add(-1, name="c")
    flights.images[1] = image.pick(["R", "G"])
    recipe = dataclasses.replace(RECIPE, image=NAIP)
    assert set(days_shown(flights.compute(recipe))) == {-50}


@pytest.mark.parametrize(
    ("days", "day"), [(-4000, DATE - 4000), (None, 0)], ids=["old", "undated"]
)
def test_one_image_is_taken_whatever_its_date(days, day):
    flights = Flights()
    image = flights.add(days, range(3, 28))
    recipe = dataclasses.replace(RECIPE, image_kind="image")
    answer = flights.compute(recipe, **{ASSET: image})
    shown = image.inside
    np.testing.assert_array_equal(answer["image_valid"], shown)
    np.testing.assert_array_equal(answer["image_day"], shown * day)
    np.testing.assert_array_equal(answer["blue"], shown * image.values["B"])


VIEW = dataclasses.replace(
    RECIPE, view_angle_property="off_nadir", view_azimuth_property="azimuth"
)


@pytest.mark.parametrize(
    ("properties", "angle", "azimuth"),
    [
        ({"off_nadir": 12.345, "azimuth": 271.5}, 1235, 27_150),
        ({"off_nadir": -7.25, "azimuth": -90.5}, 725, 26_950),
        ({"off_nadir": 0, "azimuth": 0}, 0, 0),
        ({"off_nadir": 3.5}, 350, VIEW_UNKNOWN),
        ({"azimuth": 359.99}, VIEW_UNKNOWN, 35_999),
    ],
    ids=["plain", "signed", "nadir", "no-azimuth", "no-angle"],
)
def test_the_view_is_in_hundredths_of_a_degree(properties, angle, azimuth):
    flights = Flights()
    flights.add(0, range(0, 20), **properties)
    answer = flights.compute(VIEW)
    shown = stripe(FINE_GRID, 20)
    np.testing.assert_array_equal(answer["view_angle"], shown * angle)
    np.testing.assert_array_equal(answer["view_azimuth"], shown * azimuth)


def test_an_azimuth_that_nobody_names_is_unknown():
    flights = Flights()
    flights.add(0, off_nadir=1.0, azimuth=9.0)
    recipe = dataclasses.replace(VIEW, view_azimuth_property="")
    answer = flights.compute(recipe)
    np.testing.assert_array_equal(answer["view_angle"], 100)
    np.testing.assert_array_equal(answer["view_azimuth"], VIEW_UNKNOWN)


def middle_of_frames(recipe, flights, image_days=range(-60, 60, 10)):
    """Days from the date of the first frame on or after the middle."""
    rng = np.random.default_rng(0)
    scenes, scores = [], []
    for number, days in enumerate(image_days):
        properties = {
            "system__index": f"s{number}",
            "system__time_start": DATE_MS + round((days + 0.4) * DAY_MS),
            "DATATAKE_IDENTIFIER": f"GS2A_{number}_N05.11",
            "SENSING_ORBIT_NUMBER": 1,
            "PROCESSING_BASELINE": "05.11",
        }
        scenes.append(make_patterned(S2_GRID, rng, ["B4"], 1, 9, **properties))
        ones = np.ones((S2_GRID.height, S2_GRID.width))
        scores.append(make_picture({"cs": ones}, system__index=f"s{number}"))
    answer = flights.compute(
        dataclasses.replace(
            recipe, bands=("B4",), frames_before=0, frames_after=1
        ),
        name="s2",
        **{S2_COLLECTIONS["L2A"]: scenes, CLOUD_SCORE_PLUS: scores},
    )
    return int(answer["f00_day"][0, 0]) - DATE


def test_frames_are_taken_around_the_image_on_top():
    flights = Flights(grid=S2_GRID)
    flights.add(1, range(0, 3))
    flights.add(-19.6)  # the day begins 20 days before
    flights.add(-30)
    assert middle_of_frames(RECIPE, flights) == -20


def test_a_request_for_frames_carries_no_colours():
    fine, stack = (
        str(encode_layer(RECIPE, name, S2_GRID.crs, S2_GRID.bounds))
        for name in ("fine", "s2")
    )
    assert "Image.clamp" in fine
    assert "Image.clamp" not in stack


def test_frames_are_taken_around_the_place_if_asked_for():
    flights = Flights(grid=S2_GRID)
    flights.add(-19.6)
    recipe = dataclasses.replace(RECIPE, frames_around="place")
    assert middle_of_frames(recipe, flights) == 0


def test_without_an_image_frames_are_taken_around_the_place():
    assert middle_of_frames(RECIPE, Flights(grid=S2_GRID)) == 0


def test_an_image_without_a_date_leaves_the_frames_around_the_place():
    flights = Flights(grid=S2_GRID)
    image = flights.add(None)
    flights.images = image
    recipe = dataclasses.replace(RECIPE, image_kind="image")
    assert middle_of_frames(recipe, flights) == 0
