"""Requests for exports: exact grids, and only what the service allows."""

import re

import ee
import pytest

from data_prep.earth_engine.batch.batch_operations import describe
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.batch_tasks import make_request
from data_prep.earth_engine.batch.batch_tasks import make_request_id
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server
from tests.earth_engine_server.export_request import read_request
from tests.earth_engine_server.graph_check import check_expression

CELL = make_cells(PLACES, 3)[0]


@pytest.fixture(scope="module", autouse=True)
def client():
    with running_server() as server:
        yield connect(server)


def _to_json(request, request_id="abc"):
    """What the client sends."""
    expression = ee.serializer.encode(request["expression"])
    return {**request, "expression": expression, "requestId": request_id}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("kernel_px", [0, 4])
def test_the_request_has_the_grid_of_the_cell(layer, kernel_px):
    settings = make_settings(kernel_px=kernel_px)
    sent = _to_json(make_request(settings, CELL, layer, 1))
    check_expression(sent["expression"])
    read = read_request(sent)
    left, _, _, top = CELL.grid.bounds
    metres = 10 / layer.factor
    assert read.image.crs == CELL.crs
    assert read.image.affine == (metres, 0, left, 0, -metres, top)
    assert read.image.width == read.image.height == 12 * layer.factor
    assert list(read.image.bands) == list(layer.bands)
    assert read.patch_width == read.patch_height == 4 * layer.factor
    assert read.margin_width == read.margin_height == kernel_px * layer.factor
    assert read.compress
    assert read.max_file_bytes == 2**20
    assert read.max_pixels == 9 * ((4 + kernel_px) * layer.factor) ** 2


def test_every_band_is_a_float_so_that_none_becomes_bytes():
    for layer in LAYERS:
        sent = _to_json(make_request(make_settings(), CELL, layer, 1))
        image = read_request(sent).image
        assert not any(image.is_byte(name) for name in layer.bands)


def test_the_stack_as_an_array_has_its_depth_and_stands_beside_its_guard():
    settings = make_settings(tensor=True)
    stack, fine = (
        read_request(_to_json(make_request(settings, CELL, layer, 1)))
        for layer in LAYERS
    )
    assert stack.depths == {"stack": len(LAYERS[0].bands)}
    assert stack.image.bands["stack"].names == LAYERS[0].bands
    assert list(stack.image.bands)[1:] == [
        "stack_length", "f00_valid", "f01_valid", "f02_valid",
        "longitude", "latitude",
    ]  # fmt: skip
    assert not stack.image.is_byte("f00_valid")
    assert fine.depths == {}


def test_frames_are_chosen_over_the_whole_cell_around_its_date():
    for cell in make_cells(PLACES, 3):
        request = make_request(make_settings(), cell, LAYERS[0], 1)
        text = ee.serializer.toJSON(request["expression"])
        left, bottom, right, top = map(int, cell.grid.bounds)
        assert f"[{left}, {bottom}, {right}, {top}]".replace(" ", "") in (
            text.replace(".0", "").replace(" ", "")
        )
        noon_ms = {"": 1_591_012_800_000, "2021-03-04": 1_614_859_200_000}
        assert str(noon_ms[cell.date]) in text.replace(".0", "")


def test_ids_and_names_tell_every_attempt_of_every_run_apart():
    first, second = make_settings(), make_settings()
    tasks = [task_name(cell, LAYERS[0]) for cell in make_cells(PLACES, 3)]
    ids = [
        make_request_id(settings, task, attempt)
        for settings in (first, second)
        for task in tasks
        for attempt in (1, 2)
    ]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-zA-Z0-9-]{1,60}", one) for one in ids)
    assert make_request_id(first, tasks[0], 1) == ids[0]
    names = [
        make_request(first, CELL, layer, attempt)["description"]
        for layer in LAYERS
        for attempt in (1, 2)
    ]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[\w.,:;-]{1,100}", name) for name in names)


def test_a_full_cell_at_50_cm_is_above_the_default_of_the_service():
    cell = make_cells([place_at("EPSG:32616", 2300, 11_600, 32)], 16)[0]
    request = make_request(make_settings(), cell, LAYERS[1], 1)
    assert request["maxPixels"] == {"value": str(10_240**2)}
    assert 10_240**2 > 1e8


def test_a_recipe_without_a_fine_layer_has_one_request_a_cell():
    recipe = Recipe(bands=("B4",), frames_before=0, frames_after=1)
    (layer,) = make_layers(recipe)
    settings = make_settings(recipe=recipe)
    read = read_request(_to_json(make_request(settings, CELL, layer, 1)))
    assert list(read.image.bands) == list(layer.bands)


def test_the_name_in_the_ledger_is_that_of_the_request():
    from data_prep.earth_engine.batch.batch_ledger import TaskEntry

    settings = make_settings()
    task = task_name(CELL, LAYERS[1])
    entry = TaskEntry(
        task=task, attempt=2, request_id=make_request_id(settings, task, 2)
    )
    request = make_request(settings, CELL, LAYERS[1], 2)
    assert describe(entry) == request["description"]
