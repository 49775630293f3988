"""Exports become answers of places; what did not end is said of each."""

import dataclasses
import shutil

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from data_prep.earth_engine.batch.batch_settings import task_folder
from data_prep.earth_engine.batch.batch_settings import task_name
from data_prep.earth_engine.batch.cells import make_cells
from data_prep.earth_engine.batch.ingest import NOT_FINISHED
from data_prep.earth_engine.batch.ingest import UNREADABLE
from data_prep.earth_engine.batch.ingest import IngestPlaces
from data_prep.earth_engine.batch.ingest import IngestSettings
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.beam_run import LOCAL_RUNNER
from data_prep.earth_engine.records.fetch_places import read_counters
from data_prep.earth_engine.records.outcome import WRONG_ANSWER
from tests.earth_engine_server.batch_area import LAYERS
from tests.earth_engine_server.batch_area import PLACES
from tests.earth_engine_server.batch_area import assert_same
from tests.earth_engine_server.batch_area import connect
from tests.earth_engine_server.batch_area import expected_answer
from tests.earth_engine_server.batch_area import make_run
from tests.earth_engine_server.batch_area import make_settings
from tests.earth_engine_server.batch_area import running_server

SETTINGS = make_settings()
CELLS = make_cells(PLACES, SETTINGS.cell_tiles)
STATE = "FAILED User memory limit exceeded."


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Exports on disk; those of the southern cell failed."""
    folder = tmp_path_factory.mktemp("exports")
    with running_server(
        bucket=str(folder), failed_exports=("utm33s",)
    ) as server:
        run = make_run(connect(server), SETTINGS, folder, max_task_tries=2)
        run.run()
    return folder / SETTINGS.bucket / SETTINGS.prefix, run.entries()


@pytest.fixture
def exports(exported, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(exported[0], tmp_path / "exports")
    return tmp_path / "exports", exported[1]


def _ingest(tmp_path, exports, batch=SETTINGS):
    """Outcomes by key, the store, and the counters of a pipeline."""
    folder, entries = exports
    store = AnswerStore(tmp_path / "answers")
    settings = IngestSettings(
        batch=batch,
        exports=str(folder),
        answers=store.directory,
        entries={entry.task: entry for entry in entries},
    )
    path = tmp_path / "outcomes.txt"

    def keep(outcomes):
        lines = [
            "\t".join((key, outcome.key, outcome.reason, outcome.detail))
            for key, outcome in outcomes
        ]
        path.write_text("\n".join(lines))

    pipeline = beam.Pipeline(runner=LOCAL_RUNNER)
    outcomes = (
        pipeline
        | "Name places" >> beam.Create(PLACES)
        | "Ingest" >> IngestPlaces(settings)
    )
    assert_that(outcomes, keep)
    result = pipeline.run()
    result.wait_until_finish()
    found = [line.split("\t") for line in path.read_text().splitlines()]
    assert all(first == second for first, second, *_ in found)
    assert len(found) == len(PLACES)
    by_key = {key: (reason, detail) for _, key, reason, detail in found}
    return by_key, store, read_counters(result)


def _folder(exports, cell, layer):
    return exports[0] / task_folder(SETTINGS, task_name(cell, layer), 1)


def test_every_place_of_a_finished_cell_has_its_own_answers(tmp_path, exports):
    outcomes, store, counters = _ingest(tmp_path, exports)
    (failed,) = (p for p in PLACES if p.grid.crs == "EPSG:32733")
    for place in PLACES:
        if place is failed:
            continue
        assert outcomes[place.key] == ("", "")
        for layer in LAYERS:
            assert_same(
                store.get(layer.name, answer_key(place, SETTINGS.date)),
                expected_answer(place.grid.refined(layer.factor), layer),
            )
    (cell,) = (c for c in CELLS if c.crs == "EPSG:32733")
    reason, detail = outcomes[failed.key]
    assert reason == NOT_FINISHED
    assert detail == f"task {cell.key}/s2: {STATE}"
    assert counters == {
        "cells": 4,
        "answers_kept": 0,
        "answers_new": 10,
        "patches_unwanted": 3 * 18 - 10,
        "exports_not_finished": 2,
    }


def test_answers_that_are_there_are_not_read_again(tmp_path, exports):
    first, _, _ = _ingest(tmp_path, exports)
    for path in exports[0].glob("**/*.tfrecord.gz"):
        path.write_bytes(b"")
    second, _, counters = _ingest(tmp_path, exports)
    assert second == first
    assert counters["answers_kept"] == 10
    assert "exports_unreadable" not in counters


def test_an_export_that_is_damaged_fails_its_places_alone(tmp_path, exports):
    cell = CELLS[0]
    path = _folder(exports, cell, LAYERS[1]) / "export-00001.tfrecord.gz"
    path.write_bytes(path.read_bytes()[:-30])
    outcomes, _, counters = _ingest(tmp_path, exports)
    keys = {place.key for _, place in cell.places}
    for key in keys:
        reason, detail = outcomes[key]
        assert reason == UNREADABLE
        assert "cut or damaged" in detail
    done = [key for key, (reason, _) in outcomes.items() if not reason]
    assert len(done) == len(PLACES) - len(keys) - 1
    assert counters["exports_unreadable"] == 1


def test_a_patch_of_another_place_is_never_taken(tmp_path, exports):
    # The files of one cell in the folder of another, but for the mixer.
    here, there = (_folder(exports, cell, LAYERS[0]) for cell in CELLS[1:3])
    name = "export-00000.tfrecord.gz"
    (here / name).write_bytes((there / name).read_bytes())
    outcomes, _, counters = _ingest(tmp_path, exports)
    for _, place in CELLS[1].places:
        reason, detail = outcomes[place.key]
        assert reason == WRONG_ANSWER
        assert "shows another place" in detail
    assert counters["patches_wrong"] == 9


@pytest.mark.parametrize("state", ["PENDING", "CANCELLED"])
def test_files_do_not_prove_that_a_task_is_finished(tmp_path, exports, state):
    entries = [
        dataclasses.replace(entry, state=state, message="")
        for entry in exports[1]
    ]
    outcomes, _, counters = _ingest(tmp_path, (exports[0], entries))
    assert {reason for reason, _ in outcomes.values()} == {NOT_FINISHED}
    for cell in CELLS:
        for _, place in cell.places:
            assert outcomes[place.key][1] == f"task {cell.key}/s2: {state}"
    assert "answers_new" not in counters


def test_files_of_another_run_with_the_same_prefix_are_not_read(
    tmp_path, exports
):
    other = make_settings()
    assert other.exports == SETTINGS.exports
    outcomes, _, counters = _ingest(tmp_path, exports, batch=other)
    reasons = {reason for reason, _ in outcomes.values()}
    assert reasons == {NOT_FINISHED, UNREADABLE}
    assert "answers_new" not in counters


def test_a_task_that_was_never_submitted_says_so(tmp_path, exports):
    outcomes, _, _ = _ingest(tmp_path, (exports[0] / "none", []))
    for cell in CELLS:
        for _, place in cell.places:
            detail = f"task {cell.key}/s2: never submitted"
            assert outcomes[place.key] == (NOT_FINISHED, detail)
