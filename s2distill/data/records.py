"""Writes record folders that any TFDS user can open, whole or not at all."""

import collections
import contextlib
import json
import os
import types
from collections.abc import Iterator
from typing import Any
from typing import Self

from s2distill.atomic_write import atomic_directory
from s2distill.atomic_write import write_json
from s2distill.data.manifest import MANIFEST_FILE
from s2distill.data.manifest import Manifest
from s2distill.data.manifest import Shard
from s2distill.data.record_folder import shard_name
from s2distill.data.record_folder import write_tfds_metadata
from s2distill.data.record_serializer import RecordSerializer
from s2distill.data.schema import SPLITS
from s2distill.data.schema import RecordSpec
from s2distill.errors import RecordError


class RecordWriter:
    """Context manager that writes one folder of records.

    The folder appears under its name when the block ends without an error.
    The bytes depend only on what is written, in order.

        with RecordWriter(folder, spec, provenance={...}) as writer:
            writer.write("train", example)
            writer.count_dropped("no valid frame")
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        spec: RecordSpec,
        *,
        provenance: dict[str, Any],
        split_rule: dict[str, Any] | None = None,
        records_per_shard: int = 32,
        overwrite: bool = False,
    ) -> None:
        """Prepares the folder.

        Args:
          directory: Final folder; must not hold anything unless `overwrite`.
          spec: What the records have in common.
          provenance: JSON-able description of program, settings, sources.
          split_rule: JSON-able rule by which places were given to splits.
          records_per_shard: A new file begins after so many records.
          overwrite: Replace a folder that exists.
        """
        self._directory = directory
        self._spec = spec
        self._provenance = provenance
        self._split_rule = split_rule
        self._records_per_shard = records_per_shard
        self._folder = atomic_directory(directory, overwrite=overwrite)
        self._serializer = RecordSerializer(spec)
        self._lengths: dict[str, list[int]] = collections.defaultdict(list)
        self._open: dict[str, Any] = {}
        self._keys: set[str] = set()
        self._dropped: collections.Counter[str] = collections.Counter()

    def __enter__(self) -> Self:
        self._path = self._folder.__enter__()
        return self

    def write(self, split: str, example: dict[str, Any]) -> None:
        """Appends one record.

        Args:
          split: "train", "validation" or "test".
          example: Nested dictionary of NumPy arrays as `schema` lists them.

        Raises:
          RecordError: Unknown split, a key that was written before, another
            product level or offset than the specification, or arrays that
            do not fit it.
        """
        self._check(split, example)
        serialized = self._serializer.serialize(example)
        with _disk_errors():
            self._file(split).write(serialized)
        self._lengths[split][-1] += 1

    def count_dropped(self, reason: str, number: int = 1) -> None:
        """Counts tiles left out; the manifest lists them by reason."""
        self._dropped[reason] += number

    @property
    def dropped(self) -> dict[str, int]:
        """Number of tiles left out so far, by reason."""
        return dict(self._dropped)

    @property
    def counts(self) -> dict[str, int]:
        """Number of records written so far, by split."""
        return {split: sum(n) for split, n in self._lengths.items()}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> bool | None:
        try:
            with _disk_errors():
                for file in self._open.values():
                    file.close()
            if kind is None:
                self._finish()
        except BaseException as failure:
            self._folder.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._folder.__exit__(kind, error, traceback)

    def _check(self, split: str, example: dict[str, Any]) -> None:
        if split not in SPLITS:
            raise RecordError(f"split {split!r}; there are {SPLITS}")
        if example["key"] in self._keys:
            raise RecordError(f"key {example['key']} was written before")
        self._keys.add(example["key"])

    def _file(self, split: str) -> Any:
        """The open file of a split; a new one when the last is full."""
        import tensorflow as tf

        lengths = self._lengths[split]
        if not lengths or lengths[-1] == self._records_per_shard:
            if split in self._open:
                self._open[split].close()
            path = self._path / f"{split}-{len(lengths)}"
            self._open[split] = tf.io.TFRecordWriter(str(path))
            lengths.append(0)
        return self._open[split]

    def _finish(self) -> None:
        if not self._keys:
            raise RecordError(
                f"no record for {self._directory}; dropped tiles by reason: "
                f"{json.dumps(self.dropped) if self._dropped else 'none'}"
            )
        shards = self._name_shards()
        write_tfds_metadata(self._path, self._serializer.features, shards)
        manifest = Manifest(
            spec=self._spec,
            shards=tuple(shards),
            split_rule=self._split_rule,
            dropped=dict(sorted(self._dropped.items())),
            provenance=self._provenance,
        )
        write_json(self._path / MANIFEST_FILE, manifest.to_json())

    def _name_shards(self) -> list[Shard]:
        """Gives the files the names that TFDS expects."""
        shards = []
        for split in SPLITS:
            lengths = self._lengths.get(split, [])
            for index, length in enumerate(lengths):
                name = shard_name(split, index, len(lengths))
                path = (self._path / f"{split}-{index}").rename(
                    self._path / name
                )
                shards.append(
                    Shard(
                        file=name,
                        split=split,
                        records=length,
                        bytes=path.stat().st_size,
                    )
                )
        return shards


@contextlib.contextmanager
def _disk_errors() -> Iterator[None]:
    """TensorFlow's own errors of a full disk as Python's."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
