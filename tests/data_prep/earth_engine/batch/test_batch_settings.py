"""Settings: decided once, and none of them changes on the way."""

import dataclasses
import pathlib

import pytest

from data_prep.earth_engine.batch.batch_settings import describe_places
from data_prep.earth_engine.batch.batch_settings import file_prefix
from data_prep.earth_engine.batch.batch_settings import read_settings
from data_prep.earth_engine.batch.batch_settings import task_folder
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.batch_settings import write_settings
from data_prep.earth_engine.batch.cells import make_cells
from s2distill.errors import ConfigError
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import RECIPE
from tests.earth_engine_server.batch_area import make_settings


def test_settings_are_read_back(tmp_path):
    settings = make_settings(kernel_px=6, tensor=True)
    assert write_settings(str(tmp_path), settings) == settings
    assert read_settings(str(tmp_path)) == settings
    assert read_settings(str(tmp_path)).recipe.image_bands == ("R", "G", "B")


def test_a_second_run_keeps_the_id_of_the_first(tmp_path):
    first = write_settings(str(tmp_path), make_settings())
    again = make_settings()
    assert again.run_id != first.run_id
    assert write_settings(str(tmp_path), again) == first


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kernel_px": 4}, "--kernel_px was 0, is 4"),
        ({"prefix": "other"}, "--prefix was s2distill/area, is other"),
    ],
)
def test_a_second_run_with_other_flags_is_refused(tmp_path, changes, named):
    write_settings(str(tmp_path), make_settings())
    with pytest.raises(ConfigError, match=f"{named}.*another --workdir"):
        write_settings(str(tmp_path), make_settings(**changes))


@pytest.mark.parametrize(
    "change",
    [{"key": "other"}, {"date": "2020-07-07"}, {"split": "test"}],
    ids=lambda change: next(iter(change)),
)
def test_other_places_are_refused(tmp_path, change):
    places = describe_places(PLACES)
    assert places == describe_places(PLACES[::-1])
    assert places.startswith("6 places, digest ")
    write_settings(str(tmp_path), make_settings(places=places))
    others = (dataclasses.replace(PLACES[0], **change), *PLACES[1:])
    again = make_settings(places=describe_places(others))
    with pytest.raises(ConfigError, match="--places was 6 pl.*, is 6 places"):
        write_settings(str(tmp_path), again)


def test_a_recipe_that_changed_is_named_by_its_flag(tmp_path):
    write_settings(str(tmp_path), make_settings())
    recipe = dataclasses.replace(RECIPE, bands=("B3",))
    with pytest.raises(ConfigError, match=r"--bands was .*B8A.*, is .*B3"):
        write_settings(str(tmp_path), make_settings(recipe=recipe))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="batch_export, which begins a run"):
        read_settings(str(tmp_path))


def test_settings_of_another_version_are_refused(tmp_path):
    write_settings(str(tmp_path), make_settings())
    path = pathlib.Path(tmp_path) / "batch.json"
    path.write_text(path.read_text().replace("kernel_px", "kernel"))
    with pytest.raises(ConfigError, match="cannot be read.*another version"):
        read_settings(str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bucket": "gs://my-bucket"}, "the name alone is wanted"),
        ({"bucket": ""}, "the name alone is wanted"),
        ({"prefix": "/"}, "--prefix is empty"),
        ({"kernel_px": 3}, "--kernel_px=3.*must be even"),
        ({"kernel_px": -2}, "--kernel_px=-2.*must be even"),
        ({"max_file_mib": 1025}, "--max_file_mib=1025 must be from 1 to 10"),
        ({"max_file_mib": 0}, "--max_file_mib=0 must be from 1 to 1024"),
    ],
)
def test_flags_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        make_settings(**changes)


def test_files_lie_in_a_folder_of_their_run_cell_layer_and_attempt():
    cell = make_cells(PLACES, 3)[0]
    task = task_name(cell, LAYERS[1])
    settings = make_settings(prefix="/a/b/", run_id="0123456789abcdef")
    assert task == f"{cell.key}/fine"
    folder = f"0123456789ab/{cell.key}/fine-2"
    assert task_folder(settings, task, 2) == folder
    assert settings.exports == "gs://my-bucket/a/b"
    assert file_prefix(settings, task, 2) == f"a/b/{folder}/export"


def test_the_kernel_is_the_same_ground_in_each_layer():
    settings = make_settings(kernel_px=2, tensor=True)
    assert [settings.kernel_of(layer) for layer in LAYERS] == [2, 40]
    assert [settings.is_tensor(layer) for layer in LAYERS] == [True, False]
