"""The program that submits batch exports: output, stops and resumes."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from data_prep.earth_engine.batch.batch_config import BatchConfig
from data_prep.earth_engine.batch.batch_ledger import Ledger
from data_prep.earth_engine.batch.batch_settings import read_settings
from data_prep.earth_engine.batch_export import run
from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.places.places import write_places
from s2distill.errors import ConfigError
from s2distill.flag_config import to_flag_lines
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import RECIPE
from tests.earth_engine_server.batch_area import running_server

TASKS = 8


@pytest.fixture
def make_config(tmp_path):
    path = tmp_path / "places.geojson"
    write_places(path, PLACES, split_rule=None)

    def make(server=None, **changes):
        fields = {
            **vars(RECIPE),
            "places": str(path),
            "bucket": "my-bucket",
            "prefix": "s2distill/area",
            "workdir": str(tmp_path / "run"),
            "date": "2020-06-01",
            "cell_tiles": 3,
            "poll_s": 0.01,
            "ee_project": "my-project",
            "ee_credentials": "anonymous",
            "ee_url": server.url if server else "http://127.0.0.1:9",
        }
        return BatchConfig(**{**fields, **changes})

    return make


def _entries(config):
    return Ledger(f"{config.workdir}/ledger.jsonl").entries()


def test_a_dry_run_prints_the_plan_and_asks_nobody(make_config, capsys):
    config = make_config(dry_run=True)
    run(config)
    shown = capsys.readouterr().out
    assert "tasks       8: 4 cells of 3 x 3 places" in shown
    assert "gs://my-bucket/s2distill/area" in shown
    assert not os.path.exists(config.workdir)


def test_a_run_says_what_became_of_its_tasks(make_config, capsys):
    with running_server() as server:
        config = make_config(server)
        run(config)
        shown = capsys.readouterr().out
        assert "tasks       8 succeeded; 0.00 EECU-hours" in shown
        assert "8 tasks_submitted" in shown
        assert "given up" not in shown
        assert [entry.state for entry in _entries(config)] == (
            ["SUCCEEDED"] * TASKS
        )
        found = read_places(f"{config.workdir}/places.geojson")
        assert found.places == PLACES
        assert read_settings(config.workdir).recipe == RECIPE
        run(config)
        assert len(server.exports.started) == TASKS


def test_a_run_goes_on_with_the_flags_it_began_with(make_config):
    with running_server() as server:
        run(make_config(server, wait=False))
        with pytest.raises(ConfigError, match="--tensor was False, is True"):
            run(make_config(server, tensor=True))
        # How tasks are watched may change.
        run(make_config(server, max_waiting=5, max_task_tries=1))
        assert len(server.exports.started) == TASKS


def test_tasks_that_are_given_up_are_listed_with_reason_and_places(
    make_config, capsys
):
    with running_server(failed_exports=("utm33s",)) as server:
        config = make_config(server, max_task_tries=2)
        run(config)
    shown = capsys.readouterr().out
    assert "tasks       2 failed, 6 succeeded" in shown
    assert "given up    2 tasks, with what Earth Engine said" in shown
    with open(f"{config.workdir}/failed_tasks.jsonl") as file:
        failed = [json.loads(line) for line in file]
    (place,) = (p for p in PLACES if p.grid.crs == "EPSG:32733")
    assert [entry["task"][-3:] for entry in failed] == ["/s2", "ine"]
    for entry in failed:
        assert entry["places"] == [place.key]
        assert entry["message"] == "User memory limit exceeded."
        assert entry["tries"] == 2


def test_a_run_can_be_cancelled_and_begun_again(make_config, capsys):
    with running_server(export_polls=4) as server:
        run(make_config(server, wait=False))
        assert "8 pending" in capsys.readouterr().out
        run(make_config(server, cancel=True))
        assert "8 cancelled" in capsys.readouterr().out
        run(make_config(server))
        assert "8 succeeded" in capsys.readouterr().out
        assert len(server.exports.started) == 2 * TASKS


@pytest.fixture
def few(tmp_path):
    """A places file with some of the places."""
    path = tmp_path / "few.geojson"
    write_places(path, PLACES[:2], split_rule=None)
    return str(path)


def test_a_run_goes_on_with_the_places_it_began_with(make_config, few):
    with running_server() as server:
        config = make_config(server)
        run(config)
        with pytest.raises(ConfigError, match="--places was 6 .*, is 2 place"):
            run(make_config(server, places=few))
        assert len(server.exports.started) == TASKS
    found = read_places(f"{config.workdir}/places.geojson")
    assert found.places == PLACES


def test_all_tasks_are_cancelled_whatever_places_are_named(
    make_config, few, capsys
):
    with running_server(export_polls=4) as server:
        config = make_config(server, wait=False)
        run(config)
        run(make_config(server, cancel=True, places=few))
        assert "8 cancelled" in capsys.readouterr().out
        run(make_config(server, cancel=True, places="none.geojson"))
        assert {entry.state for entry in _entries(config)} == {"CANCELLED"}
    found = read_places(f"{config.workdir}/places.geojson")
    assert found.places == PLACES


def test_nothing_is_cancelled_where_no_run_began(make_config):
    with pytest.raises(ConfigError, match="batch_export, which begins a run"):
        run(make_config(cancel=True))


def test_the_report_is_written_also_when_the_run_fails(make_config, capsys):
    with running_server(export_faults=(400,) * 9) as server:
        config = make_config(server)
        with pytest.raises(Exception, match="one after another were refused"):
            run(config)
    assert "3 failed" in capsys.readouterr().out


def test_a_killed_program_goes_on_and_exports_nothing_twice(make_config):
    with running_server(export_polls=2) as server:
        config = make_config(server, max_waiting=3)
        flags = [
            line
            for line in to_flag_lines(config)
            if not line.startswith("--poll_s")
        ]
        command = [
            sys.executable, "-m", "data_prep.earth_engine.batch_export",
            *flags, "--poll_s=0.1",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(server.exports.started) < 4:
            assert process.poll() is None, "it ended before the kill"
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(server.exports.started) < TASKS
        run(config)
        assert [entry.state for entry in _entries(config)] == (
            ["SUCCEEDED"] * TASKS
        )
        assert len(server.exports.started) == TASKS
        assert len(set(server.exports.started)) == TASKS
