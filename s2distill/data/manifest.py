"""`records.json`: what a folder of records holds, beside the files.

TFDS's own metadata (`features.json`, `dataset_info.json`) lets any TFDS user
open the files; this manifest carries what TFDS has no place for: schema
version, bands and level, bytes of each shard, split rule, dropped tiles.
"""

import dataclasses
import json
import os
from typing import Any

from s2distill.data.schema import READABLE_VERSIONS
from s2distill.data.schema import SCHEMA_VERSION
from s2distill.data.schema import RecordSpec
from s2distill.errors import RecordError

MANIFEST_FILE = "records.json"
STATISTICS_FILE = "statistics.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shard:
    """One TFRecord file.

    Attributes:
      file: Name within the folder.
      split: Which split it belongs to.
      records: Number of records.
      bytes: Size of the file; a cut file is found by it, on any file system.
    """

    file: str
    split: str
    records: int
    bytes: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """Contents of `records.json`.

    Attributes:
      spec: What the records have in common.
      shards: The files, in the order of splits and numbers.
      split_rule: How places were given to splits; None if by hand.
      dropped: Number of tiles left out, by reason.
      provenance: Program, settings and sources that made the records.
    """

    spec: RecordSpec
    shards: tuple[Shard, ...]
    split_rule: dict[str, Any] | None = None
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    def count(self, split: str) -> int:
        """Number of records in a split; 0 where there is none."""
        return sum(s.records for s in self.shards if s.split == split)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `records.json`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "spec": self.spec.to_json(),
            "shards": [dataclasses.asdict(s) for s in self.shards],
            "split_rule": self.split_rule,
            "dropped": self.dropped,
            "provenance": self.provenance,
        }


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """Reads `records.json` and checks that every shard is there and whole.

    Args:
      directory: Folder of records, local or gs://.

    Raises:
      RecordError: No manifest, an unknown schema version, or a shard that is
        missing or of another size than when it was written.
    """
    import tensorflow as tf

    path = os.path.join(directory, MANIFEST_FILE)
    if not tf.io.gfile.exists(path):
        raise RecordError(
            f"no records in {directory}: {MANIFEST_FILE} is not there; "
            "data_prep.simulate or data_prep.pair_geotiffs writes it"
        )
    with tf.io.gfile.GFile(path) as file:
        content = _parse(file.read(), path)
    version = content.get("schema_version")
    if version not in READABLE_VERSIONS:
        raise RecordError(
            f"{path} has schema version {version}, this program reads "
            f"{', '.join(READABLE_VERSIONS)}; write the records again with "
            "this version"
        )
    manifest = Manifest(
        spec=RecordSpec.from_json(content["spec"]),
        shards=tuple(Shard(**s) for s in content["shards"]),
        split_rule=content["split_rule"],
        dropped=content["dropped"],
        provenance=content["provenance"],
    )
    for shard in manifest.shards:
        _check_shard(os.path.join(directory, shard.file), shard)
    return manifest


def _parse(text: str, path: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError as error:
        raise RecordError(
            f"{path} is cut or changed: {error}; copy the folder again"
        ) from error


def _check_shard(path: str, shard: Shard) -> None:
    import tensorflow as tf

    if not tf.io.gfile.exists(path):
        raise RecordError(f"{path} is missing; copy the folder again")
    size = tf.io.gfile.stat(path).length
    if size != shard.bytes:
        raise RecordError(
            f"{path} has {size} bytes, {shard.bytes} were written: the file "
            "is cut or changed; copy it again or write the records again"
        )
