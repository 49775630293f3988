"""Records as bytes: the same bytes always, and refusals that name the key."""

import numpy as np
import pytest

from s2distill.data.record_serializer import RecordSerializer
from s2distill.data.schema import RecordSpec
from s2distill.errors import RecordError

SPEC = RecordSpec(bands=("B2", "B4"), tile_px=3, label_factor=2)


def _example(**meta):
    return {
        "key": "a",
        "s2": {
            "image": np.arange(54, dtype=np.uint16).reshape(3, 3, 3, 2),
            "valid": np.ones((3, 3, 3), np.uint8),
            "time_utc_s": np.array([5, 6, 7], np.int64),
        },
        "meta": {
            "crs": "EPSG:32616",
            "transform": np.array([10.0, 0, 5e5, 0, -10, 4e6]),
            "product_level": "L2A",
            "quantification_dn": np.float32(10_000),
            "offset_dn": np.float32(0),
            "provenance": "{}",
            **meta,
        },
    }


def test_the_order_of_the_dictionary_does_not_matter():
    example = _example()
    turned = {name: example[name] for name in reversed(example)}
    serializer = RecordSerializer(SPEC)
    assert serializer.serialize(example) == serializer.serialize(turned)


def test_tfds_reads_the_bytes_back():
    serializer = RecordSerializer(SPEC)
    found = serializer.features.deserialize_example_np(
        serializer.serialize(_example())
    )
    np.testing.assert_array_equal(
        found["s2"]["image"], _example()["s2"]["image"]
    )


def test_another_level_is_refused_by_name():
    with pytest.raises(RecordError, match="record a has product_level L1C"):
        RecordSerializer(SPEC).serialize(_example(product_level="L1C"))


def test_an_array_of_another_shape_is_refused_by_name():
    example = _example()
    example["s2"]["valid"] = np.ones((3, 3, 4), np.uint8)
    with pytest.raises(RecordError, match="record a does not fit the schema"):
        RecordSerializer(SPEC).serialize(example)
