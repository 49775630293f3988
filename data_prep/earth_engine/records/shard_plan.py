"""Which file of records each place goes to, known before anything is asked."""

import dataclasses
import hashlib
from collections.abc import Sequence

from data_prep.earth_engine.places.place import Place
from s2distill.data.record_folder import shard_name
from s2distill.data.schema import SPLITS


@dataclasses.dataclass(frozen=True, order=True)
class ShardNumber:
    """One file of records to be.

    Attributes:
      split: "train", "validation" or "test".
      index: From 0.
      count: Files of this split.
    """

    split: str
    index: int
    count: int

    @property
    def name(self) -> str:
        """Of the file."""
        return shard_name(self.split, self.index, self.count)


def plan_shards(
    places: Sequence[Place], records_per_shard: int
) -> dict[str, ShardNumber]:
    """The file of each place, by key.

    Places are dealt in the order of a hash of their keys, so that neighbours
    on the ground are no neighbours in a file, and training that shuffles a
    few files at a time still sees the whole region.

    Args:
      places: All that are asked for, whatever will become of them.
      records_per_shard: At most so many in a file.
    """
    found = {}
    for split in SPLITS:
        keys = sorted(
            (place.key for place in places if place.split == split),
            key=lambda key: hashlib.sha256(key.encode()).digest(),
        )
        count = -(-len(keys) // records_per_shard)
        for number, key in enumerate(keys):
            # Near equal files, rather than a small last one.
            index = number * count // len(keys)
            found[key] = ShardNumber(split, index, count)
    return found
