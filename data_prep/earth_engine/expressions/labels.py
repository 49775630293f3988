"""Labels of a place: tables of buildings and roads, drawn by Earth Engine.

Expressions of the `ee` client; see `sentinel2` for what of them is tested.

What is drawn and how exactly: polygons are filled by `Image.paint` on the
grid of the request, 0.5 m, so that no edge is moved by more than about half
a pixel; pixels are in or out, never part. Which of the pixels that an edge
crosses are in is not documented: `rasterize` draws those with their centre
inside, and a pixel of difference along an edge is within what label
registration allows for. Centroids fall into the pixel that holds them. Where
polygons overlap, the tallest gives the height. Roads of a line table are the
line buffered by half its width, with round ends.

A table is read a little beyond the place, since what lies outside can reach
in: the width of a road, and the centroid of a building around a court.
"""

import ee

from data_prep.earth_engine.layers import HEIGHT_M
from data_prep.earth_engine.recipe import Recipe

# Half of the widest road, and half of the largest court of a building.
_REACH_M = 50
# Tolerated where Earth Engine moves geometries between projections; a label
# pixel is ten times as large.
_ERROR_M = 0.05
_HIGHEST = 65_535
# Properties that are set on the features.
_HEIGHT = "s2distill_height"
_ONE = "s2distill_one"


def build_labels(recipe: Recipe, *, region: ee.Geometry) -> ee.Image:
    """Bands labelled, and building, centroids, height, road if asked for.

    Unmasked everywhere; 0 where nothing is drawn.

    Args:
      recipe: What is asked for; `recipe.label_fields` is not empty.
      region: The place.
    """
    labels = _draw_area(recipe, region)
    if recipe.buildings:
        labels = labels.addBands(_draw_buildings(recipe, region))
    if recipe.roads:
        labels = labels.addBands(_draw_roads(recipe, region))
    return labels


def _draw_area(recipe: Recipe, region: ee.Geometry) -> ee.Image:
    if not recipe.labels_area:
        return ee.Image.constant(1).rename("labelled")
    area = ee.FeatureCollection(recipe.labels_area).filterBounds(region)
    return _empty().paint(area, 1).rename("labelled")


def _draw_buildings(recipe: Recipe, region: ee.Geometry) -> ee.Image:
    buildings = _read_table(recipe.buildings, region)
    name = recipe.building_filter_property
    if name:
        # A filter by "at least" lets pass what has no such property.
        buildings = buildings.filter(ee.Filter.notNull([name])).filter(
            ee.Filter.gte(name, recipe.building_filter_min)
        )
    image = (
        _empty()
        .paint(buildings, 1)
        .rename("building")
        .addBands(_count_centroids(buildings))
    )
    if recipe.height_property:
        heights = _draw_heights(buildings, recipe.height_property)
        image = image.addBands(heights)
    return image


def _count_centroids(buildings: ee.FeatureCollection) -> ee.Image:
    centroids = buildings.map(
        lambda building: ee.Feature(building.geometry().centroid(_ERROR_M)).set(
            _ONE, 1
        )
    )
    # Of the pixels of the output: reducing to an image waits for its grid.
    return (
        centroids.reduceToImage([_ONE], ee.Reducer.count())
        .rename("centroids")
        .unmask(0, False)
    )


def _draw_heights(buildings: ee.FeatureCollection, name: str) -> ee.Image:
    def set_height(building: ee.Feature) -> ee.Feature:
        height = building.getNumber(name).divide(HEIGHT_M).round()
        return building.set(_HEIGHT, height.max(0).min(_HIGHEST))

    known = buildings.filter(ee.Filter.notNull([name])).map(set_height)
    # Later ones are drawn over earlier ones.
    return _empty().paint(known.sort(_HEIGHT), _HEIGHT).rename("height")


def _draw_roads(recipe: Recipe, region: ee.Geometry) -> ee.Image:
    roads = _read_table(recipe.roads, region)
    if recipe.road_width_m or recipe.road_width_property:
        roads = roads.map(lambda road: _widen(recipe, road))
    return _empty().paint(roads, 1).rename("road")


def _widen(recipe: Recipe, road: ee.Feature) -> ee.Feature:
    width_m = ee.Number(recipe.road_width_m)
    if recipe.road_width_property:
        found = ee.List([road.get(recipe.road_width_property), 0])
        own_m = ee.Number(found.reduce(ee.Reducer.firstNonNull())).max(0)
        width_m = own_m.add(own_m.eq(0).multiply(width_m))
    return road.buffer(width_m.divide(2), _ERROR_M)


def _read_table(table: str, region: ee.Geometry) -> ee.FeatureCollection:
    reach = region.buffer(_REACH_M, 1)
    return ee.FeatureCollection(table).filterBounds(reach)


def _empty() -> ee.Image:
    # The type of a constant ends at its value; painting needs room for more.
    return ee.Image.constant(0).toUint16()
