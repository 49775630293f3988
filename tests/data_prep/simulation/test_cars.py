import math

import numpy as np
import pytest
import shapely

from data_prep.simulation.cars import park_cars
from data_prep.simulation.layout import Street
from data_prep.simulation.palette import Palette
from data_prep.simulation.site import Patch
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.town import Town


def _town(**parts):
    values = {
        "height_m": 60.0,
        "width_m": 90.0,
        "styles": ("estate", "estate"),
        "streets": (),
        "buildings": (),
        "patches": (),
        "forests_m": (),
        "trees_m": np.zeros((0, 3)),
        "tree_material": "conifer",
        "ground": "lawn",
        "soil": "red_soil",
    }
    return Town(**(values | parts))


def _paint(town, seed=0):
    """Where cars stand; a plain surface before has the row 0."""
    rng = np.random.default_rng(seed)
    surface = np.zeros((120, 180), np.uint16)
    park_cars(surface, town, rng, Palette(rng))
    assert surface.max() < len(MATERIALS) + 5  # a row for each colour
    return surface > 0


def _street(width_m, paved):
    line = np.stack([np.linspace(0, 90, 7), np.full(7, 30.0)], 1)
    return Street(line, width_m, paved)


def _ring(angle, length, depth):
    c, s = math.cos(angle), math.sin(angle)
    local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    local = local * (length / 2, depth / 2)
    return local @ [[c, s], [-s, c]] + (45, 30)


def test_cars_stand_on_both_edges_of_a_street_and_not_in_its_middle():
    cars = sum(_paint(_town(streets=(_street(9, True),)), s) for s in range(60))
    rows = np.flatnonzero(cars.any(1)) * 0.5 + 0.25 - 30
    # At most 0.36 of the width from the middle, half a car on top.
    assert abs(rows).max() < 9 * 0.36 + 1.9 / 2 + 0.5
    assert (rows > 2).any()
    assert (rows < -2).any()
    assert not cars[59:61].any()


def test_a_street_has_about_16_cars_in_10_pieces_of_street():
    areas = [
        _paint(_town(streets=(_street(9, True),)), seed).sum() / 4
        for seed in range(300)
    ]
    # OpenCV adds half a pixel around each car; a few reach outside.
    assert np.mean(areas) == pytest.approx(1.6 * 4.9 * 2.4, rel=0.2)


def test_nobody_parks_on_dirt_roads_or_where_no_share_is_taken():
    lawn = Patch(_ring(0.4, 40, 20), "lawn")
    town = _town(streets=(_street(6, False),), patches=(lawn,))
    assert not _paint(town).any()


@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0])
def test_parked_cars_lie_on_their_ground(angle):
    ring = _ring(angle, 50.0, 24.0)
    town = _town(patches=(Patch(ring, "worn_asphalt", 1.0),))
    cars = _paint(town)
    row_col = np.argwhere(cars) * 0.5 + 0.25
    points = shapely.points(row_col[:, 1], row_col[:, 0])
    assert len(points) * 0.25 > 8 * 4.4 * 1.9
    # The first row stands on the border, half of it outside.
    assert shapely.distance(shapely.Polygon(ring), points).max() < 4.4 / 2 + 0.7


def test_more_cars_stand_where_a_larger_share_is_taken():
    sums = [
        sum(
            _paint(
                _town(patches=(Patch(_ring(0, 60, 40), "gravel", share),)), seed
            ).sum()
            for seed in range(20)
        )
        for share in (0.2, 0.8)
    ]
    assert sums[1] / sums[0] == pytest.approx(4, rel=0.15)
