"""A folder of files that are of use together only, local or gs://."""

import contextlib
import os
import re
from collections.abc import Iterator

from data_prep.earth_engine.file_text import is_remote
from s2distill.atomic_write import atomic_directory
from s2distill.errors import OutputError


@contextlib.contextmanager
def output_folder(
    directory: str | os.PathLike[str],
    own_names: str,
    *,
    overwrite: bool = False,
) -> Iterator[str]:
    """Yields a folder to write to; whatever fails, nothing half stays.

    A local folder appears under its name when the block ends. Elsewhere a
    folder cannot be moved at once: files are written in place, and those of
    this writer, told by their names, are removed when the block fails.

    Args:
      directory: Final folder. A local one must not hold anything unless
        `overwrite`; elsewhere only files named by `own_names` count.
      own_names: Regular expression of the names that will be written.
      overwrite: Replace what is there: a local folder as a whole, elsewhere
        files named by `own_names`.

    Yields:
      The folder to write to.

    Raises:
      OutputError: If there is something already, or a write is refused.
    """
    if not is_remote(directory):
        with atomic_directory(directory, overwrite=overwrite) as folder:
            yield os.fspath(folder)
        return
    path = os.fspath(directory)
    try:
        before = _list_own(path, own_names)
        if before and not overwrite:
            raise OutputError(
                f"{before[0]} exists already; choose another folder, or pass "
                "--overwrite where the program has it"
            )
        _remove(before)
        with op_errors():
            _filesystem().makedirs(path)
        try:
            yield path
        except BaseException:
            _remove(_list_own(path, own_names))
            raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error}; nothing was left there. Check the "
            "bucket and the rights to it"
        ) from error


@contextlib.contextmanager
def op_errors() -> Iterator[None]:
    """TensorFlow's errors of a full disk or a lost bucket as Python's."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        raise OSError(" ".join(error.message.split())) from error


def _filesystem() -> type:
    import tensorflow as tf

    return tf.io.gfile


def _list_own(path: str, own_names: str) -> list[str]:
    with op_errors():
        files = _filesystem()
        names = files.listdir(path) if files.isdir(path) else []
    own = sorted(name for name in names if re.fullmatch(own_names, name))
    return [os.path.join(path, name) for name in own]


def _remove(paths: list[str]) -> None:
    with op_errors():
        for path in paths:
            _filesystem().remove(path)
