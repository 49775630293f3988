"""Files and folders that appear under their final name whole or not at all."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from s2distill.errors import OutputError


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`; moves it there on success.

    The temporary file is on the same file system, so the move is one
    operation: a reader sees the old file or the whole new one. Whatever is
    raised inside the block, the temporary file is removed.

    Args:
      path: Final path; its parent folders are made.

    Yields:
      The path to write to; it keeps the suffix of `path`, because GDAL and
      others choose a format by it.

    Raises:
      OutputError: If the disk refuses a write (full, read-only).
    """
    final = pathlib.Path(path)
    with _disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent)
    try:
        temporary = pathlib.Path(folder) / final.name
        with _disk_errors(final):
            yield temporary
            os.replace(temporary, final)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def atomic_directory(
    path: str | os.PathLike[str], *, overwrite: bool = False
) -> Iterator[pathlib.Path]:
    """Yields a temporary folder; moves it to `path` on success.

    Args:
      path: Final folder; must not exist, or be empty, unless `overwrite`.
      overwrite: Replace what is there, once the new folder is whole.

    Yields:
      An empty folder beside `path`.

    Raises:
      OutputError: If `path` holds something already, or the disk refuses.
    """
    final = pathlib.Path(path)
    if not overwrite:
        check_absent(final)
    with _disk_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        holder = tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent)
    try:
        temporary = pathlib.Path(holder) / final.name
        temporary.mkdir()
        with _disk_errors(final):
            yield temporary
            if final.exists():
                os.replace(final, pathlib.Path(holder) / "replaced")
            os.replace(temporary, final)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def check_absent(path: str | os.PathLike[str]) -> None:
    """Raises OutputError if `path` is a file or a folder with content."""
    final = pathlib.Path(path)
    if final.is_file() or (final.is_dir() and any(final.iterdir())):
        raise OutputError(
            f"{final} exists already; choose another path, remove it, or "
            "pass --overwrite where the program has it"
        )


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Writes `content` as sorted, indented JSON, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(
            json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
            + "\n",
            encoding="utf-8",
        )


@contextlib.contextmanager
def _disk_errors(final: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"cannot write {final}: {error.strerror or error}; nothing was "
            "left under that name. Free some space or choose another path"
        ) from error
