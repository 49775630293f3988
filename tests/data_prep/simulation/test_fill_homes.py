import dataclasses

import numpy as np
import pytest
import shapely

from data_prep.simulation.fill_homes import fill_houses
from data_prep.simulation.fill_homes import fill_middle
from data_prep.simulation.fill_homes import fill_perimeter
from data_prep.simulation.fill_homes import fill_terraces
from data_prep.simulation.layout import Block
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLES

_CORNERS = np.array([[10.0, 10], [170, 10], [170, 90], [10, 90]])
_INSIDE = shapely.box(14, 14, 166, 86)  # the block less half the streets


def _fill(fill, seed=0, **changes):
    """A block of 160 m by 80 m between streets 8 m wide, filled."""
    sides = tuple(
        np.linspace(a, b, 7)
        for a, b in zip(_CORNERS, np.roll(_CORNERS, -1, 0), strict=True)
    )
    style = dataclasses.replace(STYLES["grid_suburb"], **changes)
    occupancy = Occupancy(110.0, 190.0)
    for side in sides:
        occupancy.take_line(side, 8.0)
    site = Site(np.random.default_rng(seed), occupancy, "red_soil")
    fill(site, Block(sides, (4.0,) * 4, style, "houses"))
    return site


def _shapes(site):
    return np.array([b.footprint for b in site.buildings])


@pytest.mark.parametrize("fill", [fill_houses, fill_terraces, fill_perimeter])
@pytest.mark.parametrize("seed", range(3))
def test_homes_stand_between_the_streets_and_not_on_each_other(fill, seed):
    shapes = _shapes(_fill(fill, seed))
    assert len(shapes) > 8
    streets = shapely.Polygon(_CORNERS).exterior.buffer(4.0)
    on_street = shapely.area(shapely.intersection(shapes, streets)).sum()
    assert on_street < 0.01 * shapely.area(shapes).sum()
    total = shapely.area(shapes).sum()
    # Neighbours share a wall, drawn on a grid of a metre.
    assert total - shapely.union_all(shapes).area < 0.07 * total


def test_houses_stand_alone_and_behind_their_setback():
    medians = []
    for setback in (2.0, 9.0):
        shapes = _shapes(_fill(fill_houses, 1, setback_m=(setback, setback)))
        apart = shapely.distance(shapes[:, None], shapes[None])
        np.fill_diagonal(apart, np.inf)
        assert apart.min() > 0.3
        to_street = shapely.distance(shapes, _INSIDE.exterior)
        medians.append(np.median(to_street))
    # 1.5 m of sidewalk, and up to 2 m more for each house.
    assert medians[0] == pytest.approx(2 + 1.5 + 1, abs=1.0)
    assert medians[1] - medians[0] == pytest.approx(7, abs=1.0)


def test_no_house_stands_where_every_plot_is_vacant():
    assert _fill(fill_houses, vacancy=1.0).buildings == []
    few = sum(len(_fill(fill_houses, s, vacancy=0.8).buildings) for s in (1, 2))
    many = sum(len(_fill(fill_houses, s).buildings) for s in (1, 2))
    assert few < 0.5 * many


def test_the_houses_of_a_terrace_touch():
    shapes = _shapes(_fill(fill_terraces, 2))
    apart = shapely.distance(shapes[:, None], shapes[None])
    np.fill_diagonal(apart, np.inf)
    assert np.median(apart.min(1)) < 1e-6
    assert shapely.area(shapes).max() < 10 * 12 + 1


def test_a_closed_row_leaves_a_yard_that_a_court_may_fill():
    site = _fill(fill_perimeter, 3)
    assert len(site.patches) == 1
    yard = shapely.Polygon(site.patches[0].ring_m)
    assert yard.area == pytest.approx(0.72**2 * 160 * 80)
    built = shapely.union_all(_shapes(site))
    # The street front is built up on most of its length.
    front = shapely.box(14, 14, 166, 86).buffer(-6).exterior
    assert front.intersection(built).length > 0.6 * front.length


def test_one_large_building_stands_in_the_middle():
    site = _fill(lambda site, block: fill_middle(site, block, "u"))
    (found,) = site.buildings
    assert found.footprint.contains(shapely.Point(90, 50).buffer(3)) or (
        found.footprint.convex_hull.contains(shapely.Point(90, 50))
    )
    assert len(found.wings) == 3
