"""Functions of Earth Engine that this project's graphs call, by their names.

Each does what the client's list of algorithms says of it, no more: enough to
see that the graphs say what is meant (which frames are chosen, in what order,
what is masked) on scenes whose answer is known. It is no Earth Engine: grids,
pyramids, resampling and cost are not there.

What the documentation leaves open is decided against the graph: loading a
collection shuffles it, sorting keeps no order among equals, and a cast
refuses numbers that the type does not hold.
"""

# ruff: noqa: N803  arguments have the names that the service gives them

import math
import random
import re

from tests.earth_engine_server.small_earth.image_functions import (
    IMAGE_FUNCTIONS,
)
from tests.earth_engine_server.small_earth.world import Feature
from tests.earth_engine_server.small_earth.world import Geometry
from tests.earth_engine_server.small_earth.world import Projection

_DAY_MS = 86_400_000
_REDUCERS = {
    "first": lambda items: next(i for i in items if i is not None),
    "count": lambda items: sum(i is not None for i in items),
}


def _load(world, id, **_):
    items = list(world.assets[id])
    random.Random(world.seed).shuffle(items)
    return items


def _limit(world, collection, limit=None, key=None, ascending=True):
    items = list(collection)
    if key is not None:
        random.Random(world.seed + 1).shuffle(items)
        keys = [item.properties[key] for item in items]
        order = sorted(
            range(len(items)), key=keys.__getitem__, reverse=not ascending
        )
        items = [items[index] for index in order]
    return items if limit is None else items[:limit]


def _distinct(_, collection, properties):
    kept = {}
    for item in collection:
        kept.setdefault(tuple(item.properties[p] for p in properties), item)
    return list(kept.values())


def _merge(_, collection1, collection2):
    return [
        item.set("system:index", f"{prefix}_{item.properties['system:index']}")
        for prefix, items in (("1", collection1), ("2", collection2))
        for item in items
    ]


def _from_images(_, images):
    # The service numbers what has no name yet.
    return [
        image.set(
            "system:index", image.properties.get("system:index", str(number))
        )
        for number, image in enumerate(images)
    ]


def _intersects(_, leftField, rightValue, **__):
    assert leftField in (".all", ".geo")
    geometry = rightValue.geometry
    return lambda item: item.geometry.shape.intersects(geometry.shape)


def _compare(test):
    def make(_, leftField, rightValue):
        def passes(item):
            value = item.properties.get(leftField)
            return value is not None and test(value, rightValue)

        return passes

    return make


def _date_range(_, leftValue, rightField):
    start, end = leftValue
    return lambda item: (
        item.properties.get(rightField) is not None
        and start <= item.properties[rightField] < end
    )


def _parse(_, input, radix=10):
    return float(input) if "." in input else int(input, radix)


def _format(_, number, pattern):
    if not isinstance(number, int):
        raise ValueError(f"{pattern} is for whole numbers, not {number!r}")
    return pattern % number


def _replace(_, input, regex, replacement, flags=""):
    return re.sub(regex, replacement, input, count=0 if "g" in flags else 1)


def _join(_, list, separator=""):
    if not all(isinstance(item, str) for item in list):
        raise ValueError(f"not all texts: {list}")
    return separator.join(list)


def _map_list(_, list, baseAlgorithm, dropNulls):
    assert not dropNulls
    return [baseAlgorithm(item) for item in list]


def _centroid(_, geometry, maxError):
    return Geometry(geometry.shape.centroid, geometry.crs)


def _buffer(_, geometry, distance, maxError):
    return Geometry(geometry.shape.buffer(distance), geometry.crs)


def _buffer_feature(_, feature, distance, maxError):
    geometry = _buffer(_, feature.geometry, distance, maxError)
    return Feature(geometry, feature.properties)


FUNCTIONS = IMAGE_FUNCTIONS | {
    # Collections.
    "ImageCollection.load": _load,
    "Collection.loadTable": lambda world, tableId: _load(world, tableId),
    "ImageCollection.fromImages": _from_images,
    "ImageCollection.merge": _merge,
    "Collection.limit": _limit,
    "Collection.distinct": _distinct,
    "Collection.filter": lambda _, collection, filter: [
        item for item in collection if filter(item)
    ],
    "Collection.map": lambda _, collection, baseAlgorithm: [
        baseAlgorithm(item) for item in collection
    ],
    "AggregateFeatureCollection.array": lambda _, collection, property: [
        item.properties[property]
        for item in collection
        if item.properties.get(property) is not None
    ],
    # Filters.
    "Filter.intersects": _intersects,
    "Filter.dateRangeContains": _date_range,
    "Filter.equals": _compare(lambda left, right: left == right),
    "Filter.lessThan": _compare(lambda left, right: left < right),
    "Filter.greaterThan": _compare(lambda left, right: left > right),
    "Filter.stringStartsWith": _compare(str.startswith),
    "Filter.notNull": lambda _, properties: (
        lambda item: all(
            item.properties.get(name) is not None for name in properties
        )
    ),
    "Filter.not": lambda _, filter: lambda item: not filter(item),
    # Elements.
    "Element.get": lambda _, object, property: object.properties.get(property),
    "Element.getNumber": lambda _, object, property: object.properties[
        property
    ],
    "Element.set": lambda _, object, key, value: object.set(key, value),
    "Feature": lambda _, geometry, metadata=None: Feature(
        geometry, metadata or {}
    ),
    "Feature.geometry": lambda _, feature: feature.geometry,
    "Feature.buffer": _buffer_feature,
    # Geometries.
    "Projection": lambda _, crs: Projection(crs),
    "Projection.crs": lambda _, projection: projection.crs,
    "Geometry.projection": lambda _, geometry: Projection(geometry.crs),
    "Geometry.centroid": _centroid,
    "Geometry.buffer": _buffer,
    "GeometryConstructors.Rectangle": lambda _, coordinates, crs, geodesic: (
        Geometry.rectangle(coordinates, crs.crs)
    ),
    "ErrorMargin": lambda _, value: value,
    # Dates, as milliseconds.
    "Date": lambda _, value: value,
    "Date.millis": lambda _, date: date,
    "Date.advance": lambda _, date, delta, unit: (
        date + delta * {"day": _DAY_MS}[unit]
    ),
    "DateRange": lambda _, start, end: (start, end),
    # Numbers and texts.
    "Number.add": lambda _, left, right: left + right,
    "Number.subtract": lambda _, left, right: left - right,
    "Number.multiply": lambda _, left, right: left * right,
    "Number.divide": lambda _, left, right: left / right,
    "Number.mod": lambda _, left, right: math.fmod(left, right),
    "Number.max": lambda _, left, right: max(left, right),
    "Number.min": lambda _, left, right: min(left, right),
    "Number.eq": lambda _, left, right: int(left == right),
    "Number.abs": lambda _, input: abs(input),
    "Number.floor": lambda _, input: float(math.floor(input)),
    "Number.round": lambda _, input: float(math.floor(input + 0.5)),
    "Number.toInt": lambda _, input: int(input),
    "Number.parse": _parse,
    "Number.format": _format,
    "String": lambda _, input: input,
    "String.replace": _replace,
    "String.compareTo": lambda _, string1, string2: (
        (string1 > string2) - (string1 < string2)
    ),
    # Lists and dictionaries.
    "List.add": lambda _, list, element: [*list, element],
    "List.get": lambda _, list, index: list[index],
    "List.join": _join,
    "List.repeat": lambda _, value, count: [value] * count,
    "List.distinct": lambda _, list: [*dict.fromkeys(list)],
    "List.map": _map_list,
    "List.reduce": lambda _, list, reducer: _REDUCERS[reducer](list),
    "Dictionary.get": lambda _, dictionary, key: dictionary[key],
    "Reducer.min": lambda _: "min",
    "Reducer.max": lambda _: "max",
    "Reducer.mean": lambda _: "mean",
    "Reducer.count": lambda _: "count",
    "Reducer.firstNonNull": lambda _: "first",
}
