import dataclasses

import numpy as np
import pytest
import shapely

from data_prep.simulation.fill_unseen import fill_greenhouses
from data_prep.simulation.fill_unseen import fill_huts
from data_prep.simulation.layout import Block
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Site
from data_prep.simulation.styles import UNSEEN_STYLES

_CORNERS = np.array([[12.0, 8], [148, 15], [140, 118], [9, 110]])
_OUTLINE = shapely.Polygon(_CORNERS)
_STYLE_OF = {
    fill_huts: "informal_settlement",
    fill_greenhouses: "greenhouses",
}


def _fill(fill, seed=0, **changes):
    """A block of 1.4 ha between streets of 6 m, filled."""
    sides = tuple(
        np.linspace(a, b, 5)
        for a, b in zip(_CORNERS, np.roll(_CORNERS, -1, 0), strict=True)
    )
    occupancy = Occupancy(130.0, 160.0)
    for side in sides:
        occupancy.take_line(side, 6.0)
    site = Site(np.random.default_rng(seed), occupancy, "pale_soil")
    style = dataclasses.replace(UNSEEN_STYLES[_STYLE_OF[fill]], **changes)
    fill(site, Block(sides, (3.0,) * 4, style, "any"))
    return site


@pytest.mark.parametrize("fill", _STYLE_OF)
def test_the_block_is_full_of_buildings_on_bare_soil(fill):
    site = _fill(fill)
    shapes = [b.footprint for b in site.buildings]
    together = shapely.union_all(shapes)
    assert sum(s.area for s in shapes) < 1.02 * together.area
    inside = together.intersection(_OUTLINE.buffer(-3))
    assert inside.area > 0.3 * _OUTLINE.area
    assert inside.area > 0.97 * together.area
    assert site.patches[0].material == "pale_soil"


def test_huts_are_tiny_low_many_and_of_metal():
    buildings = [
        b for seed in range(3) for b in _fill(fill_huts, seed).buildings
    ]
    areas = np.array([b.footprint.area for b in buildings])
    assert len(buildings) / 3 > 200
    assert areas.min() > 15.9
    assert areas.max() < 36.1
    assert max(b.height_m for b in buildings) < 3.5
    roofs = {b.roof_material for b in buildings}
    assert roofs == {"rusty_metal", "grey_metal", "white_metal"}


def test_huts_look_every_way_a_little():
    angles = [b.wings[0].frame.angle_rad for b in _fill(fill_huts).buildings]
    turned = np.angle(np.exp(4j * np.array(angles))) / 4  # of four alike sides
    assert 0.05 < np.std(turned) < 0.2


def test_vacant_plots_have_no_hut():
    full, half = (
        len(_fill(fill_huts, vacancy=share).buildings) for share in (0.0, 0.5)
    )
    assert half == pytest.approx(0.5 * full, rel=0.25)


def test_halls_of_a_block_are_long_alike_and_side_by_side():
    for seed in range(3):
        wings = [b.wings[0] for b in _fill(fill_greenhouses, seed).buildings]
        sizes = {(round(w.length_m, 6), round(w.width_m, 6)) for w in wings}
        assert len(sizes) == 1
        length, width = sizes.pop()
        assert length > 2 * width
        shapes = [shapely.Polygon(w.corners_m()) for w in wings]
        gaps = [
            min(a.distance(b) for b in shapes if b is not a) for a in shapes
        ]
        assert np.median(gaps) <= 2.0
