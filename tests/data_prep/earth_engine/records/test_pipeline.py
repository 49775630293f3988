"""The pipeline between places and the folder: nothing lost, nothing twice."""

import apache_beam as beam
import pytest

from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.beam_run import make_options
from data_prep.earth_engine.records.beam_run import run_pipeline
from data_prep.earth_engine.records.outcome import Outcome
from data_prep.earth_engine.records.pipeline import MakeRecords
from data_prep.earth_engine.records.pipeline import RecordsPlan
from s2distill.errors import EarthEngineError

RECIPE = Recipe(frames_before=1, frames_after=1)


@pytest.fixture
def plan(tmp_path):
    places = [
        place_at("EPSG:32616", 9_000 + n, 46_000, 5, date="2020-07-01")
        for n in range(6)
    ]
    write_places(tmp_path / "places.geojson", places, split_rule=None)
    return RecordsPlan(
        places=str(tmp_path / "places.geojson"),
        recipe=RECIPE,
        answers=str(tmp_path / "answers"),
        directory=str(tmp_path / "records"),
        workdir=str(tmp_path / "work"),
        date="",
        records_per_shard=2,
        provenance={},
    )


def _run(plan, find_outcomes):
    root = MakeRecords(plan, beam.FlatMap(find_outcomes))
    run_pipeline(root, make_options((), paths=[]))


def test_a_place_that_gets_lost_stops_the_pipeline(plan):
    def lose_one(place):
        if not place.key.endswith("450000-2300050"):
            yield place.key, Outcome(place.key, "why")

    with pytest.raises(
        EarthEngineError, match=r"450000-2300050 has 1 entries and 0 outcomes"
    ):
        _run(plan, lose_one)


def test_a_place_that_comes_twice_stops_the_pipeline(plan):
    def double(place):
        yield place.key, Outcome(place.key, "why")
        yield place.key, Outcome(place.key, "why")

    with pytest.raises(EarthEngineError, match="1 entries and 2 outcomes"):
        _run(plan, double)


def test_without_a_record_there_is_no_manifest_but_every_reason(plan, tmp_path):
    _run(plan, lambda place: [(place.key, Outcome(place.key, "why", "so"))])
    assert not (tmp_path / "records" / "records.json").exists()
    lines = (tmp_path / "work" / "dead_letter.jsonl").read_text().splitlines()
    assert len(lines) == 6
    assert '"why": 6' in (tmp_path / "work" / "summary.json").read_text()
