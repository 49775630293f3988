import dataclasses

import numpy as np
import pytest
import rasterio.features
import shapely

from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server.small_earth.scenes import FINE_GRID
from tests.earth_engine_server.small_earth.scenes import compute_layer
from tests.earth_engine_server.small_earth.scenes import make_patterned
from tests.earth_engine_server.small_earth.world import Feature
from tests.earth_engine_server.small_earth.world import Geometry
from tests.earth_engine_server.small_earth.world import World

LEFT, BOTTOM, RIGHT, TOP = FINE_GRID.bounds  # 14 m wide, 10 m high
RECIPE = Recipe(image="image", buildings="buildings", roads="roads")


def at(x, y, width, height):
    """A box by its distance from the left and top of the place, m."""
    return shapely.box(LEFT + x, TOP - y - height, LEFT + x + width, TOP - y)


def feature(shape, **properties):
    return Feature(Geometry(shape, FINE_GRID.crs), properties)


def draw(shapes):
    """[h, w] bool: pixels with their centre in one of the shapes."""
    return rasterio.features.rasterize(
        [(shape, 1) for shape in shapes] or [(shapely.Point(0, 0), 1)],
        (FINE_GRID.height, FINE_GRID.width),
        transform=FINE_GRID.affine,
    )


def compute(recipe=RECIPE, seed=0, **tables):
    rng = np.random.default_rng(0)
    photo = make_patterned(
        FINE_GRID,
        rng,
        ("R", "G", "B"),
        1,
        9,
        system__index="m",
        system__time_start=1_577_836_800_000,
    )
    assets = {"image": [photo], "buildings": [], "roads": [], **tables}
    return compute_layer(recipe, "fine", World(FINE_GRID, assets, seed))


def random_houses(number=12):
    rng = np.random.default_rng(3)
    return [
        shapely.affinity.rotate(
            at(*rng.uniform(-4, 14, 2), *rng.uniform(0.7, 5, 2)),
            rng.uniform(0, 90),
        )
        for _ in range(number)
    ]


def test_buildings_are_filled_and_roads_have_their_width():
    houses = random_houses()
    lines = [
        shapely.LineString([(LEFT - 9, TOP - 3), (RIGHT + 9, TOP - 8)]),
        shapely.LineString([(LEFT + 4, TOP + 9), (LEFT + 5, TOP - 4.2)]),
    ]
    recipe = dataclasses.replace(RECIPE, road_width_m=2.5)
    answer = compute(
        recipe,
        buildings=[feature(house) for house in houses],
        roads=[feature(line) for line in lines],
    )
    np.testing.assert_array_equal(answer["building"], draw(houses))
    roads = draw([line.buffer(1.25) for line in lines])
    np.testing.assert_array_equal(answer["road"], roads)
    np.testing.assert_array_equal(answer["labelled"], 1)
    assert 0.1 < answer["building"].mean() < 0.9
    assert 0.1 < answer["road"].mean() < 0.9


def test_each_centroid_counts_once_in_its_pixel():
    houses = random_houses()
    houses += houses[:2]  # two that lie upon each other are two
    expected = np.zeros((FINE_GRID.height, FINE_GRID.width))
    for house in houses:
        row = int((TOP - house.centroid.y) // 0.5)
        col = int((house.centroid.x - LEFT) // 0.5)
        if 0 <= row < FINE_GRID.height and 0 <= col < FINE_GRID.width:
            expected[row, col] += 1
    answer = compute(buildings=[feature(house) for house in houses])
    np.testing.assert_array_equal(answer["centroids"], expected)
    assert 3 < expected.sum() < len(houses)
    assert expected.max() > 1


def test_a_building_around_a_court_counts_where_only_the_court_is():
    ring = at(-30, -30, 70, 70) - at(-20, -20, 50, 50)
    answer = compute(buildings=[feature(ring)])
    assert not answer["building"].any()
    assert answer["centroids"].sum() == 1
    assert answer["centroids"][int(5 // 0.5), int(5 // 0.5)] == 1


def test_a_place_with_nothing_on_it_is_0():
    answer = compute()
    for band in ("building", "centroids", "road"):
        assert not answer[band].any()


def test_buildings_below_the_least_confidence_or_without_are_left_out():
    houses = {name: at(x, 2, 2, 2) for x, name in ((1, 0.6), (4, 0.7))}
    table = [feature(shape, confidence=c) for c, shape in houses.items()]
    table.append(feature(at(8, 2, 3, 3)))
    recipe = dataclasses.replace(
        RECIPE,
        building_filter_property="confidence",
        building_filter_min=0.7,
    )
    answer = compute(recipe, buildings=table)
    np.testing.assert_array_equal(answer["building"], draw([houses[0.7]]))
    assert answer["centroids"].sum() == 1


@pytest.mark.parametrize("seed", range(3))
def test_height_is_in_cm_and_the_tallest_is_on_top(seed):
    low, tall = at(1, 1, 6, 4), at(4, 2, 6, 3)
    recipe = dataclasses.replace(RECIPE, height_property="h")
    table = [
        feature(tall, h=12.345),
        feature(low, h=3.2),
        feature(at(1, 7, 2, 2)),
        feature(at(4, 7, 2, 2), h=-2.0),
        feature(at(8, 7, 2, 2), h=828.0),
    ]
    answer = compute(recipe, seed, buildings=table)
    expected = draw([low]) * 320
    expected[draw([tall]) > 0] = 1235
    expected[draw([at(8, 7, 2, 2)]) > 0] = 65_535
    np.testing.assert_array_equal(answer["height"], expected)
    everything = draw([item.geometry.shape for item in table])
    np.testing.assert_array_equal(answer["building"], everything)


def line_at(y):
    return shapely.LineString([(LEFT + 2, TOP - y), (LEFT + 12, TOP - y)])


def test_a_road_has_its_own_width_where_that_is_above_0():
    recipe = dataclasses.replace(
        RECIPE, road_width_m=1.2, road_width_property="width"
    )
    table = [
        feature(line_at(2), width=3.0),
        feature(line_at(5), width=0),
        feature(line_at(7)),
        feature(line_at(9), width=-1.0),
    ]
    answer = compute(recipe, roads=table)
    others = [line_at(y).buffer(0.6) for y in (5, 7, 9)]
    expected = draw([line_at(2).buffer(1.5), *others])
    np.testing.assert_array_equal(answer["road"], expected)


def test_a_wide_road_beside_the_place_reaches_in():
    line = shapely.LineString([(LEFT - 20, BOTTOM - 9), (LEFT - 20, TOP + 9)])
    recipe = dataclasses.replace(RECIPE, road_width_m=44.0)
    answer = compute(recipe, roads=[feature(line)])
    np.testing.assert_array_equal(answer["road"], draw([line.buffer(22)]))
    assert answer["road"].any()


def test_roads_that_are_polygons_are_filled_as_they_are():
    shape = at(2, 3, 9, 1.5)
    recipe = dataclasses.replace(RECIPE, road_width_m=0.0)
    answer = compute(recipe, roads=[feature(shape)])
    np.testing.assert_array_equal(answer["road"], draw([shape]))


def test_labels_are_complete_inside_the_area_alone():
    area = [at(-5, 3, 9, 30), at(9, -8, 3, 11)]
    recipe = dataclasses.replace(RECIPE, labels_area="area")
    answer = compute(recipe, area=[feature(shape) for shape in area])
    np.testing.assert_array_equal(answer["labelled"], draw(area))
    assert not compute(recipe, area=[])["labelled"].any()


@pytest.mark.parametrize("table", ["buildings", "roads"])
def test_one_table_alone_gives_its_bands_alone(table):
    recipe = Recipe(image="image", **{table: table})
    other = {"buildings": "road", "roads": "building"}[table]
    answer = compute(recipe)
    assert "labelled" in answer
    assert other not in answer
