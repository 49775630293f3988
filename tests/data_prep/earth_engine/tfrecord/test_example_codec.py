"""Features against TensorFlow's own reader and writer."""

import numpy as np
import pytest
import tensorflow as tf

from data_prep.earth_engine.tfrecord.example_codec import decode_floats
from data_prep.earth_engine.tfrecord.example_codec import decode_pixels
from data_prep.earth_engine.tfrecord.example_codec import encode_example
from data_prep.earth_engine.tfrecord.example_codec import kind_of
from data_prep.earth_engine.tfrecord.example_codec import parse_example
from s2distill.errors import RecordError

SPECIAL = np.array(
    [0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -3.4e38, 16_777_217], np.float32
)


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 5000, 70_000])
def test_floats_are_those_that_tensorflow_reads(size):
    rng = np.random.default_rng(size)
    values = rng.normal(0, 1e4, size).astype(np.float32)
    values[:8] = SPECIAL[: len(values[:8])]
    serialized = encode_example({"a": values})
    theirs = tf.io.parse_single_example(
        serialized, {"a": tf.io.RaggedFeature(tf.float32)}
    )["a"].numpy()
    ours = decode_pixels(parse_example(serialized, "here")["a"])
    assert ours.dtype == np.float32
    for found in (theirs, ours):
        np.testing.assert_array_equal(
            found.view(np.uint32), values.view(np.uint32)
        )


def test_floats_that_tensorflow_wrote_are_read():
    values = [0.5, -3.0, 1e6]
    floats = tf.train.FloatList(value=values)
    np.testing.assert_array_equal(decode_floats(floats), values)


def test_arrays_are_flattened_row_by_row_whatever_their_memory():
    values = np.arange(24, dtype=np.float64).reshape(4, 6).T[::2]
    (name, feature), *_ = parse_example(
        encode_example({"b": values}), ""
    ).items()
    assert name == "b"
    assert list(feature.float_list.value) == values.ravel().tolist()


@pytest.mark.parametrize(
    ("values", "kind", "stored"),
    [
        (np.array([[0, 255], [7, 1]], np.uint8), "bytes", np.uint8),
        (np.array([True, False]), "bytes", np.uint8),
        (np.array([-(2**63), 2**63 - 1, 0]), "int64", np.int64),
        (np.array([3, 65_535], np.uint16), "int64", np.int64),
        (np.array([0.5, 2.0], np.float16), "float", np.float32),
        (np.array([0.1, 2.0]), "float", np.float32),
    ],
)
def test_each_type_is_stored_as_exports_store_it(values, kind, stored):
    feature = parse_example(encode_example({"a": values}), "")["a"]
    assert kind_of(feature) == kind
    found = decode_pixels(feature)
    assert found.dtype == stored
    np.testing.assert_array_equal(found, values.ravel().astype(stored))


def test_an_empty_feature_holds_nothing():
    assert kind_of(tf.train.Feature()) == "nothing"
    assert len(decode_pixels(tf.train.Feature())) == 0


def test_the_same_values_give_the_same_bytes_in_any_order():
    rng = np.random.default_rng(0)
    values = {f"B{n}": rng.random(9) for n in range(12)}
    backwards = dict(reversed(values.items()))
    assert encode_example(values) == encode_example(backwards)


def test_what_no_protocol_buffer_holds_is_refused_before_it_is_made():
    # 3 GB of one repeated float take no memory.
    huge = np.broadcast_to(np.float32(1), (2**20, 750))
    with pytest.raises(RecordError, match=r"building takes 3,145,728,000 byt"):
        encode_example({"building": huge})
    bytes_of_it = np.broadcast_to(np.uint8(1), (2**20, 750))
    assert len(encode_example({"b": bytes_of_it[:9]})) < 7000


def test_what_is_no_example_is_refused_by_name():
    with pytest.raises(RecordError, match=r"record 3 of x is no tf.train"):
        parse_example(b"\xff\xffgarbage", "record 3 of x")
