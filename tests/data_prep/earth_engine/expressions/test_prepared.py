import concurrent.futures
import hashlib
import io
import json
import pickle
import sys

import ee
import numpy as np
import pytest

from data_prep.earth_engine.asking.guard import check_place
from data_prep.earth_engine.expressions import prepared
from data_prep.earth_engine.expressions.prepared import prepare_layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import OPEN_BUILDINGS
from data_prep.earth_engine.recipe import OPEN_BUILDINGS_TEMPORAL
from data_prep.earth_engine.recipe import TIGER_ROADS
from data_prep.earth_engine.recipe import Recipe
from s2distill.geo.grid import Grid
from tests.earth_engine_server.graph_check import check_expression
from tests.earth_engine_server.small_earth.scenes import encode_layer
from tests.earth_engine_server.small_earth.scenes import initialised_client

RECIPE = Recipe(
    bands=("B4", "B8"),
    frames_before=2,
    frames_after=3,
    image=NAIP,
    buildings=OPEN_BUILDINGS,
    height_property="height",
    roads=TIGER_ROADS,
    road_width_property="width",
    weak_labels=OPEN_BUILDINGS_TEMPORAL,
)
LAYERS = {layer.name: layer for layer in make_layers(RECIPE)}


@pytest.fixture(autouse=True)
def client():
    with initialised_client():
        yield
    ee.Reset()


def random_places(number, seed=0):
    """Arguments of `at`."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        zone = rng.integers(1, 61)
        left, bottom = (
            rng.integers(10, 900_000) / 4,
            rng.integers(0, 10**6) * 10,
        )
        yield {
            "crs": f"EPSG:32{rng.choice([6, 7])}{zone:02d}",
            "bounds": (left, bottom, left + 320, bottom + 320),
            "time_utc_ms": int(rng.integers(14 * 10**11, 18 * 10**11)),
        }


def identify(expression, name=None):
    """A digest that expressions with the same meaning share.

    Names of nodes make no difference, nor what is a node of its own, nor
    whether a list of constants is one constant.
    """
    found = {}

    def follow(name):
        if name not in found:
            found[name] = digest_node(expression["values"][name], follow)
        return found[name]

    return follow(name or expression["result"])


def digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def digest_constant(value):
    if isinstance(value, list):
        return digest("list", [digest_constant(item) for item in value])
    if isinstance(value, dict):
        items = sorted((k, digest_constant(v)) for k, v in value.items())
        return digest("dict", items)
    return digest("constant", json.dumps(value))


def digest_node(node, follow):
    ((kind, value),) = node.items()
    if kind == "constantValue":
        return digest_constant(value)
    if kind == "valueReference":
        return follow(value)
    if kind == "arrayValue":
        items = [digest_node(item, follow) for item in value["values"]]
        return digest("list", items)
    if kind == "dictionaryValue":
        return digest("dict", digest_items(value["values"], follow))
    if kind == "functionDefinitionValue":
        return digest(kind, value["argumentNames"], follow(value["body"]))
    if kind == "functionInvocationValue":
        given = digest_items(value["arguments"], follow)
        return digest(kind, value["functionName"], given)
    return digest(kind, value)


def digest_items(nodes, follow):
    return sorted((name, digest_node(n, follow)) for name, n in nodes.items())


@pytest.mark.parametrize("name", LAYERS)
def test_a_moved_graph_says_what_the_places_own_graph_says(name):
    layer = prepare_layer(RECIPE, LAYERS[name])
    found = set()
    for place in random_places(6):
        own = encode_layer(RECIPE, name, *place.values())
        moved = ee.serializer.encode(layer.at(**place))
        check_expression(moved)
        assert identify(own) == identify(moved)
        found.add(identify(moved))
    assert len(found) == 6


def test_the_comparison_sees_a_single_constant():
    (place,) = random_places(1)
    moved = ee.serializer.encode(
        prepare_layer(RECIPE, LAYERS["s2"]).at(**place)
    )
    text = json.dumps(moved)
    for old, new in [("0.5}", "0.6}"), ("Number.round", "Number.floor")]:
        assert old in text
        other = json.loads(text.replace(old, new, 1))
        assert identify(moved) != identify(other)


def destroy(value):
    """Empties every list and dictionary."""
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            destroy(item)
        value.clear()


def test_places_share_nothing_that_can_be_changed():
    layer = prepare_layer(RECIPE, LAYERS["fine"])
    one, two = (layer.at(**place) for place in random_places(2))
    first, second = (ee.serializer.encode(place) for place in (one, two))
    texts = json.dumps(first), json.dumps(second)
    destroy(first)
    assert json.dumps(second) == texts[1]
    assert json.dumps(ee.serializer.encode(one)) == texts[0]
    assert json.dumps(ee.serializer.encode(two)) == texts[1]


def test_it_is_pickled_and_needs_no_service_to_be_encoded():
    layer = prepare_layer(RECIPE, LAYERS["s2"])
    (place,) = random_places(1)
    expected = ee.serializer.encode(layer.at(**place))
    texts = pickle.dumps(layer), pickle.dumps(layer.at(**place))
    ee.Reset()
    copy, moved = map(pickle.loads, texts)
    assert copy == layer
    assert ee.serializer.encode(copy.at(**place)) == expected
    assert ee.serializer.encode(moved) == expected


def test_64_threads_at_once_give_each_place_its_own_graph():
    layer = prepare_layer(RECIPE, LAYERS["s2"])
    places = list(random_places(64))
    shared = layer.at(**places[0])
    alone = [json.dumps(ee.serializer.encode(layer.at(**p))) for p in places]
    interval_s = sys.getswitchinterval()
    # Threads change places within each encoding, not after it.
    sys.setswitchinterval(1e-4)
    try:
        with concurrent.futures.ThreadPoolExecutor(64) as threads:
            found = threads.map(
                lambda p: json.dumps(ee.serializer.encode(layer.at(**p))),
                places,
            )
            same = threads.map(
                lambda _: json.dumps(ee.serializer.encode(shared)), range(32)
            )
            assert list(found) == alone
            assert set(same) == {alone[0]}
    finally:
        sys.setswitchinterval(interval_s)


def test_it_can_be_a_part_of_another_expression():
    layer = prepare_layer(RECIPE, LAYERS["s2"])
    places = list(random_places(2))
    own = [
        identify(encode_layer(RECIPE, "s2", *place.values()))
        for place in places
    ]
    joined = ee.serializer.encode(
        ["first", *(layer.at(**place) for place in (*places, places[0]))]
    )
    items = joined["values"][joined["result"]]["arrayValue"]["values"]
    for item, expected in zip(items[1:], [*own, own[0]], strict=True):
        joined["values"]["item"] = item
        assert identify(joined, "item") == expected


def test_the_client_sends_it_as_an_expression():
    grid = Grid(
        "EPSG:32616", (10.0, 0.0, 500_000.0, 0.0, -10.0, 3_700_000.0), 4, 6
    )
    layer = prepare_layer(RECIPE, LAYERS["s2"])
    answer = ee.data.computePixels(
        {
            "expression": layer.at(grid.crs, grid.bounds, 1_577_836_800_000),
            "fileFormat": "NPY",
            "bandIds": list(LAYERS["s2"].bands),
            "grid": {
                "crsCode": grid.crs,
                "dimensions": {"width": 6, "height": 4},
                "affineTransform": {
                    "scaleX": 10, "shearX": 0, "translateX": 500_000,
                    "shearY": 0, "scaleY": -10, "translateY": 3_700_000,
                },
            },
        }
    )  # fmt: skip
    pixels = np.load(io.BytesIO(answer))
    assert pixels.dtype.names == LAYERS["s2"].bands
    check_place(pixels, grid)


def test_constants_stand_where_they_are_used():
    (place,) = random_places(1)
    moved = ee.serializer.encode(
        prepare_layer(RECIPE, LAYERS["s2"]).at(**place)
    )
    assert not any("constantValue" in node for node in moved["values"].values())
    # Not one constant for each name either.
    text = json.dumps(moved)
    assert '"f00_B4", "f00_B8", "f00_valid"' in text
    assert '"constantValue": ["B4", "B8", "valid"' in text


def twice_as_far(image, place):
    return image.add(2 * place["left"])


def mixed_up(image, place):
    return image.add(place["left"] if place["left"] < 5000 else place["top"])


def more_arguments(image, place):
    names = ["a"]
    return image.select(names, *([names] if place["left"] < 5000 else []))


def more_names(image, place):
    return image.select(["a", "b"] if place["left"] < 5000 else ["a"])


@pytest.mark.parametrize(
    "change", [twice_as_far, mixed_up, more_arguments, more_names]
)
def test_a_graph_that_depends_on_its_place_in_other_ways_is_refused(
    monkeypatch, change
):
    place = {}

    def make_region(crs, bounds):
        place.update(left=bounds[0], top=bounds[3])
        return original(crs, bounds)

    original = prepared.make_region
    monkeypatch.setattr(prepared, "make_region", make_region)
    monkeypatch.setattr(
        prepared, "build_layer", lambda *_, **__: change(ee.Image(1), place)
    )
    with pytest.raises(ValueError, match="which is none of the six constants"):
        prepare_layer(RECIPE, LAYERS["s2"])
