"""The export under load: threads, faults, a kill, training on its records."""

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

from data_prep.earth_engine.asking import faults
from data_prep.earth_engine.export import run
from data_prep.earth_engine.export_config import ExportConfig
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from s2distill.data.manifest import read_manifest
from tests.earth_engine_server.exported import FULL
from tests.earth_engine_server.exported import SMALL
from tests.earth_engine_server.exported import ZONE
from tests.earth_engine_server.exported import check_pixels
from tests.earth_engine_server.exported import make_config
from tests.earth_engine_server.exported import raw_records
from tests.earth_engine_server.exported import read_all
from tests.earth_engine_server.exported import write_area


@pytest.mark.slow
def test_of_500_places_and_64_threads_each_keeps_its_own_pixels(
    tmp_path, start_server, reach, monkeypatch
):
    _slow_encoding(monkeypatch)
    places = write_area(tmp_path / "places.geojson", 500)
    server = start_server(latency_s=0.8, check_graphs=False)
    flags = {**reach(server), "requests_per_s": 1000.0}
    run(make_config(tmp_path, flags, **SMALL, requests_in_flight=64))
    records = read_all(tmp_path / "records")
    assert set(records) == {place.key for place in places}
    for record in records.values():
        check_pixels(record)
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
    places = write_area(tmp_path / "places.geojson", 500)
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
    run(make_config(tmp_path, flags, **SMALL, request_timeout_s=3.0))
    records = read_all(tmp_path / "records")
    lines = (tmp_path / "records.work" / "dead_letter.jsonl").read_text()
    dead = {
        entry["key"]: entry for entry in map(json.loads, lines.splitlines())
    }
    assert set(dead) == given_up
    assert set(records) == {place.key for place in places} - given_up
    assert all("not found" in entry["detail"] for entry in dead.values())
    for record in records.values():
        check_pixels(record)
    dropped = read_manifest(tmp_path / "records").dropped
    assert dropped == {"Earth Engine refuses it": len(given_up)}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_writes_what_an_undisturbed_one_writes(
    tmp_path, start_server, reach
):
    places = write_area(tmp_path / "places.geojson", 120)
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
    assert raw_records(tmp_path / "killed") == raw_records(
        tmp_path / "undisturbed"
    )


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
        config = make_config(tmp_path, flags, **asked)
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
