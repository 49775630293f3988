"""Answers on disk, each layer of each place a file: the memory of a run.

A layer is there whole or not at all, so what is there need never be asked
for again, and records can be made from it as often as one likes.

    DIRECTORY/s2/3f/utm16n-735680-3735040-32px-2022-07-01.npy

The folder in between is the beginning of a hash: buckets and file systems
grow slow with a million files in one folder.
"""

import hashlib
import os
import pathlib
import uuid
from collections.abc import Sequence

import numpy as np

from data_prep.earth_engine.asking.npy import read_npy
from data_prep.earth_engine.asking.npy import write_npy
from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.places.place import Place
from s2distill.errors import AnswerError
from s2distill.errors import OutputError

_SUFFIX = ".npy"


def answer_key(place: Place, date: str) -> str:
    """The key of a place's answers: another size or date has others.

    Args:
      place: Whose.
      date: "YYYY-MM-DD" of places that have none.
    """
    return f"{place.key}-{place.tile_px}px-{place.date or date}"


class AnswerStore:
    """A folder of answers, local or gs://; safe for threads and processes."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Opens the store; its folders are made when something is put in."""
        self.directory = str(directory)

    def put(self, layer: str, key: str, answer: np.ndarray) -> None:
        """Keeps an answer, [H, W] structured by band."""
        content = write_npy(answer)
        path = self._path(layer, key)
        try:
            if is_remote(path):
                _write_object(path, content)
            else:
                _write_file(pathlib.Path(path), content)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; make room "
                "or give another --workdir. A run with the same one goes on "
                "with the answers that are there"
            ) from error

    def get(self, layer: str, key: str) -> np.ndarray:
        """The answer that was put there.

        Raises:
          AnswerError: There is none, or the file was changed.
        """
        path = self._path(layer, key)
        try:
            return read_npy(read_bytes(path))
        except (OSError, ValueError) as error:
            raise AnswerError(
                f"{path} cannot be read: {error}; run again, and it is asked "
                "for anew"
            ) from error

    def discard(self, layer: str, key: str) -> None:
        """Removes an answer, if there is one."""
        import tensorflow as tf

        if self.has(layer, key):
            tf.io.gfile.remove(self._path(layer, key))

    def has(self, layer: str, key: str) -> bool:
        """True where the answer is there."""
        path = self._path(layer, key)
        if not is_remote(path):
            return os.path.exists(path)
        import tensorflow as tf

        return tf.io.gfile.exists(path)

    def keys(self, layer: str) -> set[str]:
        """Keys of all places whose answer is there; one listing."""
        pattern = os.path.join(self.directory, layer, "*", f"*{_SUFFIX}")
        if is_remote(self.directory):
            import tensorflow as tf

            paths = tf.io.gfile.glob(pattern)
        else:
            folder = pathlib.Path(self.directory) / layer
            paths = map(str, folder.glob(f"*/*{_SUFFIX}"))
        return {os.path.basename(path).removesuffix(_SUFFIX) for path in paths}

    def remove(self) -> None:
        """Removes all answers."""
        import tensorflow as tf

        if tf.io.gfile.exists(self.directory):
            tf.io.gfile.rmtree(self.directory)

    def _path(self, layer: str, key: str) -> str:
        if not key or "/" in key:
            raise ValueError(f"the key {key!r} is no name for a file")
        shelf = hashlib.sha256(key.encode()).hexdigest()[:2]
        return os.path.join(self.directory, layer, shelf, key + _SUFFIX)


def _write_file(
    path: pathlib.Path, content: Sequence[bytes | memoryview]
) -> None:
    """Under another name first, then renamed: whole or not at all."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        try:
            file = temporary.open("wb")
        except FileNotFoundError:  # the first of its folder
            path.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("wb")
        with file:
            file.writelines(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_object(path: str, content: Sequence[bytes | memoryview]) -> None:
    """An object of Cloud Storage appears when it is whole."""
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(b"".join(content))
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
