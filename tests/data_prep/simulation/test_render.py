import dataclasses
import math

import numpy as np
import pytest

from data_prep.simulation.buildings import Building
from data_prep.simulation.buildings import Wing
from data_prep.simulation.frames import Frame
from data_prep.simulation.layout import Street
from data_prep.simulation.render import Painting
from data_prep.simulation.render import paint
from data_prep.simulation.spectra import SEASON_CHANGE
from data_prep.simulation.town import Town

_EAST = (1.0, 0.0)


def _painting(roof="flat", angle=0.0, trees=()):
    """One house of 12 m by 8 m and 6 m height, and one street."""
    wing = Wing(Frame(30.0, 20.0, angle), 12.0, 8.0, roof)
    street = Street(np.array([[-9.0, 40.25], [99.0, 40.25]]), 6.0, False)
    town = Town(
        height_m=50.0,
        width_m=70.0,
        styles=("village", "village"),
        streets=(street,),
        buildings=(Building((wing,), 6.0, "slate", 1.0),),
        patches=(),
        forests_m=(),
        trees_m=np.array(trees, float).reshape(-1, 3),
        tree_material="conifer",
        ground="lawn",
        soil="red_soil",
    )
    return paint(town, np.random.default_rng(0), _EAST)


def test_truth_of_one_house_and_one_street_is_exact():
    painting = _painting()
    building = np.zeros((100, 140), np.uint8)
    building[32:48, 48:72] = 1
    np.testing.assert_array_equal(painting.building, building)
    np.testing.assert_array_equal(painting.building_height_m, building * 6.0)
    np.testing.assert_array_equal(painting.height_m, building * 6.0)
    wide_m = painting.road.sum(0) * 0.5
    assert abs(wide_m - 6.0).max() <= 0.5
    assert painting.road[80].all()


def test_the_gable_facet_that_looks_to_the_sun_is_the_bright_one():
    # The ridge runs to the south: one facet looks east, one west.
    painting = _painting("gable", math.pi / 2)
    light = painting.brightness[30:50]
    west, east = light[:, 54:59].mean(), light[:, 61:66].mean()
    tilt = math.radians(27)
    expected = [
        0.25 + 0.75 * (math.cos(tilt) + sign * math.sin(tilt))
        for sign in (-1, 1)
    ]
    assert east == pytest.approx(expected[1], rel=0.1)
    assert west == pytest.approx(expected[0], rel=0.1)


def test_a_tree_over_a_roof_hides_it_from_the_eye_but_not_from_the_truth():
    plain, under = _painting(), _painting(trees=[(30, 20, 13)])
    for field in ("building", "building_height_m", "road"):
        np.testing.assert_array_equal(
            getattr(plain, field), getattr(under, field)
        )
    assert under.height_m[40, 60] > 6
    assert under.surface[40, 60] != plain.surface[40, 60]


def _random_painting():
    rng = np.random.default_rng(1)
    shape = (9, 14)
    return Painting(
        surface=rng.integers(0, 5, shape, dtype=np.uint16),
        brightness=rng.random(shape, np.float32),
        height_m=rng.random(shape, np.float32),
        building=rng.integers(0, 2, shape, dtype=np.uint8),
        road=rng.integers(0, 2, shape, dtype=np.uint8),
        building_height_m=rng.random(shape, np.float32),
        spectra=rng.random((5, 10), np.float32) * 100,
        season=rng.random(5, np.float32),
    )


def test_reflectance_is_spectrum_times_brightness():
    painting = _random_painting()
    found = painting.reflectance(("B12", "B2"))
    for plane, column in zip(found, (9, 0), strict=True):
        spectrum = painting.spectra[:, column] / 100
        expected = spectrum[painting.surface] * painting.brightness
        np.testing.assert_allclose(plane, expected, rtol=1e-6)
    np.testing.assert_allclose(
        painting.season_plane(),
        painting.season[painting.surface] * painting.brightness,
    )
    np.testing.assert_allclose(
        Painting.season_change(("B8", "B2")),
        np.array([SEASON_CHANGE[6], SEASON_CHANGE[0]]) / 100,
        rtol=1e-6,
    )


def test_cutting_and_halving_keep_every_raster_in_place():
    painting = _random_painting()
    cut, half = painting.cropped(2), painting.every_second()
    for field in dataclasses.fields(painting):
        whole = getattr(painting, field.name)
        if field.name in ("spectra", "season"):
            continue
        np.testing.assert_array_equal(
            getattr(cut, field.name), whole[2:-2, 2:-2]
        )
        expected = whole[:8:2, ::2]
        if field.name == "brightness":
            expected = whole[:8].reshape(4, 2, 7, 2).mean((1, 3))
        np.testing.assert_allclose(
            getattr(half, field.name), expected, rtol=1e-5
        )
    assert painting.cropped(0) is painting
