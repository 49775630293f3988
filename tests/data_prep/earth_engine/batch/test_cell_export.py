"""Finished exports become answers, bit for bit, or are refused."""

import functools
import gzip
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.batch.batch_settings import task_folder
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.cell_export import find_mixer
from data_prep.earth_engine.batch.cell_export import read_cell_layer
from data_prep.earth_engine.batch.cell_export import to_answer
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.layers import Layer
from s2distill.errors import AnswerError
from s2distill.errors import RecordError
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import assert_same
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import expected_answer
from tests.earth_engine_server.batch_area import make_run
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server

CELL = make_cells(PLACES, 3)[0]
_OF_SERVER = ("depth_last", "whole_margins")


def _export(folder, settings, **server_settings):
    """Both layers of one cell on disk; the folder of each."""
    with running_server(bucket=str(folder), **server_settings) as server:
        make_run(connect(server), settings, folder, tasks=2).run()
    exports = folder / settings.bucket / settings.prefix
    return {
        layer.name: exports / task_folder(settings, task_name(CELL, layer), 1)
        for layer in LAYERS
    }


def _split(changes):
    """Those of the settings, those of the server."""
    server = {k: v for k, v in changes.items() if k in _OF_SERVER}
    return {k: v for k, v in changes.items() if k not in server}, server


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports the cell once for each kind of settings."""
    return functools.cache(
        lambda **changes: _export(
            tmp_path_factory.mktemp("exports"),
            make_settings(**_split(changes)[0]),
            **_split(changes)[1],
        )
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kernel_px": 16},
        {"kernel_px": 2, "whole_margins": True},
        {"tensor": True},
        {"tensor": True, "depth_last": True},
        {"tensor": True, "kernel_px": 2},
        {"tensor": True, "kernel_px": 2, "depth_last": True},
        {"tensor": True, "kernel_px": 4, "whole_margins": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_every_patch_is_what_its_own_ground_shows(exported, layer, changes):
    folder = exported(**changes)[layer.name]
    settings = make_settings(**_split(changes)[0])
    patches = list(read_cell_layer(str(folder), settings, CELL, layer))
    assert [index for index, _ in patches] == list(range(9))
    for index, answer in patches:
        grid = CELL.expected_mixer(layer).patch_grid(index)
        assert_same(answer, expected_answer(grid, layer))
        assert answer.dtype == np.dtype(list(layer.types.items()))


def test_a_kernel_that_nobody_asked_for_is_refused(exported):
    folder = exported(kernel_px=16)["s2"]
    settings = make_settings(kernel_px=6)
    with pytest.raises(RecordError, match="a kernel of 16 x 16 fits"):
        list(read_cell_layer(str(folder), settings, CELL, LAYERS[0]))


def test_the_fine_layer_came_in_several_files(exported):
    names = sorted(path.name for path in exported()["fine"].iterdir())
    assert names[0] == "export-00000.tfrecord.gz"
    assert names[-1] == "export-mixer.json"
    assert len(names) > 3


def test_a_folder_without_a_mixer_did_not_end(tmp_path):
    assert find_mixer(str(tmp_path)) is None
    with pytest.raises(RecordError, match="no mixer in .*the last file"):
        list(read_cell_layer(str(tmp_path), make_settings(), CELL, LAYERS[0]))


def _copy(folder, to):
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_exports_are_read_from_a_bucket(exported, tmp_path):
    # TensorFlow's file system in memory: tf.io.gfile alone opens it.
    folder = f"ram://exports/{tmp_path.name}"
    tf.io.gfile.makedirs(folder)
    for path in exported()["s2"].iterdir():
        with tf.io.gfile.GFile(f"{folder}/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    patches = list(read_cell_layer(folder, make_settings(), CELL, LAYERS[0]))
    assert len(patches) == 9
    grid = CELL.expected_mixer(LAYERS[0]).patch_grid(8)
    assert_same(patches[8][1], expected_answer(grid, LAYERS[0]))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patchDimensions", [3, 4]),
        ("totalPatches", 6),
        ("patchesPerRow", 1),
        ("crs", "EPSG:32617"),
        ("doubleMatrix", [10.0, 0.0, 480_010.0, 0.0, -10.0, 3_680_040.0]),
    ],
)
def test_a_mixer_of_another_export_is_refused(exported, tmp_path, key, value):
    folder = _copy(exported()["s2"], tmp_path / "copy")
    path = pathlib.Path(find_mixer(str(folder)))
    mixer = json.loads(path.read_text())
    if key in mixer:
        mixer[key] = value
    elif key == "crs":
        mixer["projection"]["crs"] = value
    else:
        mixer["projection"]["affine"]["doubleMatrix"] = value
    path.write_text(json.dumps(mixer))
    with pytest.raises(RecordError, match="is of another export: it says"):
        list(read_cell_layer(str(folder), make_settings(), CELL, LAYERS[0]))


def test_a_file_that_is_cut_is_refused(exported, tmp_path):
    folder = _copy(exported()["s2"], tmp_path / "copy")
    path = folder / "export-00000.tfrecord.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError, match="cut or damaged"):
        list(read_cell_layer(str(folder), make_settings(), CELL, LAYERS[0]))


def test_a_file_that_is_missing_is_refused(exported, tmp_path):
    folder = _copy(exported()["fine"], tmp_path / "copy")
    (folder / "export-00001.tfrecord.gz").unlink()
    with pytest.raises(
        RecordError, match="export-00001.tfrecord.gz is missing"
    ):
        list(read_cell_layer(str(folder), make_settings(), CELL, LAYERS[1]))


def test_files_in_another_order_are_found_out_by_the_guard(exported, tmp_path):
    folder = _copy(exported()["fine"], tmp_path / "copy")
    first, second = (folder / f"export-0000{n}.tfrecord.gz" for n in (0, 1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    assert gzip.decompress(content)
    found = dict(read_cell_layer(str(folder), make_settings(), CELL, LAYERS[1]))
    wrong = [
        index
        for index, answer in found.items()
        if isinstance(answer, AnswerError)
    ]
    assert wrong
    assert len(wrong) < 9
    assert "shows another place" in str(found[wrong[0]])


LAYER = Layer("x", 1, {"a": "uint8", "b": "uint16", "c": "int32"})


def test_numbers_come_back_in_their_types():
    values = {
        "a": np.array([[0, 255, 7]], np.float32),
        "b": np.array([[65_535, 0, 1]], np.float32),
        "c": np.array([[86_399, -5, 2**24]], np.float32),
    }
    answer = to_answer(values, LAYER)
    assert answer.dtype == np.dtype([("a", "u1"), ("b", "<u2"), ("c", "<i4")])
    for name, plane in values.items():
        assert answer[name].tolist() == plane.astype(int).tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", 256), ("a", -1), ("b", 0.5), ("b", np.nan), ("c", np.inf)],
)
def test_a_number_that_does_not_fit_is_refused(name, value):
    values = {band: np.zeros((2, 3), np.float32) for band in "abc"}
    values[name][1, 2] = value
    message = rf"band {name} is {value:g} at row 1, column 2; whole numbers"
    with pytest.raises(AnswerError, match=message):
        to_answer(values, LAYER)
