"""The command lines that bring an export back to Earth Engine.

The `earthengine` command takes shards and mixer as one source of many files,
in the order given, and reads from Cloud Storage only. Source: class
UploadImageCommand of the earthengine-api package.
"""

import os
import posixpath
import shlex

from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.tfrecord.export_writer import Export
from s2distill.errors import ConfigError


def upload_command(
    export: Export,
    asset_id: str,
    *,
    gcs_folder: str = "",
    nodata: float | None = None,
) -> str:
    """The command that makes an Earth Engine asset of an export.

    Args:
      export: Files, local or gs://.
      asset_id: "projects/my-project/assets/name".
      gcs_folder: gs:// folder that local files are copied to first.
      nodata: Value that stands for masked pixels, in all bands.

    Raises:
      ConfigError: If the files are local and `gcs_folder` is no gs:// folder.
    """
    files = [_remote(file, gcs_folder) for file in _files_of(export)]
    flags = [f"--asset_id={asset_id}"]
    if nodata is not None:
        flags.append(f"--nodata_value={nodata:g}")
    return shlex.join(["earthengine", "upload", "image", *flags, *files])


def copy_command(export: Export, gcs_folder: str) -> str:
    """The command that copies local files of an export to Cloud Storage."""
    target = gcs_folder.rstrip("/") + "/"
    return shlex.join(["gcloud", "storage", "cp", *_files_of(export), target])


def _files_of(export: Export) -> list[str]:
    return [*export.shards, export.mixer]


def _remote(file: str, gcs_folder: str) -> str:
    if is_remote(file):
        return file
    if not gcs_folder.startswith("gs://"):
        raise ConfigError(
            f"{file} lies on this machine and {gcs_folder or '(none)'!r} is no "
            "gs:// folder: Earth Engine reads uploads from Cloud Storage only; "
            "name the folder that the files will be copied to"
        )
    return posixpath.join(gcs_folder, os.path.basename(file))
