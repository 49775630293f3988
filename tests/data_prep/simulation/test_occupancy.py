import numpy as np
import pytest

from data_prep.simulation.buildings import Wing
from data_prep.simulation.frames import Frame
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.occupancy import draw_line
from data_prep.simulation.occupancy import fill_polygon
from data_prep.simulation.occupancy import to_fixed_px


def _wing(x, y, length=10.0, width=6.0, angle=0.0):
    return Wing(Frame(x, y, angle), length, width, "flat")


def test_the_middle_of_a_pixel_is_a_whole_fixed_point_number():
    points = (np.array([[0, 0], [3, -2]]) + 0.5) * 0.5
    np.testing.assert_array_equal(to_fixed_px(points), [[0, 0], [48, -32]])


@pytest.mark.parametrize("convex", [True, False])
def test_a_polygon_shrunk_by_half_a_pixel_fills_its_area(convex):
    plane = np.zeros((40, 60), np.uint8)
    ring = _wing(14.0, 9.0).corners_m(-0.25)
    fill_polygon(plane, ring, 1, convex=convex)
    expected = np.zeros_like(plane)
    expected[12:24, 18:38] = 1  # 10 m by 6 m, in pixels of half a metre
    np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("width_m", [3.0, 5.0, 9.0])
def test_a_line_is_as_wide_as_it_says(width_m):
    plane = np.zeros((60, 90), np.uint8)
    draw_line(
        plane, np.array([[-20.0, 15.25], [70.0, 15.25]]), 1, width_m=width_m
    )
    wide = plane.sum(0) * 0.5
    assert (abs(wide - width_m) <= 0.5).all()


def test_what_is_taken_is_not_free_until_far_enough_away():
    ground = Occupancy(40.0, 70.0)
    ground.take(_wing(20.0, 20.0).corners_m(-0.5))
    assert ground.is_taken(20.0, 20.0)
    assert not ground.is_taken(27.0, 20.0)
    assert not ground.is_free(_wing(26.0, 20.0), 0.8)
    assert ground.is_free(_wing(33.0, 20.0), 0.8)
    assert not ground.is_free(_wing(33.0, 20.0), 5.0)


def test_a_turned_wing_is_free_where_only_its_corners_box_is_taken():
    ground = Occupancy(60.0, 60.0)
    ground.take(np.array([[10.0, 10], [16, 10], [16, 16], [10, 16]]))
    # Long and thin across the diagonal: its box holds the taken square.
    assert ground.is_free(_wing(30, 30, 50, 2, -np.pi / 4), 0.5)
    assert not ground.is_free(_wing(30, 30, 50, 2, np.pi / 4), 0.5)


def test_outside_nothing_is_taken_but_nothing_can_stand_there_either():
    ground = Occupancy(30.0, 50.0)
    ground.take(np.array([[-9.0, -9], [60, -9], [60, 40], [-9, 40]]))
    assert not ground.is_taken(-1.0, 5.0)
    assert not ground.is_taken(5.0, 31.0)
    assert not Occupancy(30.0, 50.0).is_free(_wing(-40.0, 10.0), 0.5)
    assert Occupancy(30.0, 50.0).is_free(_wing(-2.0, 10.0), 0.5)
    assert ground.is_outside(76.0, 10.0)
    assert not ground.is_outside(74.0, -24.0)
