import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from s2distill.data.folders import read_records
from s2distill.data.manifest import read_manifest
from s2distill.data.records import RecordWriter
from s2distill.data.schema import OPTIONAL_FIELDS
from s2distill.data.schema import RecordSpec
from s2distill.errors import OutputError
from s2distill.errors import RecordError

SPEC = RecordSpec(bands=("B2", "B8"), tile_px=3, label_factor=5)


def make_example(key="a", **changes):
    rng = np.random.default_rng(len(key))
    meta = {
        "crs": "EPSG:32633",
        "transform": np.arange(6.0),
        "product_level": "L2A",
        "quantification_dn": 10_000.0,
        "offset_dn": 0.0,
        "provenance": "{}",
    }
    return {
        "key": key,
        "s2": {
            "image": rng.integers(0, 9000, (4, 3, 3, 2), dtype=np.uint16),
            "valid": np.ones((4, 3, 3), np.uint8),
            "time_utc_s": np.arange(4, dtype=np.int64),
        },
        "meta": {**meta, **changes},
    }


def assert_same(found, written):
    for name, value in written.items():
        if isinstance(value, dict):
            assert_same(found[name], value)
        elif isinstance(value, str):
            assert found[name].decode() == value
        else:
            np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ((), ()),
        (OPTIONAL_FIELDS, ("building", "road", "height")),
        (("image", "teacher"), ("building",)),
        (("teacher",), ("building", "height")),
        (("road",), ()),
    ],
)
def test_tfds_reads_what_was_written(
    tmp_path, example_records, fields, answers
):
    written = example_records(
        tmp_path / "r",
        {"train": 6, "validation": 1, "test": 2},
        fields=fields,
        teacher_answers=answers,
        frames=(0, 3),
    )
    check_read_by_tfds(tmp_path / "r", written)


@pytest.mark.parametrize(
    ("version", "unknown_to_it"),
    [
        ("1.0.0", ("teacher_answers", "teacher_scales")),
        ("1.1.0", ("teacher_scales",)),
    ],
)
def test_a_folder_of_an_earlier_version_is_read_as_ever(
    tmp_path, example_records, version, unknown_to_it
):
    fields = ("image", "teacher")
    counts = {"train": 3, "validation": 1, "test": 2}
    written = example_records(tmp_path / "r", counts, fields=fields)
    spec = read_manifest(tmp_path / "r").spec
    path = tmp_path / "r" / "records.json"
    content = json.loads(path.read_text())
    assert content["schema_version"] == "1.2.0"
    content["schema_version"] = version
    for name in unknown_to_it:
        del content["spec"][name]
    path.write_text(json.dumps(content))
    path = tmp_path / "r" / "dataset_info.json"
    path.write_text(path.read_text().replace("1.2.0", version))

    assert read_manifest(tmp_path / "r").spec == spec
    for old, new in zip(
        written["train"], read_records(tmp_path / "r", "train"), strict=True
    ):
        assert set(new["teacher"]) == set(old["teacher"])
        for name, values in old["teacher"].items():
            np.testing.assert_array_equal(new["teacher"][name], values)
    builder = tfds.builder_from_directory(tmp_path / "r")
    assert str(builder.info.version) == version
    check_read_by_tfds(tmp_path / "r", written)


def check_read_by_tfds(folder, written):
    builder = tfds.builder_from_directory(folder)
    assert set(builder.info.splits) == {"train", "validation", "test"}
    for split, examples in written.items():
        found = list(tfds.as_numpy(builder.as_dataset(split=split)))
        assert len(found) == len(examples)
        by_key = {f["key"].decode(): f for f in found}
        for example in examples:
            record = by_key[example["key"]]
            assert set(record) == set(example)
            assert_same(record, example)


def test_the_same_input_gives_the_same_bytes(tmp_path, example_records):
    for name in ("one", "two"):
        example_records(
            tmp_path / name, {"train": 5, "test": 1}, fields=("image", "road")
        )
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir()}
        for n in ("one", "two")
    )
    assert one == two


def write_all(folder, *examples, split="train", then=lambda writer: None):
    with RecordWriter(folder, SPEC, provenance={}) as writer:
        for example in examples:
            writer.write(
                "train" if example is not examples[-1] else split, example
            )
        then(writer)


def test_an_exception_leaves_nothing(tmp_path):
    def fail(_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        write_all(tmp_path / "r", make_example(), then=fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not pathlib.Path("/dev/full").exists(), reason="no /dev/full here"
)
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    class FullDisk(tf.io.TFRecordWriter):
        def __init__(self, path):
            super().__init__("/dev/full")

    monkeypatch.setattr(tf.io, "TFRecordWriter", FullDisk)
    with pytest.raises(
        OutputError, match="cannot write .*r: .*No space left on device"
    ):
        write_all(tmp_path / "r", make_example())
    assert list(tmp_path.iterdir()) == []


def test_no_record_at_all_is_an_error_that_counts_the_dropped(tmp_path):
    def drop(writer):
        writer.count_dropped("cloud", 2)
        writer.count_dropped("cloud")

    with pytest.raises(RecordError, match='no record for .*{"cloud": 3}'):
        write_all(tmp_path / "r", then=drop)
    assert list(tmp_path.iterdir()) == []


def test_counts_are_by_split_and_reason(tmp_path):
    with RecordWriter(tmp_path / "r", SPEC, provenance={}) as writer:
        writer.write("train", make_example("a"))
        writer.write("train", make_example("b"))
        writer.write("test", make_example("c"))
        writer.count_dropped("cloud")
        assert writer.counts == {"train": 2, "test": 1}
        assert writer.dropped == {"cloud": 1}


@pytest.mark.parametrize(
    ("split", "example", "message"),
    [
        ("trian", make_example(), "split 'trian'"),
        ("train", make_example("twice"), "key twice was written before"),
        ("train", make_example(product_level="L1C"), "product_level L1C"),
        ("train", make_example(offset_dn=-1000.0), "offset_dn -1000"),
        ("train", make_example(quantification_dn=1.0), "quantification_dn 1"),
        (
            "train",
            {**make_example(), "s2": {"image": np.zeros((4, 3, 3, 2))}},
            "record a does not fit the schema",
        ),
    ],
)
def test_a_record_that_does_not_fit_is_refused(
    tmp_path, split, example, message
):
    with pytest.raises(RecordError, match=message):
        write_all(tmp_path / "r", make_example("twice"), example, split=split)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_kept_unless_told(tmp_path):
    def write(key, **keywords):
        with RecordWriter(
            tmp_path / "r", SPEC, provenance={}, **keywords
        ) as writer:
            writer.write("train", make_example(key))

    write("old")
    with pytest.raises(OutputError, match="r exists already"):
        write("new")
    write("new", overwrite=True)
    (found,) = tfds.as_numpy(
        tfds.builder_from_directory(tmp_path / "r").as_dataset(split="train")
    )
    assert found["key"] == b"new"
