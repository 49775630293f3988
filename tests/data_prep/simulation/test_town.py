import math

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely

from data_prep.simulation.light import Sun
from data_prep.simulation.occupancy import PIXEL_M
from data_prep.simulation.render import paint
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import UNSEEN_STYLES
from data_prep.simulation.styles import weights_of
from data_prep.simulation.town import make_town

_SUN = Sun(150.0, 45.0)


def _town(style, seed=1, height_m=230.0, width_m=310.0):
    rng = np.random.default_rng(seed)
    return make_town(rng, height_m=height_m, width_m=width_m, style=style)


def _burn(geometries, shape):
    transform = rasterio.Affine(PIXEL_M, 0, 0, 0, PIXEL_M, 0)
    return rasterio.features.rasterize(
        [(g, 1) for g in geometries], shape, transform=transform
    )


def _iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("style", [*STYLES, *UNSEEN_STYLES])
def test_each_style_builds_a_town_whose_parts_lie_inside(style):
    town = _town(style)
    assert town.styles[0] == style
    assert town.streets
    for item in town.buildings:
        footprint = item.footprint
        assert footprint.is_valid
        assert footprint.geom_type == "Polygon"
        assert 15 < footprint.area < 6000
        assert 2.0 <= item.height_m < 120
        # Free ground around it may reach in where it does not.
        reach = shapely.box(*footprint.bounds)
        assert shapely.box(0, 0, 310, 230).distance(reach) < 5


def test_buildings_hardly_overlap_each_other_or_streets():
    overlap = total = on_street = 0.0
    for seed, style in enumerate([*STYLES, *UNSEEN_STYLES]):
        town = _town(style, seed)
        shapes = [b.footprint for b in town.buildings]
        total += sum(s.area for s in shapes)
        overlap += sum(s.area for s in shapes) - shapely.union_all(shapes).area
        streets = shapely.union_all(
            [
                shapely.LineString(s.line_m).buffer(s.width_m / 2)
                for s in town.streets
            ]
        )
        on_street += sum(s.intersection(streets).area for s in shapes)
    # Terraces share a wall, drawn on a grid of 1 m.
    assert overlap / total < 0.06
    assert on_street / total < 0.01


def test_footprints_have_the_size_of_real_towns():
    areas = np.concatenate(
        [
            [b.footprint.area for b in _town(style, seed).buildings]
            for seed, style in enumerate(("grid_suburb", "curved_suburb"))
        ]
    )
    assert 100 < np.median(areas) < 260
    assert (areas < 40).mean() < 0.15


def test_town_and_neighbour_are_of_the_styles_that_are_drawn():
    def drawn(**keywords):
        towns = (
            make_town(
                np.random.default_rng(seed),
                height_m=60.0,
                width_m=50.0,
                **keywords,
            )
            for seed in range(40)
        )
        return {town.styles for town in towns}

    weights = weights_of(("greenhouses", "farmland"))
    names = {name for pair in drawn(weights=weights) for name in pair}
    assert names == {"greenhouses", "farmland"}
    assert ("greenhouses", "farmland") in drawn(weights=weights)
    for pair in drawn():
        assert set(pair) <= STYLES.keys()


def test_a_settlement_of_huts_stands_on_bare_soil_with_few_streets():
    huts = [_town("informal_settlement", seed) for seed in range(4)]
    suburbs = [_town("grid_suburb", seed) for seed in range(4)]
    assert all(town.ground in (town.soil, "dry_grass") for town in huts)
    streets, usual = (
        sum(len(town.streets) for town in towns) for towns in (huts, suburbs)
    )
    assert streets < 0.3 * usual
    number, few = (
        sum(len(town.buildings) for town in towns) for towns in (huts, suburbs)
    )
    assert number > 8 * few


def test_the_same_seed_builds_the_same_town_and_another_another():
    a, b, c = (_town("village", seed) for seed in (4, 4, 5))
    assert a.buildings == b.buildings
    np.testing.assert_array_equal(a.trees_m, b.trees_m)
    assert a.buildings != c.buildings


def test_painted_truth_agrees_with_the_polygons():
    town = _town("curved_suburb", 3)
    painting = paint(town, np.random.default_rng(0), _SUN.toward_xy)
    shape = painting.building.shape
    assert shape == (460, 620)
    exact = _burn([b.footprint for b in town.buildings], shape)
    assert _iou(painting.building, exact) > 0.97
    assert painting.building.sum() == pytest.approx(exact.sum(), rel=0.02)
    streets = [
        shapely.LineString(s.line_m).buffer(s.width_m / 2) for s in town.streets
    ]
    exact = _burn(streets, shape)
    assert _iou(painting.road, exact) > 0.93
    assert painting.road.sum() == pytest.approx(exact.sum(), rel=0.05)


def test_heights_stand_on_buildings_and_nowhere_else():
    town = _town("estate", 2)
    painting = paint(town, np.random.default_rng(0), _SUN.toward_xy)
    inside = painting.building > 0
    assert (painting.building_height_m[inside] >= 2).all()
    assert (painting.building_height_m[~inside] == 0).all()
    assert (
        painting.height_m[inside] >= painting.building_height_m[inside]
    ).all()
    item = max(town.buildings, key=lambda b: b.height_m)
    x, y = item.wings[0].frame.x_m, item.wings[0].frame.y_m
    at = math.floor(y / PIXEL_M), math.floor(x / PIXEL_M)
    if 0 <= at[0] < inside.shape[0] and 0 <= at[1] < inside.shape[1]:
        assert painting.building_height_m[at] == pytest.approx(item.height_m)


def test_trees_hide_parts_of_some_roofs():
    town = _town("wooded_suburb", 6)
    painting = paint(town, np.random.default_rng(0), _SUN.toward_xy)
    inside = painting.building > 0
    over = painting.height_m[inside] > painting.building_height_m[inside]
    assert 0.002 < over.mean() < 0.4


def test_reflectance_is_that_of_land():
    town = _town("terraced_town", 6)
    painting = paint(town, np.random.default_rng(0), _SUN.toward_xy)
    planes = painting.reflectance(("B4", "B8"))
    assert planes.shape == (2, *painting.surface.shape)
    assert planes.min() > 0
    assert planes.max() < 1.5
    assert 0.02 < np.median(planes[0]) < 0.25
    assert np.median(planes[1]) > np.median(planes[0])
