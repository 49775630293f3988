"""Small files read and written at once, on this disk or at gs://."""

import os

from s2distill.atomic_write import atomic_file
from s2distill.errors import OutputError


def is_remote(path: str | os.PathLike[str]) -> bool:
    """True for gs:// and its like, which only tf.io.gfile opens."""
    return "://" in os.fspath(path)


def exists(path: str | os.PathLike[str]) -> bool:
    """True where something stands under a name, here or at gs://."""
    if not is_remote(path):
        return os.path.lexists(path)
    import tensorflow as tf

    return tf.io.gfile.exists(os.fspath(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """All of a file; OSError with the reason if it cannot be read."""
    if not is_remote(path):
        with open(path, "rb") as file:
            return file.read()
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            return file.read()
    except tf.errors.OpError as error:
        raise OSError(_reason(error)) from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a file, whole or not at all; OutputError if it is refused."""
    if not is_remote(path):
        with atomic_file(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return
    import tensorflow as tf

    try:
        # A bucket shows an object only once it is whole.
        with tf.io.gfile.GFile(os.fspath(path), "w") as file:
            file.write(text)
    except tf.errors.OpError as error:
        raise OutputError(
            f"cannot write {path}: {_reason(error)}; choose another path, or "
            "look at the rights of this account"
        ) from error


def _reason(error: Exception) -> str:
    words = " ".join(str(getattr(error, "message", error)).split())
    return words or type(error).__name__
