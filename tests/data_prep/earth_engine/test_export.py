"""The export as a program: the real client, Beam, records read from disk."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_prep.earth_engine.export import run
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from s2distill.data.manifest import read_manifest
from s2distill.errors import ConfigError
from s2distill.errors import EarthEngineError
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from tests.earth_engine_server import world
from tests.earth_engine_server.exported import FULL
from tests.earth_engine_server.exported import SMALL
from tests.earth_engine_server.exported import ZONE
from tests.earth_engine_server.exported import check_pixels
from tests.earth_engine_server.exported import make_config
from tests.earth_engine_server.exported import raw_records
from tests.earth_engine_server.exported import read_all
from tests.earth_engine_server.exported import write_area


def test_places_become_records_that_tfds_opens(tmp_path, start_server, reach):
    places = write_area(
        tmp_path / "places.geojson", 12, splits=("train", "test", "train")
    )
    server = start_server(latency_s=0.01)
    run(make_config(tmp_path, reach(server), **FULL, records_per_shard=3))
    records = read_all(tmp_path / "records")
    assert set(records) == {place.key for place in places}
    for place in places:
        record = records[place.key]
        check_pixels(record, FULL)
        affine = tuple(place.grid.refined(20).transform)
        xs, ys = world.pixel_centres(affine, 80, 80)
        x, y = np.meshgrid(xs, ys)
        for field, band in (("building", "building"), ("road", "road")):
            np.testing.assert_array_equal(
                record["label"][field], world.fine_values(band, x, y)
            )
        np.testing.assert_array_equal(
            record["image"]["rgb"][..., 0], world.fine_values("red", x, y)
        )
        density = record["label"]["centroid_density"].astype(np.float64)
        count = world.fine_values("centroids", x, y).sum()
        # Some hundred float16 values of three digits each.
        assert density.sum() == pytest.approx(count, abs=0.02)
    manifest = read_manifest(tmp_path / "records")
    assert manifest.count("train") == 8
    assert manifest.count("test") == 4
    assert "--ee_key_file" not in json.dumps(manifest.to_json())
    builder = tfds.builder_from_directory(str(tmp_path / "records"))
    assert builder.info.splits["train"].num_examples == 8
    assert (tmp_path / "records" / "statistics.json").exists()
    assert not list((tmp_path / "records.work").glob("answers*"))


def test_a_place_that_is_given_up_is_asked_for_alone_the_next_time(
    tmp_path, start_server, reach
):
    places = write_area(tmp_path / "places.geojson", 6)
    left = places[2].grid.bounds[0]
    server = start_server(poisoned=(left,))
    config = make_config(tmp_path, reach(server), **SMALL)
    run(config)
    assert len(read_all(tmp_path / "records")) == 5
    server.settings.poisoned = ()
    server.requests.clear()
    run(make_config(tmp_path, reach(server), **SMALL, overwrite=True))
    assert [request.affine[2] for request in server.requests] == [left]
    assert len(read_all(tmp_path / "records")) == 6


def test_answers_that_are_too_large_are_asked_for_in_pieces(
    tmp_path, start_server, reach
):
    write_area(tmp_path / "places.geojson", 2)
    # Of pieces the server cannot tell which frames are the last.
    server = start_server(limit_bytes=200, frames_missing=0)
    run(make_config(tmp_path, reach(server), **SMALL))
    for record in read_all(tmp_path / "records").values():
        check_pixels(record, empty=0)
    assert {request.status for request in server.requests} == {200, 400}


def test_a_server_that_mixes_places_up_is_found_out(
    tmp_path, start_server, reach
):
    write_area(tmp_path / "places.geojson", 1)
    server = start_server(mixed_up=True)
    server.last_place = (10.0, 0.0, 600_000.0, 0.0, -10.0, 4_000_000.0)
    with pytest.raises(RecordError, match="no place became a record"):
        run(make_config(tmp_path, reach(server), **SMALL, max_tries=1))
    lines = (tmp_path / "records.work" / "dead_letter.jsonl").read_text()
    assert "shows another place" in json.loads(lines)["detail"]


def test_two_workers_write_what_one_writes(tmp_path, start_server, reach):
    write_area(tmp_path / "places.geojson", 10)
    flags = reach(start_server())
    for output, beam_args in (
        ("one", ()),
        (
            "two",
            (
                "--direct_num_workers=2",
                "--direct_running_mode=multi_threading",
            ),
        ),
    ):
        config = make_config(tmp_path, flags, **SMALL, beam_args=beam_args)
        run(dataclasses.replace(config, output=str(tmp_path / output)))
    assert raw_records(tmp_path / "one") == raw_records(tmp_path / "two")


def test_a_dry_run_asks_for_nothing(tmp_path, capsys):
    write_area(tmp_path / "places.geojson", 7)
    run(make_config(tmp_path, {}, **FULL, dry_run=True))
    shown = capsys.readouterr().out
    assert "places      7 (7 train)" in shown
    assert "requests    14" in shown
    assert not (tmp_path / "records").exists()
    assert not (tmp_path / "records.work").exists()


def test_records_that_exist_are_kept(tmp_path, start_server, reach):
    write_area(tmp_path / "places.geojson", 2)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "mine").write_text("x")
    with pytest.raises(OutputError, match="exists already"):
        run(make_config(tmp_path, reach(start_server()), **SMALL))


def test_places_without_a_date_are_refused_before_anything_is_asked(
    tmp_path, start_server, reach
):
    place = place_at(ZONE, 18_000, 93_000, 4)
    write_places(tmp_path / "places.geojson", [place], split_rule=None)
    server = start_server()
    with pytest.raises(ConfigError, match=r"1 places of .* have no date"):
        run(make_config(tmp_path, reach(server), **SMALL))
    assert not server.requests


def test_held_out_places_without_labels_are_not_asked_for(
    tmp_path, start_server, reach
):
    write_area(tmp_path / "places.geojson", 6, splits=("train", "test"))
    server = start_server()
    run(make_config(tmp_path, reach(server), **SMALL))
    assert len(server.requests) == 3
    assert read_manifest(tmp_path / "records").dropped == {
        "in a held-out block, and there are no labels": 3
    }


def test_a_service_that_lets_nobody_in_says_so_in_one_line(tmp_path):
    write_area(tmp_path / "places.geojson", 1)
    flags = {
        "ee_project": "my-project",
        "ee_credentials": "anonymous",
        "ee_url": "http://127.0.0.1:9",
    }
    with pytest.raises(EarthEngineError, match="does not let project"):
        run(make_config(tmp_path, flags, **SMALL))


@pytest.mark.parametrize(
    ("beam_args", "changes", "message"),
    [
        (
            (
                "--direct_num_workers=3",
                "--direct_running_mode=multi_processing",
            ),
            {"requests_in_flight": 2},
            "3 workers cannot share --requests_in_flight=2",
        ),
        (
            (
                "--runner=DataflowRunner",
                "--project=p",
                "--region=us-central1",
                "--max_num_workers=2",
            ),
            {
                "ee_credentials": "service_account",
                "ee_key_file": "key.json",
                "output": "ram://b/records",
            },
            "key.json lies on this machine",
        ),
    ],
)
def test_workers_that_could_not_ask_are_refused_first(
    tmp_path, beam_args, changes, message
):
    path = tmp_path / "places.geojson"
    write_area(path, 2)
    if "output" in changes:
        import tensorflow as tf

        with tf.io.gfile.GFile("ram://b/places.geojson", "w") as file:
            file.write(path.read_text())
        changes = {**changes, "places": "ram://b/places.geojson"}
    config = make_config(tmp_path, {"ee_project": "my-project"}, **SMALL)
    config = dataclasses.replace(config, beam_args=beam_args, **changes)
    with pytest.raises(ConfigError, match=message):
        run(config)


@pytest.mark.parametrize(
    "changes", [{"window_days": 30}, {"date": "2021-07-01"}]
)
def test_answers_to_another_question_are_not_used(
    tmp_path, start_server, reach, changes
):
    path = tmp_path / "places.geojson"
    place = place_at(ZONE, 18_000, 93_000, 4)
    write_places(path, [place], split_rule=None)
    server = start_server()
    config = make_config(tmp_path, reach(server), **SMALL, date="2020-07-01")
    config = dataclasses.replace(config, keep_answers=True)
    run(config)
    shared = str(tmp_path / "records.work")
    again = dataclasses.replace(config, overwrite=True, workdir=shared)
    server.requests.clear()
    run(again)
    assert not server.requests
    run(dataclasses.replace(again, **changes))
    assert len(server.requests) == 1
