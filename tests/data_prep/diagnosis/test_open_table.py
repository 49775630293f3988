import numpy as np
import pytest
import tensorflow as tf

from data_prep.diagnosis.open_table import open_table
from data_prep.earth_engine.tfrecord.example_codec import encode_example
from s2distill.errors import RecordError


def _write(path, rows):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(encode_example(row))
    return str(path)


def _float(value):
    return np.array([value], np.float32)


def test_a_real_table_of_8316_rows(real_data):
    path = real_data("servir-aces") / "training.tfrecord.gz"
    subject = open_table(str(path))
    assert subject.kind == "earth_engine_table"
    assert subject.records == 8316
    assert subject.shape == (8316, 9)
    assert subject.nan_share == 0
    columns = {column.name: column for column in subject.columns}
    assert columns["class"].percentiles[0] == 0
    assert columns["class"].percentiles[4] == 4
    assert columns["class"].distinct == 5
    assert [f.severity for f in subject.findings] == ["note"]


def test_missing_values_and_constant_columns_are_warnings(tmp_path):
    rows = [
        {"B2": _float(i), "same": _float(3.0), "B3": _float(np.nan)}
        for i in range(4)
    ]
    del rows[2]["B2"]
    subject = open_table(_write(tmp_path / "a.tfrecord", rows))
    columns = {column.name: column for column in subject.columns}
    assert columns["B2"].missing == 1
    assert columns["B3"].missing == 4
    assert columns["B3"].percentiles == ()
    found = {f.code: f for f in subject.findings}
    assert set(found["missing_values"].where) == {"B2", "B3"}
    assert "same" in found["constant_column"].where
    assert "unknown_bands" not in found


def test_an_empty_table_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"a\.tfrecord is empty"):
        open_table(_write(tmp_path / "a.tfrecord", []))
    with pytest.raises(RecordError, match="no value"):
        open_table(_write(tmp_path / "b.tfrecord", [{}]))
