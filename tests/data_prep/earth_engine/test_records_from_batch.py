"""From the service to records by batch: the same records as without."""

import json
import shutil

import numpy as np
import pytest

from data_prep.earth_engine import batch_export
from data_prep.earth_engine import export
from data_prep.earth_engine import records_from_batch
from data_prep.earth_engine.batch.batch_config import BatchConfig
from data_prep.earth_engine.export_config import ExportConfig
from data_prep.earth_engine.places.places import write_places
from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from s2distill.errors import ConfigError
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from tests.earth_engine_server import world
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import RECIPE
from tests.earth_engine_server.batch_area import running_server


def _export(folder, *, ask=False, server_settings=(), **changes):
    """Exports the area below `folder`; also by asking, if wanted."""
    path = folder / "places.geojson"
    write_places(path, PLACES, split_rule=None)
    with running_server(
        bucket=str(folder / "bucket"), **dict(server_settings)
    ) as server:
        shared = {
            **vars(RECIPE),
            "ee_project": "my-project",
            "ee_credentials": "anonymous",
            "ee_url": server.url,
            "places": str(path),
            "date": "2020-06-01",
        }
        fields = {
            **shared,
            "bucket": "my-bucket",
            "prefix": "area",
            "workdir": str(folder / "run"),
            "cell_tiles": 3,
            "poll_s": 0.01,
            "max_file_mib": 1,
        }
        batch_export.run(BatchConfig(**{**fields, **changes}))
        if ask:
            export.run(ExportConfig(**shared, output=str(folder / "asked")))
    return str(folder / "bucket" / "my-bucket" / "area")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The area as it is exported by default, and asked for."""
    folder = tmp_path_factory.mktemp("area")
    _export(folder, ask=True)
    return folder


@pytest.fixture
def exports(plain, tmp_path):
    """Its exports, with a work folder of one's own."""
    shutil.copytree(plain / "run", tmp_path / "run")
    return str(plain / "bucket" / "my-bucket" / "area")


def _config(tmp_path, exports, **changes):
    fields = {
        "workdir": str(tmp_path / "run"),
        "output": str(tmp_path / "records"),
        "exports": exports,
    }
    return records_from_batch.Config(**{**fields, **changes})


def _read_all(folder):
    splits = {shard.split for shard in read_manifest(folder).shards}
    return {
        record["key"]: record
        for split in splits
        for record in read_records(folder, split)
    }


def _raw_records(folder):
    return {p.name: p.read_bytes() for p in folder.glob("*.tfrecord*")}


def test_batch_exports_give_the_records_that_asking_gives(
    plain, exports, tmp_path, capsys
):
    records_from_batch.run(_config(tmp_path, exports))
    assert "5 train, 1 validation" in capsys.readouterr().out
    records = _raw_records(tmp_path / "records")
    assert records == _raw_records(plain / "asked")
    assert len(records) > 1
    assert not (tmp_path / "run" / "answers").exists()


@pytest.mark.parametrize("depth_last", [False, True])
def test_so_do_exports_with_a_kernel_and_arrays(plain, tmp_path, depth_last):
    exports = _export(
        tmp_path,
        kernel_px=2,
        tensor=True,
        server_settings={"depth_last": depth_last},
    )
    records_from_batch.run(_config(tmp_path, exports))
    records = _raw_records(tmp_path / "records")
    assert records == _raw_records(plain / "asked")


def test_records_hold_the_pixels_of_their_own_place(tmp_path, exports):
    records_from_batch.run(_config(tmp_path, exports))
    records = _read_all(tmp_path / "records")
    assert set(records) == {place.key for place in PLACES}
    for place in PLACES:
        record = records[place.key]
        fine = place.grid.refined(20)
        xs, ys = world.pixel_centres(fine.transform, fine.height, fine.width)
        x, y = np.meshgrid(xs, ys)
        np.testing.assert_array_equal(
            record["image"]["rgb"][..., 0], world.fine_values("red", x, y)
        )
        np.testing.assert_array_equal(
            record["label"]["road"], world.fine_values("road", x, y)
        )
        xs, ys = world.pixel_centres(place.grid.transform, 4, 4)
        x, y = np.meshgrid(xs, ys)
        for frame in range(2):
            valid = world.frame_values(frame, "valid", x, y)
            np.testing.assert_array_equal(
                record["s2"]["image"][frame, ..., 1],
                world.frame_values(frame, "B8A", x, y) * valid,
            )
    manifest = read_manifest(tmp_path / "records")
    flags = manifest.provenance["flags"]
    assert "--roads=TIGER/2016/Roads" in flags
    assert "--date=2020-06-01" in flags
    assert (tmp_path / "records" / "statistics.json").exists()


def test_places_of_exports_that_failed_are_counted_and_listed(tmp_path, capsys):
    exports = _export(
        tmp_path,
        max_task_tries=1,
        server_settings={"failed_exports": ("utm33s",)},
    )
    records_from_batch.run(_config(tmp_path, exports))
    (failed,) = (p for p in PLACES if p.grid.crs == "EPSG:32733")
    assert "1 its export is not finished" in capsys.readouterr().out
    dead = json.loads((tmp_path / "run" / "dead_letter.jsonl").read_text())
    assert dead["key"] == failed.key
    assert "FAILED User memory limit exceeded." in dead["detail"]
    assert set(_read_all(tmp_path / "records")) == {
        place.key for place in PLACES
    } - {failed.key}
    dropped = read_manifest(tmp_path / "records").dropped
    assert dropped == {"its export is not finished": 1}


@pytest.mark.usefixtures("exports")
def test_exports_elsewhere_make_no_record(tmp_path):
    with pytest.raises(RecordError, match="6 its export cannot be read"):
        records_from_batch.run(_config(tmp_path, str(tmp_path / "none")))


def test_records_that_exist_are_kept(tmp_path, exports):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "mine").write_text("x")
    with pytest.raises(OutputError, match="exists already"):
        records_from_batch.run(_config(tmp_path, exports))


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="batch_export, which begins a run"):
        records_from_batch.run(_config(tmp_path, ""))


def test_workers_elsewhere_need_paths_that_they_see(tmp_path, exports):
    config = _config(tmp_path, exports, beam_args=("--runner=DataflowRunner",))
    with pytest.raises(ConfigError, match="lies on this machine"):
        records_from_batch.run(config)
