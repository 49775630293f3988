import numpy as np
import pytest
import shapely

from data_prep.simulation.fill_open import fill_bare
from data_prep.simulation.fill_open import fill_farm
from data_prep.simulation.fill_open import fill_field
from data_prep.simulation.fill_open import fill_forest
from data_prep.simulation.fill_open import fill_park
from data_prep.simulation.fill_open import fill_pond
from data_prep.simulation.layout import Block
from data_prep.simulation.occupancy import Occupancy
from data_prep.simulation.site import Site
from data_prep.simulation.styles import STYLES

_CORNERS = np.array([[10.0, 10], [190, 20], [180, 150], [15, 140]])
_OUTLINE = shapely.Polygon(_CORNERS)


def _fill(fill, seed=0):
    sides = tuple(
        np.linspace(a, b, 7)
        for a, b in zip(_CORNERS, np.roll(_CORNERS, -1, 0), strict=True)
    )
    site = Site(np.random.default_rng(seed), Occupancy(170, 210), "red_soil")
    fill(site, Block(sides, (0.0,) * 4, STYLES["farmland"], "field"))
    return site


@pytest.mark.parametrize("seed", range(5))
def test_the_strips_of_a_field_cover_the_block_once(seed):
    strips = [
        shapely.Polygon(patch.ring_m)
        for patch in _fill(fill_field, seed).patches
    ]
    assert 1 <= len(strips) <= 3
    together = shapely.union_all(strips)
    assert together.symmetric_difference(_OUTLINE).area < 1e-6
    assert sum(s.area for s in strips) == pytest.approx(_OUTLINE.area)


def test_a_farm_has_a_few_barns_in_its_yard_among_fields():
    numbers = []
    for seed in range(15):
        site = _fill(fill_farm, seed)
        numbers.append(len(site.buildings))
        if numbers[-1] > 1:
            shapes = [b.footprint for b in site.buildings]
            assert shapely.union_all(shapes).convex_hull.length < 2 * 150
    assert max(numbers) <= 6
    assert np.mean(numbers) > 1.5


def test_nothing_is_built_in_a_wood_or_in_a_pond():
    for fill, place in ((fill_forest, (100, 80)), (fill_pond, None)):
        site = _fill(fill)
        x, y = place or site.patches[-1].ring_m.mean(0)
        assert site.occupancy.is_taken(float(x), float(y))
        assert site.buildings == []


def test_a_wood_stays_within_its_block():
    for seed in range(5):
        (ring,) = _fill(fill_forest, seed).forests_m
        share = shapely.Polygon(ring).area / _OUTLINE.area
        assert 0.75**2 <= share <= 1 + 1e-9


def test_water_has_a_green_shore_all_round_that_nobody_builds_on():
    for seed in range(5):
        site = _fill(fill_pond, seed)
        assert [p.material for p in site.patches] == ["meadow", "water"]
        shore, water = (shapely.Polygon(p.ring_m) for p in site.patches)
        assert shore.contains(water)
        assert shore.exterior.distance(water) > 2
        assert _OUTLINE.contains(water)
        for x, y in site.patches[0].ring_m:
            assert site.occupancy.is_taken(float(x), float(y))


def test_parks_and_bare_ground_hold_one_building_at_most():
    for seed in range(12):
        park, bare = _fill(fill_park, seed), _fill(fill_bare, seed)
        assert park.buildings == []
        assert len(bare.buildings) <= 1
        for site, factor in ((park, 0.93), (bare, 0.9)):
            area = shapely.Polygon(site.patches[0].ring_m).area
            assert area == pytest.approx(factor**2 * _OUTLINE.area)
