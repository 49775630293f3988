"""The export end to end: the real client, Beam, and records read from disk."""

import collections
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_prep.earth_engine import faults
from data_prep.earth_engine.export import run
from data_prep.earth_engine.export_config import ExportConfig
from data_prep.earth_engine.place import place_at
from data_prep.earth_engine.places import write_places
from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from s2distill.errors import ConfigError
from s2distill.errors import EarthEngineError
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from tests.earth_engine_server import world

ZONE = "EPSG:32616"
SMALL = {"frames_before": 2, "frames_after": 1, "bands": ("B2", "B4", "B8")}
FULL = {
    **SMALL,
    "image": "USDA/NAIP/DOQQ",
    "buildings": "projects/team/assets/footprints",
    "height_property": "height",
    "roads": "TIGER/2016/Roads",
}


def _write_places(path, count, tile_px=4, splits=("train",)):
    """So many places of one zone, their splits far apart."""
    places = [
        place_at(
            ZONE,
            18_000 + 7 * (n % 25) + 2_000 * (n % len(splits)),
            93_000 + 3 * (n // 25),
            tile_px,
            split=splits[n % len(splits)],
            date="2020-07-01",
        )
        for n in range(count)
    ]
    write_places(path, places, split_rule=None)
    return places


def _config(tmp_path, flags, **changes):
    return ExportConfig(
        places=str(tmp_path / "places.geojson"),
        output=str(tmp_path / "records"),
        **{"max_tries": 12, **flags, **changes},
    )


def _read_all(folder):
    """All records of a folder by key."""
    found = {}
    for shard_split in {s.split for s in read_manifest(folder).shards}:
        for record in read_records(folder, shard_split):
            assert record["key"] not in found
            found[record["key"]] = record
    return found


def _check_pixels(record, recipe=SMALL, empty=1):
    """Every pixel is the one that belongs at its place."""
    affine = tuple(record["meta"]["transform"])
    frames = recipe["frames_before"] + recipe["frames_after"] - empty
    side = record["s2"]["image"].shape[1]
    xs, ys = world.pixel_centres(affine, side, side)
    x, y = np.meshgrid(xs, ys)
    # The server leaves the last frame of each place empty.
    assert len(record["s2"]["image"]) == frames
    for frame in range(frames):
        valid = world.frame_values(frame, "valid", x, y)
        np.testing.assert_array_equal(record["s2"]["valid"][frame], valid)
        for band, name in enumerate(recipe["bands"]):
            np.testing.assert_array_equal(
                record["s2"]["image"][frame, :, :, band],
                world.frame_values(frame, name, x, y) * valid,
            )
    days = record["s2"]["time_utc_s"] // 86_400
    np.testing.assert_array_equal(days, world.FIRST_DAY + 5 * np.arange(frames))


def test_places_become_records_that_tfds_opens(tmp_path, start_server, reach):
    places = _write_places(
        tmp_path / "places.geojson", 12, splits=("train", "test", "train")
    )
    server = start_server(latency_s=0.01)
    run(_config(tmp_path, reach(server), **FULL, records_per_shard=3))
    records = _read_all(tmp_path / "records")
    assert set(records) == {place.key for place in places}
    for place in places:
        record = records[place.key]
        _check_pixels(record, FULL)
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
    assert not (tmp_path / "records.work" / "answers").exists()


@pytest.mark.slow
def test_of_500_places_and_64_threads_each_keeps_its_own_pixels(
    tmp_path, start_server, reach, monkeypatch
):
    _slow_encoding(monkeypatch)
    places = _write_places(tmp_path / "places.geojson", 500)
    server = start_server(latency_s=0.8, check_graphs=False)
    flags = {**reach(server), "requests_per_s": 1000.0}
    run(_config(tmp_path, flags, **SMALL, requests_in_flight=64))
    records = _read_all(tmp_path / "records")
    assert set(records) == {place.key for place in places}
    for record in records.values():
        _check_pixels(record)
    assert server.most_in_flight > 32  # or nothing was put to the test


def _slow_encoding(monkeypatch):
    """Encoding that takes 10 ms, as large graphs do.

    In the notebook that many copied, a request shared by threads is changed
    by one while another encodes it.
    """
    import ee

    encode = ee.serializer.encode

    def slowly(*arguments, **keywords):
        time.sleep(0.01)
        return encode(*arguments, **keywords)

    monkeypatch.setattr(ee.serializer, "encode", slowly)


@pytest.mark.slow
def test_with_a_fifth_of_all_answers_faulty_no_place_is_lost_or_doubled(
    tmp_path, start_server, reach, monkeypatch
):
    monkeypatch.setattr(faults, "BASE_WAIT_S", 0.05)
    places = _write_places(tmp_path / "places.geojson", 500)
    poisoned = [place.grid.bounds[0] for place in places[3:500:100]]
    given_up = {p.key for p in places if p.grid.bounds[0] in poisoned}
    server = start_server(
        fault_share=0.2,
        faults=(429, 500, "cut", "stall"),
        stall_s=30.0,
        poisoned=tuple(poisoned),
        seed=5,
        check_graphs=False,
    )
    flags = {**reach(server), "requests_per_s": 1000.0}
    run(_config(tmp_path, flags, **SMALL, request_timeout_s=3.0))
    records = _read_all(tmp_path / "records")
    lines = (tmp_path / "records.work" / "dead_letter.jsonl").read_text()
    dead = {
        entry["key"]: entry for entry in map(json.loads, lines.splitlines())
    }
    assert set(dead) == given_up
    assert set(records) == {place.key for place in places} - given_up
    assert all("not found" in entry["detail"] for entry in dead.values())
    for record in records.values():
        _check_pixels(record)
    dropped = read_manifest(tmp_path / "records").dropped
    assert dropped == {"Earth Engine refuses it": len(given_up)}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_writes_what_an_undisturbed_one_writes(
    tmp_path, start_server, reach
):
    places = _write_places(tmp_path / "places.geojson", 120)
    in_flight = 8
    log = tmp_path / "requests.jsonl"
    server = start_server(latency_s=0.15, log=str(log))
    flags = {**reach(server), **SMALL, "requests_in_flight": in_flight}
    command = [
        sys.executable,
        "-m",
        "data_prep.earth_engine.export",
        f"--places={tmp_path / 'places.geojson'}",
        f"--output={tmp_path / 'killed'}",
        *(
            f"--{name}={','.join(v) if isinstance(v, tuple) else v}"
            for name, v in flags.items()
        ),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while len(server.requests) < 50:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed").exists()
    subprocess.run(command, check=True, capture_output=True)
    asked = collections.Counter(
        request.place for request in server.requests if request.status == 200
    )
    assert len(asked) == len(places)
    twice = [place for place, number in asked.items() if number > 1]
    assert max(asked.values()) <= 2
    assert len(twice) <= in_flight
    run(
        ExportConfig(
            places=str(tmp_path / "places.geojson"),
            output=str(tmp_path / "undisturbed"),
            **flags,
        )
    )
    assert _raw_records(tmp_path / "killed") == _raw_records(
        tmp_path / "undisturbed"
    )


def _raw_records(folder):
    """The bytes of each file of records."""
    return {p.name: p.read_bytes() for p in folder.glob("*.tfrecord*")}


@pytest.mark.slow
def test_teacher_and_student_train_on_what_was_exported(
    tmp_path, start_server, reach
):
    from s2distill.train import Config as TrainConfig
    from s2distill.train import run as train

    flags = reach(start_server(check_graphs=False))
    for name, first_col, asked in (
        ("labelled", 9_000, FULL),
        ("weak", 9_500, {**SMALL, "weak_labels": "projects/p/assets/weak"}),
    ):
        places = [
            place_at(
                ZONE,
                first_col + 9 * n,
                46_000,
                8,
                split="train" if n < 4 else "validation",
                date="2020-07-01",
            )
            for n in range(6)
        ]
        write_places(tmp_path / f"{name}.geojson", places, split_rule=None)
        config = _config(tmp_path, flags, **asked)
        run(
            dataclasses.replace(
                config,
                places=str(tmp_path / f"{name}.geojson"),
                output=str(tmp_path / name),
            )
        )
    shared = {"steps": 1, "epoch_steps": 1, "batch_size": 2, "crop_px": 8}
    train(
        TrainConfig(
            network="teacher",
            records=(str(tmp_path / "labelled"),),
            workdir=str(tmp_path / "teacher"),
            **shared,
        )
    )
    train(
        TrainConfig(
            network="student",
            records=(str(tmp_path / "labelled"), str(tmp_path / "weak")),
            hard_share=0.5,
            frames=2,
            workdir=str(tmp_path / "student"),
            **shared,
        )
    )
    for name in ("teacher", "student"):
        [line] = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        assert np.isfinite(json.loads(line)["loss"])


def test_a_place_that_is_given_up_is_asked_for_alone_the_next_time(
    tmp_path, start_server, reach
):
    places = _write_places(tmp_path / "places.geojson", 6)
    left = places[2].grid.bounds[0]
    server = start_server(poisoned=(left,))
    config = _config(tmp_path, reach(server), **SMALL)
    run(config)
    assert len(_read_all(tmp_path / "records")) == 5
    server.settings.poisoned = ()
    server.requests.clear()
    run(_config(tmp_path, reach(server), **SMALL, overwrite=True))
    assert [request.affine[2] for request in server.requests] == [left]
    assert len(_read_all(tmp_path / "records")) == 6


def test_answers_that_are_too_large_are_asked_for_in_pieces(
    tmp_path, start_server, reach
):
    _write_places(tmp_path / "places.geojson", 2)
    # Of pieces the server cannot tell which frames are the last.
    server = start_server(limit_bytes=200, frames_missing=0)
    run(_config(tmp_path, reach(server), **SMALL))
    for record in _read_all(tmp_path / "records").values():
        _check_pixels(record, empty=0)
    assert {request.status for request in server.requests} == {200, 400}


def test_a_server_that_mixes_places_up_is_found_out(
    tmp_path, start_server, reach
):
    _write_places(tmp_path / "places.geojson", 1)
    server = start_server(mixed_up=True)
    server.last_place = (10.0, 0.0, 600_000.0, 0.0, -10.0, 4_000_000.0)
    with pytest.raises(RecordError, match="no place became a record"):
        run(_config(tmp_path, reach(server), **SMALL, max_tries=1))
    lines = (tmp_path / "records.work" / "dead_letter.jsonl").read_text()
    assert "shows another place" in json.loads(lines)["detail"]


def test_two_workers_write_what_one_writes(tmp_path, start_server, reach):
    _write_places(tmp_path / "places.geojson", 10)
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
        config = _config(tmp_path, flags, **SMALL, beam_args=beam_args)
        run(dataclasses.replace(config, output=str(tmp_path / output)))
    assert _raw_records(tmp_path / "one") == _raw_records(tmp_path / "two")


def test_a_dry_run_asks_for_nothing(tmp_path, capsys):
    _write_places(tmp_path / "places.geojson", 7)
    run(_config(tmp_path, {}, **FULL, dry_run=True))
    shown = capsys.readouterr().out
    assert "places      7 (7 train)" in shown
    assert "requests    14" in shown
    assert not (tmp_path / "records").exists()
    assert not (tmp_path / "records.work").exists()


def test_records_that_exist_are_kept(tmp_path, start_server, reach):
    _write_places(tmp_path / "places.geojson", 2)
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "mine").write_text("x")
    with pytest.raises(OutputError, match="exists already"):
        run(_config(tmp_path, reach(start_server()), **SMALL))


def test_places_without_a_date_are_refused_before_anything_is_asked(
    tmp_path, start_server, reach
):
    place = place_at(ZONE, 18_000, 93_000, 4)
    write_places(tmp_path / "places.geojson", [place], split_rule=None)
    server = start_server()
    with pytest.raises(ConfigError, match=r"1 places of .* have no date"):
        run(_config(tmp_path, reach(server), **SMALL))
    assert not server.requests


def test_held_out_places_without_labels_are_not_asked_for(
    tmp_path, start_server, reach
):
    _write_places(tmp_path / "places.geojson", 6, splits=("train", "test"))
    server = start_server()
    run(_config(tmp_path, reach(server), **SMALL))
    assert len(server.requests) == 3
    assert read_manifest(tmp_path / "records").dropped == {
        "in a held-out block, and there are no labels": 3
    }


def test_a_service_that_lets_nobody_in_says_so_in_one_line(tmp_path):
    _write_places(tmp_path / "places.geojson", 1)
    flags = {
        "ee_project": "my-project",
        "ee_credentials": "anonymous",
        "ee_url": "http://127.0.0.1:9",
    }
    with pytest.raises(EarthEngineError, match="does not let project"):
        run(_config(tmp_path, flags, **SMALL))
