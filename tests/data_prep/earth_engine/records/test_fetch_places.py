"""The step that asks: answers kept, failures named, numbers counted."""

import apache_beam as beam
import pytest

from data_prep.earth_engine.asking import faults
from data_prep.earth_engine.asking.client import connect
from data_prep.earth_engine.asking.client_config import ClientConfig
from data_prep.earth_engine.expressions.prepared import prepare_layer
from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.beam_run import make_options
from data_prep.earth_engine.records.fetch_places import FetchPlaces
from data_prep.earth_engine.records.fetch_places import FetchSettings
from data_prep.earth_engine.records.fetch_places import read_counters

RECIPE = Recipe(
    frames_before=1,
    frames_after=1,
    bands=("B2",),
    frames_around="place",
    image="USDA/NAIP/DOQQ",
)


@pytest.fixture
def fetch(tmp_path, start_server, reach, monkeypatch):
    """Fetches places from a server; gives outcomes and counters."""
    monkeypatch.setattr(faults, "BASE_WAIT_S", 0.01)

    def act(places, server, **flags):
        config = ClientConfig(**reach(server), **flags)
        connect(config)
        layers = tuple(
            (layer, prepare_layer(RECIPE, layer))
            for layer in make_layers(RECIPE)
        )
        settings = FetchSettings(
            config, layers, str(tmp_path / "answers"), "2020-07-01", 1
        )
        found = tmp_path / "outcomes"
        pipeline = beam.Pipeline(options=make_options((), paths=[]))
        _ = (
            pipeline
            | beam.Create(places)
            | beam.ParDo(FetchPlaces(settings))
            | beam.Map(lambda pair: repr(tuple(pair[1].__dict__.values())))
            | beam.io.WriteToText(str(found), shard_name_template="")
        )
        result = pipeline.run()
        outcomes = map(eval, found.read_text().splitlines())  # our own reprs
        return {key: (why, more) for key, why, more in outcomes}, (
            read_counters(result)
        )

    return act


def _places(count):
    return [place_at("EPSG:32616", 9_000 + n, 46_000, 3) for n in range(count)]


def test_each_place_has_one_outcome_and_its_layers_on_disk(
    fetch, start_server, tmp_path
):
    places = _places(90)  # more than twice the threads
    outcomes, counters = fetch(places, start_server(), requests_per_s=1e4)
    assert outcomes == {place.key: ("", "") for place in places}
    store = AnswerStore(tmp_path / "answers")
    for layer in ("s2", "fine"):
        assert store.keys(layer) == {f"{k}-3px-2020-07-01" for k in outcomes}
    assert counters["done"] == 90
    assert counters["requests"] == counters["answers_new"] == 180


def test_what_is_on_disk_is_not_asked_for(fetch, start_server, tmp_path):
    places = _places(4)
    server = start_server()
    fetch(places[:3], server)
    (layer_file,) = (tmp_path / "answers" / "fine").glob(
        f"*/{places[0].key}-3px-2020-07-01.npy"
    )
    layer_file.unlink()
    before = len(server.requests)
    _, counters = fetch(places, server)
    assert len(server.requests) - before == 3  # one layer, and a new place
    assert counters["answers_kept"] == 5


def test_a_refused_place_says_why_and_the_others_go_on(fetch, start_server):
    places = _places(5)
    left = places[1].grid.bounds[0]
    outcomes, counters = fetch(places, start_server(poisoned=(left,)))
    why, more = outcomes.pop(places[1].key)
    assert why == "Earth Engine refuses it"
    assert "HTTP 400: Image.load: Image asset 'x' not found." in more
    assert set(outcomes.values()) == {("", "")}
    assert counters["failed"] == 1


def test_retries_and_sleep_are_counted(fetch, start_server):
    server = start_server(fault_share=0.4, faults=(429, 500), seed=3)
    _, counters = fetch(_places(8), server, max_tries=30)
    failed = sum(request.status != 200 for request in server.requests)
    assert failed > 0
    assert counters["retried"] == failed
    assert counters["requests"] == 16 + failed
    assert counters["asleep_ms"] > 0


def test_a_request_that_nothing_makes_small_enough_is_given_up(
    fetch, start_server
):
    outcomes, _ = fetch(_places(1), start_server(limit_bytes=3))
    [(why, _)] = outcomes.values()
    assert why == "too large for one request"
