"""A finished folder: published whole, on this disk or in a bucket."""

import dataclasses
import pathlib

import apache_beam as beam
import pytest
import tensorflow as tf

from data_prep.earth_engine.layers import make_layers
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.places import write_places
from data_prep.earth_engine.recipe import Recipe
from data_prep.earth_engine.records.answers import AnswerStore
from data_prep.earth_engine.records.answers import answer_key
from data_prep.earth_engine.records.assemble import NO_VALID_FRAME
from data_prep.earth_engine.records.beam_run import make_options
from data_prep.earth_engine.records.outcome import Outcome
from data_prep.earth_engine.records.record_config import RecordsConfig
from data_prep.earth_engine.records.record_config import find_answers_folder
from data_prep.earth_engine.records.record_output import check_output
from data_prep.earth_engine.records.record_run import make_record_folder
from data_prep.earth_engine.records.record_run import public_flag_lines
from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from s2distill.data.normalize import read_statistics
from s2distill.errors import OutputError
from s2distill.errors import RecordError
from tests.earth_engine_server import world

RECIPE = Recipe(frames_before=1, frames_after=1, bands=("B2", "B8"))


def _prepare(root, count=5):
    """Places with their answers, below a folder or a bucket."""
    places = [
        place_at("EPSG:32616", 9_000 + n, 46_000, 5, date="2020-07-01")
        for n in range(count)
    ]
    write_places(f"{root}/places.geojson", places, split_rule=None)
    config = RecordsConfig(
        places=f"{root}/places.geojson",
        output=f"{root}/records",
        records_per_shard=2,
        keep_answers=True,
    )
    store = AnswerStore(find_answers_folder(config, RECIPE))
    layer = make_layers(RECIPE)[0]
    for place in places:
        answer = world.make_answer(
            place.grid.crs, place.grid.transform, 5, 5, layer.bands
        )
        store.put("s2", answer_key(place, ""), answer.astype(layer.dtype))
    return config, places


def _run(config, find=lambda place: (place.key, Outcome(place.key))):
    make_record_folder(
        config,
        RECIPE,
        beam.Map(find),
        make_options((), paths=[]),
        program="a test",
    )


def _keys(folder):
    return {record["key"] for record in read_records(folder, "train")}


def test_a_folder_appears_whole_with_statistics(tmp_path):
    config, places = _prepare(tmp_path)
    _run(config)
    assert _keys(config.output) == {place.key for place in places}
    manifest = read_manifest(config.output)
    assert [shard.records for shard in manifest.shards] == [2, 2, 1]
    assert manifest.provenance["program"] == "a test"
    read_statistics(tmp_path / "records" / "statistics.json")
    left = {path.name for path in (tmp_path / "records.work").iterdir()}
    answers = find_answers_folder(config, RECIPE).rpartition("/")[2]
    assert left == {
        answers,
        "dead_letter.jsonl",
        "summary.json",
        "run.flags",
        "versions.json",
        "lock",
    }


def test_a_bucket_holds_the_same_bytes(tmp_path):
    # TensorFlow's file system in memory goes the way of gs://.
    config, _ = _prepare(tmp_path)
    remote, _ = _prepare("ram://bucket")
    _run(config)
    _put_stale(remote.output)
    _run(remote)
    for path in (tmp_path / "records").iterdir():
        if path.name == "records.json":
            continue  # it names its own folder
        with tf.io.gfile.GFile(f"{remote.output}/{path.name}", "rb") as file:
            assert file.read() == path.read_bytes(), path.name
    assert _keys(remote.output) == _keys(config.output)
    names = tf.io.gfile.listdir(remote.output)
    assert "mine.txt" in names
    assert not any("00099" in name for name in names)
    with pytest.raises(OutputError, match=r"ram://bucket/.* exists already"):
        check_output(remote)


def _put_stale(folder):
    """A file of an earlier deal, and one that is none of ours."""
    tf.io.gfile.makedirs(folder)
    for name in ("s2distill-train.tfrecord-00000-of-00099", "mine.txt"):
        with tf.io.gfile.GFile(f"{folder}/{name}", "w") as file:
            file.write("old")


def test_without_one_record_there_is_no_folder_and_every_reason(tmp_path):
    config, _ = _prepare(tmp_path)
    with pytest.raises(RecordError, match=r"by reason: 5 why; .*dead_letter"):
        _run(config, lambda place: (place.key, Outcome(place.key, "why")))
    assert not (tmp_path / "records").exists()


def test_answers_go_when_all_is_well_and_stay_when_not(tmp_path):
    config, places = _prepare(tmp_path)
    config = dataclasses.replace(config, keep_answers=False)
    first = places[0].key
    _run(config, lambda p: (p.key, Outcome(p.key, "why" * (p.key == first))))
    answers = pathlib.Path(find_answers_folder(config, RECIPE))
    assert answers.exists()
    _run(dataclasses.replace(config, overwrite=True))
    assert not answers.exists()
    assert len(_keys(config.output)) == 5


def test_where_a_key_lies_is_in_no_record():
    from data_prep.earth_engine.export_config import ExportConfig

    config = ExportConfig(places="p", output="o", ee_key_file="/secret.json")
    lines = public_flag_lines(config)
    assert "--places=p" in lines
    assert not any("secret" in line for line in lines)


def test_a_place_that_can_have_no_record_keeps_no_answers(tmp_path):
    config, places = _prepare(tmp_path)
    config = dataclasses.replace(config, keep_answers=False)
    first = places[0].key

    def find(place):
        reason = NO_VALID_FRAME if place.key == first else ""
        return place.key, Outcome(place.key, reason)

    _run(config, find)
    assert not pathlib.Path(find_answers_folder(config, RECIPE)).exists()


def test_a_damaged_answer_is_removed_so_that_it_is_asked_for_anew(tmp_path):
    config, places = _prepare(tmp_path)
    store = AnswerStore(find_answers_folder(config, RECIPE))
    key = answer_key(places[1], "")
    (path,) = pathlib.Path(store.directory).glob(f"s2/*/{key}.npy")
    path.write_bytes(b"")
    _run(config)
    assert not store.has("s2", key)
    assert len(_keys(config.output)) == 4
