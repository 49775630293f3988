"""One file of records: bytes of the answers alone, and why some are absent."""

import pytest
import tensorflow as tf

from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.assemble import make_spec
from data_prep.earth_engine.records.outcome import Outcome
from data_prep.earth_engine.records.record_files import write_record_file
from data_prep.earth_engine.records.shard_plan import ShardNumber
from s2distill.data.schema import make_features
from tests.earth_engine_server import world

RECIPE = Recipe(frames_before=1, frames_after=1, bands=("B2", "B8"))
NUMBER = ShardNumber("train", 0, 2)


def _put(store, places, frames_missing=0):
    layer = make_layers(RECIPE)[0]
    for place in places:
        answer = world.make_answer(
            place.grid.crs,
            place.grid.transform,
            place.grid.height,
            place.grid.width,
            layer.bands,
            frames_missing,
        )
        store.put("s2", answer_key(place, ""), answer.astype(layer.dtype))


@pytest.fixture
def places():
    return [place_at("EPSG:32616", 9_000 + n, 46_000, 5) for n in range(4)]


def _read_keys(folder):
    """Keys of the records of the file, in its order."""
    features = make_features(make_spec(RECIPE, 5))
    return [
        features.deserialize_example(record)["key"].numpy().decode()
        for record in tf.data.TFRecordDataset(str(folder / NUMBER.name))
    ]


def _pairs(places):
    return [(place, Outcome(place.key)) for place in places]


def test_the_order_of_answers_does_not_change_a_byte(tmp_path, places):
    store = AnswerStore(tmp_path / "answers")
    _put(store, places)
    for name, pairs in (
        ("a", _pairs(places)),
        ("b", _pairs(places)[::-1]),
    ):
        write_record_file(NUMBER, pairs, RECIPE, store, str(tmp_path / name))
    one, two = (tmp_path / name / NUMBER.name for name in "ab")
    assert one.read_bytes() == two.read_bytes()


def test_records_are_read_back_in_the_order_of_their_keys(tmp_path, places):
    store = AnswerStore(tmp_path / "answers")
    _put(store, places)
    report = write_record_file(
        NUMBER, _pairs(places[::-1]), RECIPE, store, str(tmp_path)
    )
    found = _read_keys(tmp_path)
    assert found == sorted(place.key for place in places)
    assert report.shard.records == 4
    assert report.shard.bytes == (tmp_path / NUMBER.name).stat().st_size


def test_each_place_without_a_record_is_named_with_its_reason(tmp_path, places):
    store = AnswerStore(tmp_path / "answers")
    _put(store, places[:1])
    _put(store, places[1:2], frames_missing=2)
    pairs = _pairs(places[:3])
    refused = Outcome(places[3].key, "Earth Engine refuses it", "HTTP 400: x")
    report = write_record_file(
        NUMBER, [*pairs, (places[3], refused)], RECIPE, store, str(tmp_path)
    )
    assert _read_keys(tmp_path) == [places[0].key]
    assert report.dropped == {
        "no valid frame": 1,
        "the answer does not fit": 1,  # its file is not there
        "Earth Engine refuses it": 1,
    }
    dead = {entry["key"]: entry for entry in report.dead}
    assert set(dead) == {place.key for place in places[1:]}
    last = dead[places[3].key]
    assert last["detail"] == "HTTP 400: x"
    assert (last["left"], last["top"]) == (450_150.0, 2_300_050.0)
    assert last["split"] == "train"


def test_a_file_without_a_record_is_there_and_empty(tmp_path, places):
    pair = (places[0], Outcome(places[0].key, "why", ""))
    store = AnswerStore(tmp_path / "answers")
    report = write_record_file(NUMBER, [pair], RECIPE, store, str(tmp_path))
    assert report.shard.records == 0
    assert (tmp_path / NUMBER.name).read_bytes() == b""


def test_a_failure_leaves_no_file_behind(tmp_path, places, monkeypatch):
    from data_prep.earth_engine.records import record_files

    store = AnswerStore(tmp_path / "answers")
    _put(store, places)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(record_files, "make_example", fail)
    folder = tmp_path / "records"
    with pytest.raises(MemoryError):
        write_record_file(NUMBER, _pairs(places), RECIPE, store, str(folder))
    assert list(folder.iterdir()) == []
