"""Layers computed on scenes: the graph checked, sent through the client."""

import contextlib
import dataclasses

import ee
import numpy as np
import shapely
from google.auth.credentials import AnonymousCredentials

from data_prep.earth_engine.expressions.layer_image import build_layer
from data_prep.earth_engine.expressions.layer_image import make_region
from data_prep.earth_engine.layers import make_layers
from s2distill.geo.grid import Grid
from tests.earth_engine_server.graph_check import check_expression
from tests.earth_engine_server.server import EarthEngineServer
from tests.earth_engine_server.small_earth.interpreter import run_expression
from tests.earth_engine_server.small_earth.world import Geometry
from tests.earth_engine_server.small_earth.world import make_picture

DAY_MS = 86_400_000
# 1 January 2020, a Wednesday like any other.
DATE_MS = 1_577_836_800_000
S2_GRID = Grid(
    "EPSG:32616", (10.0, 0.0, 500_000.0, 0.0, -10.0, 3_700_000.0), 5, 7
)
FINE_GRID = Grid(
    "EPSG:32616", (0.5, 0.0, 500_000.0, 0.0, -0.5, 3_700_000.0), 20, 28
)


@contextlib.contextmanager
def initialised_client():
    """The `ee` client with the wheel's algorithms."""
    server = EarthEngineServer()
    ee.Initialize(AnonymousCredentials(), project="p", url=server.url)
    yield
    server.close()


def encode_layer(recipe, name, crs, bounds, time_utc_ms=DATE_MS):
    """A layer's graph as it is sent."""
    layers = {layer.name: layer for layer in make_layers(recipe)}
    return ee.serializer.encode(
        build_layer(
            recipe,
            layers[name],
            region=make_region(crs, bounds),
            place_time=ee.Date(time_utc_ms),
        )
    )


def compute_layer(recipe, name, world, time_utc_ms=DATE_MS):
    """Arrays [h, w] by band, typed as the layer says, nothing masked."""
    grid = world.grid
    graph = encode_layer(recipe, name, grid.crs, grid.bounds, time_utc_ms)
    check_expression(graph)
    image = run_expression(graph, world)
    (layer,) = (one for one in make_layers(recipe) if one.name == name)
    assert tuple(image.bands) == layer.bands
    assert image.types == layer.types
    assert all((image.seen(band) == 1).all() for band in image.bands)
    return {
        band: image.values[band].astype(kind)
        for band, kind in layer.types.items()
    }


def place_picture(picture, grid, crs=None, bounds=None):
    """The picture where a filter can find it: on the grid, or in bounds."""
    shape = shapely.box(*(bounds or grid.bounds))
    return dataclasses.replace(
        picture, crs=crs or grid.crs, geometry=Geometry(shape, grid.crs)
    )


def make_patterned(grid, rng, names, low, high, **options):
    """A picture of random whole numbers, low to high - 1."""
    shape = (grid.height, grid.width)
    bands = {name: rng.integers(low, high, shape) for name in names}
    return place_picture(make_picture(bands, **options), grid)


def stripe(grid, cols):
    """[h, w] bool: true in the first columns."""
    inside = np.zeros((grid.height, grid.width), bool)
    inside[:, :cols] = True
    return inside
