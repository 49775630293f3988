import math

import numpy as np
import pytest
import shapely

from data_prep.simulation.buildings import Building
from data_prep.simulation.buildings import Wing
from data_prep.simulation.buildings import draw_height_m
from data_prep.simulation.buildings import make_wing
from data_prep.simulation.buildings import make_wings
from data_prep.simulation.frames import Frame

_FRONT = Frame(30.0, 40.0, 0.7)


def _footprint(shape, seed=0, size_m=(30.0, 24.0)):
    rng = np.random.default_rng(seed)
    wings = make_wings(rng, _FRONT, size_m=size_m, shape=shape, roof="flat")
    return Building(wings, 6.0, "slate", 1.0).footprint


def _rectangle(length, depth):
    corners = ((-length / 2, 0), (length / 2, 0))
    corners += ((length / 2, depth), (-length / 2, depth))
    return shapely.Polygon([_FRONT.place_m(*corner) for corner in corners])


def test_a_wing_lies_between_its_two_distances_and_runs_along_the_longer():
    wing = make_wing(_FRONT, (-2.0, 3.0), (1.0, 9.0), "gable")
    corners = [(-2, 1), (3, 1), (3, 9), (-2, 9)]
    expected = shapely.Polygon([_FRONT.place_m(u, v) for u, v in corners])
    found = shapely.Polygon(wing.corners_m())
    assert found.symmetric_difference(expected).area < 1e-9
    assert (wing.length_m, wing.width_m) == (8.0, 5.0)
    assert wing.frame.angle_rad == pytest.approx(0.7 + math.pi / 2)


def test_a_wing_grows_on_every_side():
    wing = Wing(_FRONT, 10.0, 6.0, "flat")
    grown = shapely.Polygon(wing.corners_m(1.5))
    assert grown.area == pytest.approx(13 * 9)
    assert grown.exterior.distance(
        shapely.Polygon(wing.corners_m())
    ) == pytest.approx(1.5)


@pytest.mark.parametrize("shape", ["box", "l", "t", "u", "court"])
@pytest.mark.parametrize("seed", range(3))
def test_every_shape_is_one_polygon_inside_its_rectangle(shape, seed):
    footprint = _footprint(shape, seed)
    rectangle = _rectangle(30.0, 24.0)
    assert footprint.geom_type == "Polygon"
    assert footprint.difference(rectangle).area < 1e-6
    # It reaches all sides, so its hull fills the rectangle, or most of it.
    hull = footprint.convex_hull.area / rectangle.area
    assert hull > (0.7 if shape in "lt" else 0.999)
    share = footprint.area / rectangle.area
    assert share == pytest.approx(1) if shape == "box" else share < 0.95
    assert len(footprint.interiors) == (shape == "court")


def test_the_centre_of_mass_is_that_of_the_joined_wings():
    bar, arm = (0.0, 0.0, 10.0, 4.0), (0.0, 4.0, 4.0, 10.0)
    origin = Frame(0.0, 0.0, 0.0)
    wings = tuple(
        make_wing(origin, (x0, x1), (y0, y1)) for x0, y0, x1, y1 in (bar, arm)
    )
    found = Building(wings, 5.0, "slate", 1.0).centroid_m
    expected = (40 * 5 + 24 * 2) / 64, (40 * 2 + 24 * 7) / 64
    np.testing.assert_allclose(found, expected)


def test_heights_follow_the_number_of_floors_and_never_fall_below_one():
    rng = np.random.default_rng(0)
    low, high = (
        np.array([draw_height_m(rng, floors) for _ in range(400)])
        for floors in (1.0, 8.0)
    )
    assert low.min() >= 3.3
    # Half of all draws have fewer floors than asked for, half have more.
    assert np.median(high) == pytest.approx(8 * 3 + 1.05, rel=0.06)
