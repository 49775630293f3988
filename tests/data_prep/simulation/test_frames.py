import math

import numpy as np
import pytest

from data_prep.simulation.frames import Frame
from data_prep.simulation.frames import Walk


def test_along_and_away_are_turned_by_the_angle():
    east, south = Frame(5.0, 7.0, 0.0), Frame(5.0, 7.0, math.pi / 2)
    assert east.place_m(2.0, 3.0) == (7.0, 10.0)
    np.testing.assert_allclose(south.place_m(2.0, 3.0), (2.0, 9.0))


def test_moving_there_and_back_again_ends_where_it_began():
    start = Frame(-3.0, 8.0, 1.1)
    back = start.moved(4.0, -2.5).turned(math.pi).moved(4.0, -2.5)
    np.testing.assert_allclose((back.x_m, back.y_m), (-3.0, 8.0))
    assert back.angle_rad == pytest.approx(1.1 + math.pi)


def test_a_walk_goes_round_the_corner_and_measures_along_the_line():
    walk = Walk(np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 30.0]]))
    assert walk.length_m == 50.0
    first, second = walk.step(10.0), walk.step(20.0)
    # Plots reach from 5 to 15 m and from 15 to 35 m.
    assert (first.x_m, first.y_m, first.angle_rad) == (10.0, 0.0, 0.0)
    assert (second.x_m, second.y_m) == (20.0, 5.0)
    # Right of a walk to the south, y down, is the west.
    np.testing.assert_allclose(second.place_m(0, 2.0), (18.0, 5.0))


@pytest.mark.parametrize("length_m", [12.0, 13.0, 14.0, 40.0])
def test_a_walk_leaves_the_corners_free(length_m):
    walk = Walk(np.array([[0.0, 0.0], [0.0, length_m]]))
    starts = []
    while not walk.is_over:
        starts.append(walk.step(1.0).y_m - 0.5)
    # From 5 m on; the last plot starts at least 8 m before the end.
    np.testing.assert_allclose(starts, np.arange(5, length_m - 7))
