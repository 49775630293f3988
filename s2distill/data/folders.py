"""Record folders, opened together: do they fit, and who reads which file."""

import dataclasses
import json
import os
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from s2distill.data.manifest import Manifest
from s2distill.data.manifest import read_manifest
from s2distill.data.schema import SPLITS
from s2distill.data.schema import RecordSpec
from s2distill.data.schema import make_features
from s2distill.errors import BandError
from s2distill.errors import ProductLevelError
from s2distill.errors import RecordError
from s2distill.errors import SplitError


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordFile:
    """One TFRecord file of one folder.

    Attributes:
      path: Where it is.
      folder: Position of its folder in the list that was opened.
      records: How many records it holds.
    """

    path: str
    folder: int
    records: int


def open_folders(directories: Sequence[str | os.PathLike]) -> list[Manifest]:
    """Reads the manifests of folders that are to be read as one.

    Raises:
      RecordError: No folder, one that is no folder of whole records of this
        schema version, or two label factors.
      BandError: Two folders of different bands.
      ProductLevelError: Two folders of different level, offset or scale.
      SplitError: Two folders whose ground was split by different rules.
    """
    if not directories:
        raise RecordError("no record folder was given")
    manifests = [read_manifest(directory) for directory in directories]
    for directory, manifest in zip(directories, manifests, strict=True):
        _check_fit(directories[0], manifests[0].spec, directory, manifest.spec)
    _check_split_rules(directories, manifests)
    return manifests


def check_same_tile(
    directories: Sequence[str | os.PathLike], manifests: Sequence[Manifest]
) -> None:
    """RecordError unless all tiles have one size, so that they make batches."""
    for directory, manifest in zip(directories, manifests, strict=True):
        first, other = manifests[0].spec, manifest.spec
        if first.tile_px != other.tile_px:
            raise RecordError(
                f"{directories[0]} has tiles of {first.tile_px} px, "
                f"{directory} of {other.tile_px} px: crop both to one size "
                "or read them apart"
            )


def list_files(
    directories: Sequence[str | os.PathLike],
    manifests: Sequence[Manifest],
    split: str,
) -> list[RecordFile]:
    """The files of one split in all folders.

    Raises:
      RecordError: No such split, or no folder has a record in it.
    """
    if split not in SPLITS:
        raise RecordError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    files = [
        RecordFile(
            path=os.path.join(directory, shard.file),
            folder=number,
            records=shard.records,
        )
        for number, (directory, manifest) in enumerate(
            zip(directories, manifests, strict=True)
        )
        for shard in manifest.shards
        if shard.split == split and shard.records
    ]
    if not files:
        raise RecordError(
            f"no record in the {split} split of "
            f"{', '.join(map(str, directories))}; simulate or pair more "
            "places, or choose another split"
        )
    return files


def deal_files(
    files: Sequence[RecordFile], host_count: int
) -> list[list[RecordFile]]:
    """Deals files to hosts: each to one, and near equal numbers of records.

    The largest file goes first, always to the host that has least.
    """
    hands: list[list[RecordFile]] = [[] for _ in range(host_count)]
    for file in sorted(files, key=lambda f: (-f.records, f.path)):
        sizes = [sum(f.records for f in hand) for hand in hands]
        hands[sizes.index(min(sizes))].append(file)
    return hands


def read_records(
    directory: str | os.PathLike,
    split: str,
    names: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """The records of a split as NumPy arrays, in the order of the files.

    Args:
      directory: Folder of records.
      split: "train", "validation" or "test".
      names: Features to decode, such as "s2/valid"; None decodes all.

    Yields:
      Nested dictionaries as `schema` lists them, which RecordWriter takes.

    Raises:
      RecordError: As `open_folders`, or a file whose checksums do not match.
    """
    import tensorflow as tf

    manifest = open_folders([directory])[0]
    features = make_features(manifest.spec)
    if names is not None:
        features = select_features(features, names)
    for shard in manifest.shards:
        if shard.split != split:
            continue
        path = os.path.join(directory, shard.file)
        dataset = tf.data.TFRecordDataset(path).map(
            features.deserialize_example
        )
        try:
            for example in dataset.prefetch(1).as_numpy_iterator():
                yield _with_texts(example)
        except tf.errors.DataLossError as error:
            raise RecordError(
                f"{path} is damaged, a checksum does not match; copy it "
                "again or write the records again"
            ) from error


def select_features(features: Any, names: Sequence[str]) -> Any:
    """The part of a TFDS schema with these features, such as "s2/valid".

    What is left out is never decoded.
    """
    import tensorflow_datasets as tfds

    wanted: dict[str, Any] = {}
    for name in names:
        group, _, feature = name.partition("/")
        if feature:
            wanted.setdefault(group, {})[feature] = features[group][feature]
        else:
            wanted[name] = features[name]
    return tfds.features.FeaturesDict(wanted)


def _with_texts(example: dict[str, Any]) -> dict[str, Any]:
    """Bytes, which TensorFlow has for texts, to str: as they were written."""
    return {
        name: _with_texts(value)
        if isinstance(value, dict)
        else value.decode()
        if isinstance(value, bytes)
        else value
        for name, value in example.items()
    }


def _check_split_rules(
    directories: Sequence[str | os.PathLike], manifests: Sequence[Manifest]
) -> None:
    """One rule for all: by two, test ground of one trains in the other.

    Folders split by hand have no rule, and nothing to compare.
    """
    ruled = [
        (directory, manifest.split_rule)
        for directory, manifest in zip(directories, manifests, strict=True)
        if manifest.split_rule is not None
    ]
    for directory, rule in ruled[1:]:
        first_directory, first = ruled[0]
        if rule != first:
            raise SplitError(
                f"{first_directory} was split by {json.dumps(first)}, "
                f"{directory} by {json.dumps(rule)}: ground that one tests on "
                "may train in the other; write one of them again by the rule "
                "of the other"
            )


def _check_fit(
    directory: str | os.PathLike,
    spec: RecordSpec,
    other_directory: str | os.PathLike,
    other: RecordSpec,
) -> None:
    if spec.bands != other.bands:
        raise BandError(
            f"{directory} has bands {','.join(spec.bands)}, "
            f"{other_directory} has {','.join(other.bands)}: write one of "
            "them again with the bands of the other"
        )
    for name in ("product_level", "offset_dn", "quantification_dn"):
        one, two = getattr(spec, name), getattr(other, name)
        if one != two:
            raise ProductLevelError(
                f"{directory} has {name} {one}, {other_directory} has {two}: "
                "levels are never mixed; train on one of them"
            )
    if spec.label_factor != other.label_factor:
        raise RecordError(
            f"{directory} has label_factor {spec.label_factor}, "
            f"{other_directory} has {other.label_factor}: write one of them "
            "again at the scale of the other"
        )
