"""Writes exports as Earth Engine does: numbered shards, and their mixer.

Predictions go back with it. Earth Engine takes the examples of all files in
turn and lays them out by the mixer, so there must be as many as were exported,
in the same order; both are checked while writing.
"""

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import numpy as np

from data_prep.earth_engine.output_folder import op_errors
from data_prep.earth_engine.output_folder import output_folder
from data_prep.earth_engine.tfrecord.example_codec import encode_example
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import write_mixer
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

_FRAME_BYTES = 16  # length, two checksums around each record
# Digital numbers as floats: 48 MB/s to 39 % of their size, against 6 MB/s to
# 39 % at the usual level 6.
_GZIP_LEVEL = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sharding:
    """How an export is cut into files.

    Attributes:
      max_bytes: Of a file before compression, as Earth Engine counts; a file
        holds one patch at least.
      patches: Most patches of a file; None sets no limit.
      compress: With gzip.
    """

    max_bytes: int = 2**30  # Earth Engine's default
    patches: int | None = None
    compress: bool = True

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or (
            self.patches is not None and self.patches < 1
        ):
            raise ConfigError(
                f"shards of {self.max_bytes} bytes, {self.patches} patches: "
                "both must be 1 or more"
            )

    @property
    def suffix(self) -> str:
        """What a shard's name ends in."""
        return ".tfrecord.gz" if self.compress else ".tfrecord"


@dataclasses.dataclass(frozen=True)
class Export:
    """Files of an export.

    Attributes:
      shards: In the order of their patches.
      mixer: The JSON beside them.
    """

    shards: tuple[str, ...]
    mixer: str


def write_export(
    directory: str | os.PathLike[str],
    mixer: Mixer,
    patches: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    *,
    name: str = "export",
    kernel_px: tuple[int, int] = (0, 0),
    sharding: Sharding | None = None,
    overwrite: bool = False,
) -> Export:
    """Writes an image export: NAME-00000.tfrecord.gz ..., NAME-mixer.json.

    Args:
      directory: Local folder that must not hold anything unless `overwrite`;
        it appears whole or not at all. In a gs:// folder, whose objects each
        appear whole, the mixer comes last.
      mixer: Of the patches without margin.
      patches: (number, by name [rows, columns] or [rows, columns, depth]) of
        every patch, in order. uint8 and bool are stored as bytes, other
        integers as integers, floats as float32.
      name: Of the files.
      kernel_px: (rows, columns) by which the patches exceed the mixer's.
      sharding: How to cut; None is as Earth Engine does by default.
      overwrite: Replace what is there.

    Returns:
      The files.

    Raises:
      RecordError: A patch is missing, comes twice or out of order, has
        another shape or other bands, or is too large for a record.
      OutputError: The folder holds something, or the disk refuses.
    """
    sharding = sharding or Sharding()
    pattern = rf"{re.escape(name)}-(\d{{5,}}\.tfrecord(\.gz)?|mixer\.json)"
    with output_folder(directory, pattern, overwrite=overwrite) as folder:
        with contextlib.closing(_Shards(folder, name, sharding)) as shards:
            for serialized in _check(patches, mixer, kernel_px):
                shards.write(serialized)
        mixer_name = f"{name}-mixer.json"
        write_mixer(os.path.join(folder, mixer_name), mixer)
    final = os.fspath(directory)
    return Export(
        tuple(os.path.join(final, shard) for shard in shards.names),
        os.path.join(final, mixer_name),
    )


def write_predictions(
    directory: str | os.PathLike[str],
    mixer: Mixer,
    patches: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    *,
    name: str = "predictions",
    sharding: Sharding | None = None,
    overwrite: bool = False,
) -> Export:
    """Writes predictions for `earthengine upload image`.

    Args:
      directory: As for `write_export`.
      mixer: Of the exported image, `refined` if the predictions are finer.
      patches: (number, by name [h, w]) of every patch of the export, in its
        order, without margin; written as float32.
      name: Of the files.
      sharding: How to cut; None is as Earth Engine does by default.
      overwrite: Replace what is there.

    Returns:
      The files; `upload.upload_command` makes a command line of them.

    Raises:
      RecordError, OutputError: As `write_export`.
    """
    as_floats = (
        (index, {k: np.asarray(v, np.float32) for k, v in values.items()})
        for index, values in patches
    )
    return write_export(
        directory,
        mixer,
        as_floats,
        name=name,
        sharding=sharding,
        overwrite=overwrite,
    )


class _Shards:
    """Writes records into numbered files."""

    def __init__(self, folder: str, name: str, sharding: Sharding) -> None:
        self._folder = folder
        self._name = name
        self._sharding = sharding
        self._file = None
        self._bytes = self._patches = 0
        self.names: list[str] = []

    def write(self, serialized: bytes) -> None:
        import tensorflow as tf

        size = len(serialized) + _FRAME_BYTES
        with op_errors():
            if self._file is not None and self._is_full(size):
                self.close()
            if self._file is None:
                number = len(self.names)
                file = f"{self._name}-{number:05d}{self._sharding.suffix}"
                self._file = tf.io.TFRecordWriter(
                    os.path.join(self._folder, file),
                    options=self._options(),
                )
                self.names.append(file)
                self._bytes = self._patches = 0
            self._file.write(serialized)
        self._bytes += size
        self._patches += 1

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with op_errors():
                file.close()

    def _options(self) -> Any:
        import tensorflow as tf

        if not self._sharding.compress:
            return None
        return tf.io.TFRecordOptions("GZIP", compression_level=_GZIP_LEVEL)

    def _is_full(self, more_bytes: int) -> bool:
        return (
            self._bytes + more_bytes > self._sharding.max_bytes
            or self._patches == self._sharding.patches
        )


def _check(
    patches: Iterable[tuple[int, Mapping[str, np.ndarray]]],
    mixer: Mixer,
    kernel_px: tuple[int, int],
) -> Iterator[bytes]:
    """The patches as records, after they were found to be what is due."""
    rows, cols = mixer.patch_shape
    shape = (rows + kernel_px[0], cols + kernel_px[1])
    total = mixer.total_patches
    names: set[str] | None = None
    due = 0
    for index, values in patches:
        if index != due or due == total:
            raise RecordError(
                f"patch {index} came, {due} of {total} was due: Earth Engine "
                "lays patches out by their order; write each once, from 0 to "
                f"{total - 1}"
            )
        if names is None:
            names = set(values)
        if set(values) != names or not names:
            raise RecordError(
                f"patch {index} has bands {', '.join(sorted(values)) or '-'}, "
                f"the first had {', '.join(sorted(names)) or '-'}; write the "
                "same in every patch, one at least"
            )
        for name, array in values.items():
            if array.shape[:2] != shape or array.ndim not in (2, 3):
                raise RecordError(
                    f"patch {index}: {name} has shape {array.shape}, "
                    f"{shape[0]} x {shape[1]} px are due by the mixer and a "
                    f"kernel of {kernel_px[0]} x {kernel_px[1]}"
                )
        yield encode_example(values)
        due += 1
    if due != total:
        raise RecordError(
            f"{due} of {total} patches came; Earth Engine takes all of an "
            "export or nothing: write every patch"
        )
