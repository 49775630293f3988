import copy

import ee
import numpy as np
import pytest

from data_prep.earth_engine.asking.guard import expect_guard
from data_prep.earth_engine.expressions.layer_image import make_region
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.recipe import CLOUD_SCORE_PLUS
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import OPEN_BUILDINGS
from data_prep.earth_engine.recipe import OPEN_BUILDINGS_TEMPORAL
from data_prep.earth_engine.recipe import S2_COLLECTIONS
from data_prep.earth_engine.recipe import TIGER_ROADS
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.recipe import check_recipe
from s2distill.geo.grid import Grid
from tests.earth_engine_server.graph_check import check_expression
from tests.earth_engine_server.small_earth.interpreter import run_expression
from tests.earth_engine_server.small_earth.scenes import S2_GRID
from tests.earth_engine_server.small_earth.scenes import encode_layer
from tests.earth_engine_server.small_earth.world import World

IMAGE = {"image": NAIP}
BUILDINGS = {**IMAGE, "buildings": OPEN_BUILDINGS}
ROADS = {**IMAGE, "roads": TIGER_ROADS}
VIEW = {**IMAGE, "view_angle_property": "angle"}
# Everything in a recipe that changes a graph, once.
RECIPES = {
    "plain": {},
    "one_frame": {"frames_before": 0, "frames_after": 1},
    "before": {"frames_after": 0},
    "after": {"frames_before": 0},
    "most_frames": {"frames_before": 50, "frames_after": 49},
    "l1c": {"product_level": "L1C", "bands": ("B10", "B2", "B8A")},
    "one_band": {"bands": ("B8",)},
    "cs_cdf": {"clear_band": "cs_cdf", "clear_threshold": 0.65},
    "window": {"window_days": 1, "min_frame_score": 0.0},
    "naip": IMAGE,
    "own_collection": {"image": "projects/team/assets/photos"},
    "own_image": {"image": "projects/team/assets/one", "image_kind": "image"},
    "around_place": {**IMAGE, "frames_around": "place"},
    "grey": {**IMAGE, "image_bands": ("N", "N", "N")},
    "16_bits": {**IMAGE, "image_range": ("200", "3000.5")},
    "image_window": {**IMAGE, "image_window_days": 5},
    "angle": VIEW,
    "azimuth": {**VIEW, "view_azimuth_property": "azimuth"},
    "buildings": BUILDINGS,
    "confidence": {
        **BUILDINGS,
        "building_filter_property": "confidence",
        "building_filter_min": 0.7,
    },
    "height": {**BUILDINGS, "height_property": "height"},
    "roads": ROADS,
    "road_polygons": {**ROADS, "road_width_m": 0.0},
    "road_width": {**ROADS, "road_width_property": "width"},
    "area": {**BUILDINGS, **ROADS, "labels_area": "projects/team/assets/area"},
    "weak": {"weak_labels": OPEN_BUILDINGS_TEMPORAL},
    "weak_image": {**IMAGE, "weak_labels": OPEN_BUILDINGS_TEMPORAL},
    "everything": {
        **BUILDINGS,
        **ROADS,
        **VIEW,
        "view_azimuth_property": "azimuth",
        "building_filter_property": "confidence",
        "height_property": "height",
        "road_width_property": "width",
        "labels_area": "projects/team/assets/area",
        "weak_labels": OPEN_BUILDINGS_TEMPORAL,
    },
}  # fmt: skip
# What is done with answers depends on these, not what is asked for.
NO_GRAPH = {"min_image_share"}
PLACE = (S2_GRID.crs, S2_GRID.bounds)


def encode(recipe, name):
    return encode_layer(recipe, name, *PLACE)


@pytest.mark.parametrize("name", RECIPES)
def test_every_graph_fits_the_list_of_algorithms(name):
    recipe = Recipe(**RECIPES[name])
    check_recipe(recipe)
    for layer in make_layers(recipe):
        check_expression(encode(recipe, layer.name))


def test_every_flag_of_the_recipe_is_varied():
    varied = set().union(*RECIPES.values())
    assert varied == set(Recipe.__dataclass_fields__) - NO_GRAPH


def check_guard(crs, left, top):
    """Compares the guard with where the pixels are; returns that."""
    grid = Grid(crs, (10.0, 0.0, left, 0.0, -10.0, top), 5, 7)
    recipe = Recipe(bands=("B4",), frames_before=0, frames_after=1)
    graph = encode_layer(recipe, "s2", crs, grid.bounds)
    nothing = {S2_COLLECTIONS["L2A"]: [], CLOUD_SCORE_PLUS: []}
    image = run_expression(graph, World(grid, nothing))
    wanted = expect_guard(grid, np.arange(5), np.arange(7))
    for band, values in zip(("longitude", "latitude"), wanted, strict=True):
        off = image.values[band] - values
        assert np.abs((off + 32_768) % 65_536 - 32_768).max() <= 1
        assert image.types[band] == "uint16"
    return wanted


@pytest.mark.parametrize(
    ("crs", "left", "top"),
    [
        ("EPSG:32616", 500_000, 3_700_000),
        ("EPSG:32737", 262_000, 9_857_000),
        ("EPSG:32719", 347_120, 6_297_280),
        ("EPSG:32601", 208_480, 5_760_000),
        ("EPSG:32631", 166_080, 480),
    ],
    ids=["atlanta", "nairobi", "santiago", "aleutians", "null-island"],
)
def test_the_guard_says_where_each_pixel_is(crs, left, top):
    check_guard(crs, left, top)


def test_the_guard_holds_across_the_antimeridian():
    longitude, _ = check_guard("EPSG:32660", 833_940, 60_160)
    # 180 degrees are 43,136 modulo 65,536, and -180 are 22,400.
    assert np.abs(longitude[0, 0] - 43_136) < 100
    assert np.abs(longitude[0, -1] - 22_400) < 100


def test_a_region_is_a_rectangle_with_straight_edges_in_its_zone():
    region = ee.serializer.encode(make_region("EPSG:32737", (1, 2, 3, 4)))
    call = region["values"][region["result"]]["functionInvocationValue"]
    assert call["functionName"] == "GeometryConstructors.Rectangle"
    assert call["arguments"]["coordinates"] == {"constantValue": [1, 2, 3, 4]}
    assert call["arguments"]["geodesic"] == {"constantValue": False}
    assert "EPSG:32737" in str(call["arguments"]["crs"])


def test_a_stack_of_more_frames_is_hardly_a_larger_graph():
    few, many = (
        str(encode(Recipe(frames_before=n, frames_after=n), "s2"))
        for n in (2, 49)
    )
    # The names of the bands, and nothing else.
    assert len(many) - len(few) < 94 * 16 * 20


@pytest.fixture
def graph():
    return encode(Recipe(**RECIPES["everything"]), "fine")


def find_call(value, name):
    """The arguments of the first call of a function."""
    if isinstance(value, dict):
        if value.get("functionName") == name:
            return value
        value = list(value.values())
    if isinstance(value, list):
        found = (find_call(item, name) for item in value)
        return next((item for item in found if item), None)
    return None


def rename_function(graph):
    find_call(graph, "Image.clamp")["functionName"] = "Image.clampp"


def rename_argument(graph):
    arguments = find_call(graph, "Image.clamp")["arguments"]
    arguments["lowest"] = arguments.pop("low")


def drop_argument(graph):
    del find_call(graph, "Image.paint")["arguments"]["featureCollection"]


def leave_out_the_size_of_a_region(graph):
    del find_call(graph, "Image.reduceRegion")["arguments"]["maxPixels"]


def swap_types(graph):
    arguments = find_call(graph, "Image.clamp")["arguments"]
    arguments["low"] = {"constantValue": "none"}


def swap_in_list(graph):
    arguments = find_call(graph, "Image.rename")["arguments"]
    arguments["names"] = {"constantValue": ["a", 1]}


def give_half_an_integer(graph):
    find_call(graph, "List.get")["arguments"]["index"] = {"constantValue": 0.5}


def paint_pictures(graph):
    picture = find_call(graph, "Image.paint")["arguments"]["image"]
    find_call(graph, "Image.paint")["arguments"]["featureCollection"] = picture


def mosaic_features(graph):
    table = find_call(graph, "Collection.loadTable")
    find_call(graph, "ImageCollection.mosaic")["arguments"]["collection"] = {
        "functionInvocationValue": table
    }


def set_on_features(graph):
    """A mapped function that gives features, where images are wanted."""
    call = find_call(graph, "ImageCollection.merge")
    call["arguments"]["collection2"] = {
        "functionInvocationValue": {
            "functionName": "Collection.map",
            "arguments": {
                "collection": call["arguments"]["collection2"],
                "baseAlgorithm": {
                    "functionDefinitionValue": {
                        "argumentNames": ["x"], "body": "feature"
                    }
                },
            },
        }
    }  # fmt: skip
    graph["values"]["feature"] = {
        "functionInvocationValue": {"functionName": "Feature", "arguments": {}}
    }


def cut_reference(graph):
    name = next(iter(set(graph["values"]) - {graph["result"]}))
    del graph["values"][name]


def add_unused(graph):
    graph["values"]["lonely"] = {"constantValue": 1}


def refer_to_itself(graph):
    call = find_call(graph["values"][graph["result"]], "Image.cast")
    call["arguments"]["image"] = {"valueReference": graph["result"]}


def leak_variable(graph):
    call = find_call(graph["values"][graph["result"]], "Image.cast")
    call["arguments"]["image"] = {"argumentReference": "_MAPPING_VAR_0_0"}


def return_a_number(graph):
    graph["values"]["number"] = {"constantValue": 3}
    graph["result"] = "number"


def nest_deeply(graph):
    call = find_call(graph["values"][graph["result"]], "Image.cast")
    for _ in range(40):
        call["arguments"]["image"] = {
            "functionInvocationValue": {
                "functionName": "Image.abs",
                "arguments": {"value": call["arguments"]["image"]},
            }
        }


def map_a_number(graph):
    call = find_call(graph, "Collection.map")
    call["arguments"]["baseAlgorithm"] = {"constantValue": 1}


def write_nonsense(graph):
    call = find_call(graph, "Image.cast")
    call["arguments"]["image"] = {"constantvalue": 1}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (rename_function, "no function 'Image.clampp'"),
        (rename_argument, "no argument 'lowest'; it has input, low, high"),
        (drop_argument, "Image.paint lacks the argument 'featureCollection'"),
        (
            leave_out_the_size_of_a_region,
            "reduceRegion lacks the argument 'maxPixels'",
        ),
        (swap_types, "low is of type Float, not String"),
        (swap_in_list, r"names is of type List<String>, not List \(\['a', 1"),
        (give_half_an_integer, r"index is of type Integer, not Number \(0.5"),
        (paint_pictures, "featureCollection is of type .*, not Image"),
        (mosaic_features, "collection is of type ImageC.*, not FeatureC"),
        (set_on_features, "collection2 is of type ImageC.*, not FeatureC"),
        (cut_reference, "a reference to node '.*', which is not there"),
        (add_unused, "nothing refers to node 'lonely'"),
        (refer_to_itself, "refers to itself"),
        (leak_variable, "'_MAPPING_VAR_0_0' outside of its function"),
        (return_a_number, "the result is of type Number, wanted is Image"),
        (nest_deeply, "levels deep, more than the 100"),
        (map_a_number, "is mapped, but is no function"),
        (write_nonsense, "no node is of kind 'constantvalue'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_graph_with_a_fault_is_refused(graph, damage, message):
    check_expression(copy.deepcopy(graph))
    damage(graph)
    with pytest.raises(ValueError, match=message):
        check_expression(graph)
