"""The plan counts what the exports then are."""

import pytest

from data_prep.earth_engine.batch.batch_plan import format_batch_plan
from data_prep.earth_engine.batch.batch_plan import make_batch_plan
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.places.place import place_at
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import make_run
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server


def _plan(settings, places=PLACES):
    cells = make_cells(places, settings.cell_tiles)
    return make_batch_plan(cells, LAYERS, settings)


def test_the_plan_counts_tasks_places_and_patches():
    plan = _plan(make_settings())
    assert (plan.cells, plan.tasks, plan.places, plan.patches) == (4, 8, 6, 36)


@pytest.mark.parametrize(
    "changes", [{}, {"kernel_px": 2}, {"tensor": True, "kernel_px": 2}], ids=str
)
def test_files_are_as_many_as_the_export_writes(tmp_path, changes):
    settings = make_settings(**changes)
    with running_server(bucket=str(tmp_path)) as server:
        make_run(connect(server), settings, tmp_path, tasks=2).run()
    for part in _plan(settings).layers:
        written = list(tmp_path.glob(f"**/{part.layer.name}-1/*.tfrecord.gz"))
        assert part.files == len(written)


def test_pixels_and_bytes_are_those_of_grown_patches():
    stack, fine = _plan(make_settings(kernel_px=2)).layers
    assert stack.pixels == 9 * 6**2
    assert stack.bytes == 9 * 6**2 * len(LAYERS[0].bands) * 4
    assert fine.pixels == 9 * 120**2
    tensor = _plan(make_settings(tensor=True)).layers[0]
    # The array, its length, three times validity, longitude and latitude.
    assert tensor.bytes == 9 * 4**2 * (len(LAYERS[0].bands) + 6) * 4


def test_sums_are_over_all_cells():
    plan = _plan(make_settings())
    for name in ("pixels", "bytes", "files"):
        each = sum(getattr(part, name) for part in plan.layers)
        assert plan.total(name) == 4 * each


def test_the_text_says_what_counts():
    text = format_batch_plan(_plan(make_settings()), make_settings())
    assert "tasks       8: 4 cells of 3 x 3 places, 2 layers each" in text
    assert "places      6 of 36 patches (17%)" in text
    assert "frames      chosen once for a cell" in text
    assert "gs://my-bucket/s2distill/area" in text
    assert "sparse      most patches are no places" in text
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_called_sparse_that_is_dense():
    places = [
        place_at("EPSG:32616", col, row, 4)
        for col in range(12_000, 12_003)
        for row in range(91_998, 92_001)
    ]
    text = format_batch_plan(_plan(make_settings(), places), make_settings())
    assert "9 of 9 patches (100%)" in text
    assert "sparse" not in text
