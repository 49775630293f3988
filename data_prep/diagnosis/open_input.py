"""Tells inputs apart, unprompted, and opens them."""

import glob
import os
from collections.abc import Sequence

from data_prep.diagnosis.subject import Subject
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

_TFRECORD = ".tfrecord"
_OURS = "s2distill-"
_WAYS = (
    "give a folder of records (records.json), an Earth Engine export "
    "(.tfrecord, .tfrecord.gz, with its mixer), or GeoTIFFs: a file, a "
    "folder, or a glob in quotes"
)


def open_input(
    paths: Sequence[str],
    *,
    mixer: str = "",
    file_bands: Sequence[str] = (),
    look_at: int = 64,
) -> Subject:
    """Opens whatever lies at some paths.

    Args:
      paths: One file, folder or glob; or several folders of records.
      mixer: JSON of an Earth Engine export; "" looks beside it.
      file_bands: Names of the bands of GeoTIFFs that do not tell them.
      look_at: At most so many records or patches are measured.

    Raises:
      ConfigError: If nothing is there, or nothing that is known.
      S2DistillError: If what is there cannot be read at all.
    """
    if not paths:
        raise ConfigError(f"--input is empty; {_WAYS}")
    if look_at < 1:
        raise ConfigError(f"--look_at={look_at} must be at least 1")
    source = ",".join(paths)
    folders = _find_record_folders(paths)
    if folders:
        from data_prep.diagnosis.open_records import open_records

        return open_records(source, folders, look_at)
    if len(paths) > 1:
        raise ConfigError(
            f"--input={source}: several inputs are taken only if each is a "
            f"folder of records, and {paths[0]} is none; quote a glob, so "
            "that the shell leaves it whole"
        )
    path = paths[0]
    if mixer or _is_export(path):
        _refuse_own_shards(path)
        from data_prep.diagnosis.open_export import open_export

        return open_export(path, mixer, look_at)
    from data_prep.diagnosis.open_geotiffs import find_geotiffs
    from data_prep.diagnosis.open_geotiffs import open_geotiffs

    files = find_geotiffs(path)
    if not files:
        raise ConfigError(f"--input={path}: {_what_is_there(path)}; {_WAYS}")
    return open_geotiffs(path, files, file_bands)


def _find_record_folders(paths: Sequence[str]) -> list[str]:
    """Folders of records at all the paths; [] unless each has some."""
    found = []
    for path in paths:
        folder = (
            path.removesuffix("records.json")
            if (os.path.basename(path) == "records.json")
            else path
        )
        if not os.path.isdir(folder) and "://" not in folder:
            return []
        if os.path.isdir(folder) and not _mentions_records(folder):
            return []
        from data_prep.diagnosis.open_records import find_record_folders

        inside = find_record_folders(folder.rstrip("/") or folder)
        if not inside:
            return []
        found += inside
    return found


def _mentions_records(folder: str) -> bool:
    """A look without TensorFlow, whose import costs seconds."""
    patterns = ("records.json", os.path.join("*", "records.json"))
    return any(
        glob.glob(os.path.join(glob.escape(folder), pattern))
        for pattern in patterns
    )


def _is_export(path: str) -> bool:
    if _TFRECORD in os.path.basename(path):
        return True
    if os.path.isdir(path):
        inside = os.path.join(glob.escape(path), f"*{_TFRECORD}*")
        return bool(glob.glob(inside))
    return False


def _refuse_own_shards(path: str) -> None:
    """Our own files without their manifest are no export."""
    inside = os.path.join(path, "*") if os.path.isdir(path) else path
    ours = [
        p for p in glob.glob(inside) if os.path.basename(p).startswith(_OURS)
    ]
    if ours:
        raise RecordError(
            f"{ours[0]} is a file of a record folder; give the folder, with "
            "the records.json that was written beside it"
        )


def _what_is_there(path: str) -> str:
    if os.path.isdir(path):
        names = sorted(os.listdir(path))
        if not names:
            return "an empty folder"
        shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
        return f"nothing known in that folder ({shown})"
    if os.path.exists(path):
        return "a file of no known kind"
    return "no such file or folder"
