import numpy as np
import pytest
import shapely

from data_prep.simulation.fill_large import fill_halls
from data_prep.simulation.fill_large import fill_slabs
from data_prep.simulation.fill_large import fill_towers
from data_prep.simulation.layout import Block
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLES

_CORNERS = np.array([[10.0, 10], [190, 20], [180, 150], [15, 140]])
_OUTLINE = shapely.Polygon(_CORNERS)


def _fill(fill, seed):
    """A block of 2.2 ha in a wide open site, filled."""
    sides = tuple(
        np.linspace(a, b, 7)
        for a, b in zip(_CORNERS, np.roll(_CORNERS, -1, 0), strict=True)
    )
    occupancy = Occupancy(170.0, 210.0)
    for side in sides:
        occupancy.take_line(side, 10.0)
    site = Site(np.random.default_rng(seed), occupancy, "red_soil")
    fill(site, Block(sides, (4.0,) * 4, STYLES["estate"], "slabs"))
    return site


@pytest.mark.parametrize("fill", [fill_slabs, fill_towers, fill_halls])
def test_large_buildings_stand_inside_their_block_and_apart(fill):
    count = 0
    for seed in range(12):
        shapes = [b.footprint for b in _fill(fill, seed).buildings]
        assert all(_OUTLINE.contains(shape) for shape in shapes)
        overlap = sum(s.area for s in shapes) - shapely.union_all(shapes).area
        assert overlap < 0.01 * sum(s.area for s in shapes) + 1e-6
        count += len(shapes)
    assert count / 12 > 2


def _mean(fill, value):
    sites = [_fill(fill, seed) for seed in range(12)]
    return np.mean([value(b) for site in sites for b in site.buildings])


def test_towers_are_higher_than_slabs_and_halls_are_lowest_and_widest():
    heights = [
        _mean(fill, lambda b: b.height_m)
        for fill in (fill_towers, fill_slabs, fill_halls)
    ]
    assert heights[0] > heights[1] + 5
    assert heights[1] > heights[2] + 3
    areas = [
        _mean(fill, lambda b: b.footprint.area)
        for fill in (fill_towers, fill_halls)
    ]
    assert areas[1] > areas[0]


def test_the_same_seed_fills_alike():
    assert _fill(fill_slabs, 3).buildings == _fill(fill_slabs, 3).buildings
    assert _fill(fill_slabs, 3).buildings != _fill(fill_slabs, 4).buildings
