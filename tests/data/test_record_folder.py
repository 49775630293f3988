"""TFDS metadata: what TFDS reads of files that are there."""

import fnmatch

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from s2distill.data.manifest import Shard
from s2distill.data.record_folder import shard_name
from s2distill.data.record_folder import shard_pattern
from s2distill.data.record_folder import write_tfds_metadata


def test_files_are_named_as_tfds_expects():
    assert shard_name("test", 3, 12) == "s2distill-test.tfrecord-00003-of-00012"


def test_the_pattern_finds_files_of_records_and_nothing_else():
    assert fnmatch.fnmatch(shard_name("train", 0, 1), shard_pattern())
    assert not fnmatch.fnmatch("dataset_info.json", shard_pattern())


@pytest.mark.parametrize("lengths", [(2, 3), (2, 0, 1), (0, 2)])
def test_tfds_reads_every_file_also_beside_an_empty_one(tmp_path, lengths):
    features = tfds.features.FeaturesDict({"n": np.int64})
    shards, number = [], 0
    for index, length in enumerate(lengths):
        name = shard_name("train", index, len(lengths))
        with tf.io.TFRecordWriter(str(tmp_path / name)) as writer:
            for _ in range(length):
                writer.write(features.serialize_example({"n": number}))
                number += 1
        size = (tmp_path / name).stat().st_size
        shards.append(
            Shard(file=name, split="train", records=length, bytes=size)
        )
    write_tfds_metadata(tmp_path, features, shards)
    builder = tfds.builder_from_directory(str(tmp_path))
    found = [int(e["n"]) for e in builder.as_dataset(split="train")]
    assert sorted(found) == list(range(number))
    assert builder.info.splits["train"].num_examples == number
