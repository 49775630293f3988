"""Table exports: the real one, and columns that are not whole."""

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.tfrecord.table_reader import iterate_table
from data_prep.earth_engine.tfrecord.table_reader import read_table
from s2distill.errors import BandError
from s2distill.errors import RecordError


def feature(values):
    if isinstance(values[0], bytes):
        stored = tf.train.BytesList(value=values)
        return tf.train.Feature(bytes_list=stored)
    if isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def write(path, rows, *, compress=True):
    options = "GZIP" if compress else None
    with tf.io.TFRecordWriter(str(path), options=options) as writer:
        for row in rows:
            values = {
                k: feature(v) if v else tf.train.Feature()
                for k, v in row.items()
            }
            features = tf.train.Features(feature=values)
            example = tf.train.Example(features=features)
            writer.write(example.SerializeToString())
    return str(path)


def test_the_real_table_has_8316_records(real_data):
    path = real_data("servir-aces") / "training.tfrecord.gz"
    table = read_table(path)
    columns = {k: (v.dtype.name, v.shape) for k, v in table.items()}
    assert columns == dict.fromkeys(
        (
            "blue_before", "blue_during", "class", "green_before",
            "green_during", "nir_before", "nir_during", "red_before",
            "red_during",
        ),
        ("float32", (8316,)),
    )  # fmt: skip
    counts = np.unique(table["class"], return_counts=True)[1]
    assert counts.tolist() == [682, 2929, 1826, 1810, 1069]
    dataset = tf.data.TFRecordDataset(str(path), "GZIP").batch(9000)
    spec = {k: tf.io.FixedLenFeature([], tf.float32) for k in table}
    theirs = tf.io.parse_example(next(iter(dataset)), spec)
    for name, values in table.items():
        np.testing.assert_array_equal(values, theirs[name].numpy())


def test_the_real_table_can_be_read_record_by_record(real_data):
    path = real_data("servir-aces") / "training.tfrecord.gz"
    whole = read_table(path, ["class", "nir_during"])
    assert list(whole) == ["class", "nir_during"]
    count = 0
    for count, row in enumerate(iterate_table(path, ["nir_during"]), 1):
        assert list(row) == ["nir_during"]
        assert row["nir_during"].tolist() == [whole["nir_during"][count - 1]]
    assert count == 8316


@pytest.mark.parametrize("compress", [True, False])
def test_columns_of_each_type_and_width_come_back(compress, tmp_path):
    rows = [
        {"x": [0.5], "id": [2**40], "name": [b"a\0"], "band": [1.0, 2.0]},
        {"x": [1.5], "id": [-1], "name": [b"bb"], "band": [3.0, 4.0]},
    ]
    table = read_table(write(tmp_path / "t", rows, compress=compress))
    assert list(table) == ["band", "id", "name", "x"]
    assert table["x"].tolist() == [0.5, 1.5]
    assert table["x"].dtype == np.float32
    assert table["id"].tolist() == [2**40, -1]
    assert table["id"].dtype == np.int64
    assert table["name"].tolist() == [b"a\0", b"bb"]
    assert table["band"].tolist() == [[1, 2], [3, 4]]


def test_files_are_read_in_the_order_of_their_names(tmp_path):
    for year in (2021, 2019, 2020):
        write(tmp_path / f"t_{year}.tfrecord", [{"year": [float(year)]}] * 2)
    table = read_table(tmp_path)
    assert table["year"].tolist() == [2019, 2019, 2020, 2020, 2021, 2021]


def test_missing_values_are_told_or_filled(tmp_path):
    rows = [{"x": [1.0], "v": [1.0, 2.0]}, {}, {"x": [], "v": [3.0, 4.0]}]
    path = write(tmp_path / "t", rows)
    with pytest.raises(
        RecordError, match="x: 2 of 3 records, first number 1, have no value"
    ):
        read_table(path, ["x"])
    with pytest.raises(RecordError, match="v: 1 of 3 records, first number 1"):
        read_table(path, ["v"])
    table = read_table(path, fill=-1)
    assert table["x"].tolist() == [1, -1, -1]
    assert table["v"].tolist() == [[1, 2], [-1, -1], [3, 4]]
    assert [len(row.get("x", "none")) for row in iterate_table(path)] == [
        1,
        4,
        0,
    ]


def test_missing_integers_are_never_filled(tmp_path):
    path = write(tmp_path / "t", [{"n": [1]}, {}])
    with pytest.raises(RecordError, match="n: 1 of 2 records, first number 1"):
        read_table(path, fill=0)


def test_ragged_columns_are_told_and_can_be_iterated(tmp_path):
    path = write(tmp_path / "t", [{"x": [1.0]}, {"x": [1.0, 2.0, 3.0]}])
    with pytest.raises(RecordError, match="x has from 1 to 3 values a record"):
        read_table(path)
    assert [r["x"].tolist() for r in iterate_table(path)] == [[1], [1, 2, 3]]


def test_bytes_and_integers_are_iterated_as_they_are(tmp_path):
    path = write(tmp_path / "t", [{"s": [b"a\0", b"b"], "n": [2**60]}])
    (row,) = iterate_table(path)
    assert row["s"].tolist() == [b"a\0", b"b"]
    assert row["n"].tolist() == [2**60]


def test_a_column_of_two_types_is_refused(tmp_path):
    path = write(tmp_path / "t", [{"x": [1.0]}, {"x": [b"one"]}])
    with pytest.raises(RecordError, match="record 1 of .*: x is bytes, before"):
        read_table(path)


def test_an_unknown_column_is_named(tmp_path):
    path = write(tmp_path / "t", [{"x": [1.0]}])
    with pytest.raises(BandError, match=r"no column y in .*/t;"):
        read_table(path, ["x", "y"])


def test_a_table_without_records_or_values_is_refused(tmp_path):
    path = write(tmp_path / "t", [])
    with pytest.raises(RecordError, match="no record in it"):
        read_table(path)
    path = write(tmp_path / "u", [{"x": []}, {"x": []}])
    with pytest.raises(RecordError, match="x: none of 2 records has a value"):
        read_table(path)
