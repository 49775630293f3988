"""Serialized records of many files: each once, or shuffled without end.

Every record belongs to exactly one host. Where there are files enough, hosts
share files, and no host reads what another needs; where there are not, every
host reads all files and takes every n-th record.
"""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from s2distill.data.folders import RecordFile
from s2distill.data.folders import deal_files
from s2distill.errors import RecordError

# For functions of a dataset: they hold no Python control flow over tensors, and
# AutoGraph would spend seconds on rewriting them, for each dataset anew.
as_written = tf.autograph.experimental.do_not_convert

_OPEN_FILES = 8  # read in turn; more mixes better and takes more memory
_FOREVER = 2**62  # epochs
_GRAPH_SEED = 1  # any constant but 0, with which a seed may not be a tensor


@dataclasses.dataclass(frozen=True)
class HostShare:
    """What one host reads.

    Attributes:
      files: In order.
      skips: For each file, records to pass over first.
      stride: Then one record of so many is taken; 1 takes all.
    """

    files: tuple[RecordFile, ...]
    skips: tuple[int, ...]
    stride: int

    @property
    def count(self) -> int:
        """Number of records."""
        return sum(
            max(0, -(-(file.records - skip) // self.stride))
            for file, skip in zip(self.files, self.skips, strict=True)
        )


def share_of_host(
    files: Sequence[RecordFile], host_index: int, host_count: int
) -> HostShare:
    """The part of the records that belongs to one host.

    Raises:
      RecordError: If there are fewer records than hosts.
    """
    if len(files) >= host_count:
        mine = tuple(deal_files(files, host_count)[host_index])
        return HostShare(mine, (0,) * len(mine), 1)
    skips, before = [], 0
    for file in files:
        skips.append((host_index - before) % host_count)
        before += file.records
    if before < host_count:
        raise RecordError(
            f"{before} records, the first in {files[0].path}, for "
            f"{host_count} hosts: use fewer hosts"
        )
    return HostShare(tuple(files), tuple(skips), host_count)


def read_in_order(share: HostShare) -> tf.data.Dataset:
    """(serialized, folder), each record once, file after file."""
    return _read(share, tf.range(len(share.files)), open_files=1)


def read_shuffled(
    share: HostShare, shuffle_records: int, seed: int
) -> tf.data.Dataset:
    """(serialized, folder) without end: epochs of each record once.

    Args:
      share: What to read.
      shuffle_records: Size of the shuffle buffer.
      seed: Order of the files and of the buffer, with the epoch's number.
    """

    @as_written
    def make_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        # The shuffle buffer mixes TensorFlow's global seed into its own.
        # Within a function this sets the seed of that function alone.
        tf.compat.v1.set_random_seed(_GRAPH_SEED)
        seeds = tf.random.fold_in(tf.constant([seed, 0], tf.int64), epoch)
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(share.files)), seed=seeds
        )
        return _read(share, order, open_files=_OPEN_FILES).shuffle(
            shuffle_records, seed=seeds[0], reshuffle_each_iteration=False
        )

    return tf.data.Dataset.range(_FOREVER).flat_map(make_epoch)


def _read(
    share: HostShare, order: tf.Tensor, *, open_files: int
) -> tf.data.Dataset:
    paths = tf.constant([file.path for file in share.files])
    folders = tf.constant([file.folder for file in share.files], tf.int32)
    skips = tf.constant(share.skips, tf.int64)

    @as_written
    def read_file(number: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.TFRecordDataset(paths[number])
        if share.stride > 1:
            records = records.skip(skips[number]).shard(share.stride, 0)
        folder = folders[number]
        return records.map(lambda serialized: (serialized, folder))

    return tf.data.Dataset.from_tensor_slices(order).interleave(
        read_file,
        cycle_length=min(open_files, len(share.files)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
