"""What makes files of records a folder: names, TFDS metadata, manifest."""

import os
import pathlib
import tempfile
from collections.abc import Sequence
from typing import Any

from s2distill.data.manifest import Shard
from s2distill.data.schema import DATASET_NAME
from s2distill.data.schema import SCHEMA_VERSION
from s2distill.data.schema import SPLITS


def shard_name(split: str, index: int, count: int) -> str:
    """The name that TFDS expects of one file of a split."""
    return f"{DATASET_NAME}-{split}.tfrecord-{index:05d}-of-{count:05d}"


def shard_pattern() -> str:
    """A glob of the files of all splits."""
    return f"{DATASET_NAME}-*.tfrecord-*-of-*"


def write_tfds_metadata(
    directory: str | os.PathLike[str], features: Any, shards: Sequence[Shard]
) -> None:
    """Writes what `tfds.builder_from_directory` reads.

    Args:
      directory: Folder of the files, local or gs://.
      features: TFDS features of the records.
      shards: All files, of each split in order.
    """
    if "://" not in os.fspath(directory):
        _write_local(pathlib.Path(directory), features, shards)
        return
    import tensorflow as tf

    # TFDS knows some file systems, TensorFlow all that it was given.
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # It looks for the files by name, and takes their lengths from us.
        stand_ins = {folder / shard.file for shard in shards}
        for path in stand_ins:
            path.touch()
        _write_local(folder, features, shards)
        for path in sorted(set(folder.iterdir()) - stand_ins):
            tf.io.gfile.copy(
                str(path), os.path.join(directory, path.name), overwrite=True
            )


def _write_local(
    directory: pathlib.Path, features: Any, shards: Sequence[Shard]
) -> None:
    import tensorflow_datasets as tfds

    template = tfds.core.ShardedFileTemplate(
        data_dir=directory,
        dataset_name=DATASET_NAME,
        filetype_suffix="tfrecord",
    )
    splits = []
    for split in SPLITS:
        own = [shard for shard in shards if shard.split == split]
        if own:
            splits.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[shard.records for shard in own],
                    num_bytes=sum(shard.bytes for shard in own),
                    filename_template=template.replace(split=split),
                )
            )
    tfds.folder_dataset.write_metadata(
        data_dir=directory,
        features=features,
        split_infos=splits,
        version=SCHEMA_VERSION,
        description="Sentinel-2 stacks paired with 50 cm images and "
        "labels; see records.json and s2distill/data/schema.py.",
        check_data=False,  # the writer serialized by this very schema
    )
