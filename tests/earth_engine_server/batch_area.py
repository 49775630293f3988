"""A small area that the tests of batch exports share.

Places of 40 m in cells of 3 x 3, in two zones and of two dates, so that a
cell has places missing, and one of them lies alone.
"""

import contextlib
import os

import numpy as np

from data_prep.earth_engine.asking.client import Client
from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.batch.batch_ledger import Ledger
from data_prep.earth_engine.batch.batch_run import BatchRun
from data_prep.earth_engine.batch.batch_run import RunLimits
from data_prep.earth_engine.batch.batch_settings import BatchSettings
from data_prep.earth_engine.batch.batch_settings import describe_places
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.batch_tasks import make_request
from data_prep.earth_engine.batch.batch_tasks import make_request_id
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import NAIP
from data_prep.earth_engine.recipe import TIGER_ROADS
from data_prep.earth_engine.recipe import Recipe
from tests.earth_engine_server import world
from tests.earth_engine_server.server import EarthEngineServer
from tests.earth_engine_server.server import Settings

TILE_PX = 4
CELL_TILES = 3
FRAMES_MISSING = 1
RECIPE = Recipe(
    bands=("B2", "B8A"),
    frames_before=1,
    frames_after=2,
    image=NAIP,
    buildings="projects/p/assets/houses",
    roads=TIGER_ROADS,
)
LAYERS = make_layers(RECIPE)
# Zone, column and row of the lattice, split, date.
_PLACES = (
    ("EPSG:32616", 12_000, 91_998, "train", ""),
    ("EPSG:32616", 12_001, 91_998, "train", ""),
    ("EPSG:32616", 12_002, 92_000, "train", ""),
    ("EPSG:32616", 12_003, 91_999, "train", ""),
    ("EPSG:32616", 12_000, 91_999, "train", "2021-03-04"),
    ("EPSG:32733", 9_001, 200_000, "validation", ""),
)
PLACES = tuple(
    place_at(crs, col, row, TILE_PX, split=split, date=date)
    for crs, col, row, split, date in _PLACES
)


def make_settings(**changes):
    fields = {
        "recipe": RECIPE,
        "date": "2020-06-01",
        "bucket": "my-bucket",
        "prefix": "s2distill/area",
        "cell_tiles": CELL_TILES,
        "kernel_px": 0,
        "tensor": False,
        "max_file_mib": 1,
        "places": describe_places(PLACES),
    }
    return BatchSettings(**{**fields, **changes})


@contextlib.contextmanager
def running_server(**settings):
    server = EarthEngineServer(
        Settings(frames_missing=FRAMES_MISSING, **settings)
    )
    try:
        yield server
    finally:
        server.close()


def connect(server, **changes):
    """A client that does not sleep."""
    fields = {"ee_project": "p", "ee_credentials": "anonymous"}
    config = ClientConfig(**{**fields, "ee_url": server.url, **changes})
    return Client(config, sleep=lambda _: None)


def make_run(client, settings, workdir, *, tasks=None, **limits):
    """The run over all places; `tasks` are the first so many."""
    cells = make_cells(PLACES, settings.cell_tiles)
    named = {
        task_name(cell, layer): (cell, layer)
        for cell in cells
        for layer in LAYERS
    }
    numbers = {"max_waiting": 2000, "max_task_tries": 3, "poll_s": 60.0}
    return BatchRun(
        client,
        Ledger(os.path.join(workdir, "ledger.jsonl")),
        list(named)[:tasks],
        make_request_id=lambda task, attempt: make_request_id(
            settings, task, attempt
        ),
        make_request=lambda entry: make_request(
            settings, *named[entry.task], entry.attempt
        ),
        limits=RunLimits(**{**numbers, **limits}),
        sleep=lambda _: None,
    )


def expected_answer(grid, layer):
    """What the world shows there, by another path than the exports."""
    return world.make_answer(
        grid.crs,
        grid.transform,
        grid.height,
        grid.width,
        layer.bands,
        FRAMES_MISSING,
    )


def assert_same(answer, expected):
    for name in expected.dtype.names:
        np.testing.assert_array_equal(answer[name], expected[name], name)
