"""Where a run may write: its output folder, and its work folder for itself."""

import contextlib
import fcntl
import fnmatch
import os
import pathlib
from collections.abc import Iterator

from data_prep.earth_engine.file_text import is_remote
from data_prep.earth_engine.output_folder import output_folder
from data_prep.earth_engine.records.record_config import RecordsConfig
from s2distill.atomic_write import check_absent
from s2distill.data.manifest import MANIFEST_FILE
from s2distill.data.manifest import STATISTICS_FILE
from s2distill.data.record_folder import shard_pattern
from s2distill.errors import ConfigError
from s2distill.errors import OutputError

_LOCK_FILE = "lock"
# Names of what a record folder holds; without the manifest it is none.
_OWN = "|".join(
    fnmatch.translate(pattern)
    for pattern in (
        MANIFEST_FILE,
        STATISTICS_FILE,
        "dataset_info.json",
        "features.json",
        shard_pattern(),
    )
)


def check_output(config: RecordsConfig) -> None:
    """Refuses an output that is there, or that is mixed with the work folder.

    Raises:
      ConfigError: One of the two folders is the other, or lies in it.
      OutputError: Something is there that may not be replaced: any file
        without `--overwrite`, and with it what is no record folder.
    """
    _check_apart(config.output, config.work_folder)
    if is_remote(config.output):
        import tensorflow as tf

        path = os.path.join(config.output, MANIFEST_FILE)
        if tf.io.gfile.exists(path) and not config.overwrite:
            raise OutputError(
                f"{path} exists already; choose another --output, or pass "
                "--overwrite"
            )
        return
    if not config.overwrite:
        check_absent(config.output)
        return
    folder = pathlib.Path(config.output)
    is_ours = (folder / MANIFEST_FILE).is_file()
    if folder.exists() and not is_ours and any(folder.iterdir()):
        raise OutputError(
            f"{folder} holds no {MANIFEST_FILE}, so it is no record folder, "
            "and --overwrite does not remove it; choose another --output"
        )


@contextlib.contextmanager
def work_alone(config: RecordsConfig) -> Iterator[None]:
    """Makes the work folder and holds it while the block runs.

    The lock ends with the process, however that ends. In a bucket there is
    none.

    Raises:
      OutputError: Another run holds it, or it cannot be written to.
    """
    if is_remote(config.work_folder):
        yield
        return
    folder = pathlib.Path(config.work_folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK_FILE).open("w")
    except OSError as error:
        raise OutputError(
            f"cannot write to the work folder {folder}: "
            f"{error.strerror or error}; choose another --workdir"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OutputError(
                f"another run works in {folder}; wait for its end, or choose "
                "another --workdir"
            ) from error
        yield


@contextlib.contextmanager
def record_folder(config: RecordsConfig) -> Iterator[str]:
    """Yields the folder to write records in.

    A local one appears under its name when the block ends, in place of what
    `--overwrite` allows to replace. In a bucket files are written in place;
    what else lies there is left alone.
    """
    # `check_output` has asked already whether a bucket may be written to; what
    # a killed run left there has no manifest, and is ours.
    overwrite = config.overwrite or is_remote(config.output)
    with output_folder(config.output, _OWN, overwrite=overwrite) as folder:
        yield folder


def _check_apart(output: str, work: str) -> None:
    one, two = (
        path.rstrip("/") if is_remote(path) else os.path.realpath(path)
        for path in (output, work)
    )
    if f"{one}/".startswith(f"{two}/") or f"{two}/".startswith(f"{one}/"):
        raise ConfigError(
            f"--output={output} and --workdir={work} lie in one another; "
            "the work folder is removed in part when the records are there, "
            "so give it a place of its own"
        )
