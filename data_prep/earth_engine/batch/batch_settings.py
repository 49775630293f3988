"""What a batch run asks for: decided once, kept in its work folder.

Everything that the files of its exports depend on stands in
`WORKDIR/batch.json` from before the first task is submitted; a second run
with other flags is refused, for it would mix two kinds of files.
"""

import dataclasses
import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from typing import Any

from data_prep.earth_engine.batch.cells import Cell
from data_prep.earth_engine.file_text import exists
from data_prep.earth_engine.file_text import read_bytes
from data_prep.earth_engine.file_text import write_text
from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.recipe import Recipe
from s2distill.errors import ConfigError

_FILE = "batch.json"
PLACES_FILE = "places.geojson"
LEDGER_FILE = "ledger.jsonl"
FAILED_TASKS_FILE = "failed_tasks.jsonl"
# Earth Engine names files "export-00000.tfrecord.gz" and "export-mixer.json".
_FILE_STEM = "export"
_LARGEST_FILE_MIB = 1024  # guide, TFRecord: maxFileSize
_RUN_CHARACTERS = 12  # of a run id; 48 random bits


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """What the files of a batch run depend on.

    Attributes:
      recipe: What is asked for.
      date: "YYYY-MM-DD" of places that have none.
      bucket: Of Cloud Storage, without gs://.
      prefix: Folder in the bucket.
      cell_tiles: Side of a cell in places.
      kernel_px: Pixels of 10 m by which patches are grown, half at each side.
      tensor: The stack is exported as one array band.
      max_file_mib: Of a shard, before compression.
      places: Number and digest of the places, as `describe_places` gives.
      run_id: Drawn for this run; request ids and folders are made of it.
    """

    recipe: Recipe
    date: str
    bucket: str
    prefix: str
    cell_tiles: int
    kernel_px: int
    tensor: bool
    max_file_mib: int
    places: str
    run_id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if "/" in self.bucket or not self.bucket:
            raise ConfigError(
                f"--bucket={self.bucket}: the name alone is wanted, as in "
                "--bucket=my-bucket --prefix=s2distill/area1"
            )
        if not self.prefix.strip("/"):
            raise ConfigError(
                "--prefix is empty; name a folder in the bucket for the files"
            )
        if self.kernel_px < 0 or self.kernel_px % 2:
            raise ConfigError(
                f"--kernel_px={self.kernel_px}: half of it is added at each "
                "side of a patch, so it must be even; 0 adds nothing"
            )
        if not 1 <= self.max_file_mib <= _LARGEST_FILE_MIB:
            raise ConfigError(
                f"--max_file_mib={self.max_file_mib} must be from 1 to "
                f"{_LARGEST_FILE_MIB}, the limit of Earth Engine"
            )

    @property
    def exports(self) -> str:
        """Where the files appear: "gs://bucket/prefix"."""
        return f"gs://{self.bucket}/{self.prefix.strip('/')}"

    def kernel_of(self, layer: Layer) -> int:
        """Pixels of a layer by which its patches are grown."""
        return self.kernel_px * layer.factor

    def is_tensor(self, layer: Layer) -> bool:
        """True for a layer that is exported as one array band."""
        return self.tensor and layer.name == "s2"

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "BatchSettings":
        """The settings that `to_json` wrote."""
        recipe = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content["recipe"].items()
        }
        return cls(**{**content, "recipe": Recipe(**recipe)})


def describe_places(places: Iterable[Place]) -> str:
    """What tells places from others: "6 places, digest 1f0c9ae2b7d4".

    Of what records and exports are made of: keys, sizes, dates, splits.
    """
    rows = sorted((p.key, p.tile_px, p.date, p.split) for p in places)
    digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    return f"{len(rows)} places, digest {digest[:12]}"


def task_name(cell: Cell, layer: Layer) -> str:
    """The name of a task: one layer of one cell."""
    return f"{cell.key}/{layer.name}"


def task_folder(settings: BatchSettings, task: str, attempt: int) -> str:
    """Folder of the files of an attempt, below `exports`.

    Each run has its own, so that two with one prefix never read each other's
    files, and in it each attempt: a shard left by one that failed half way
    is never read as part of the next.
    """
    return f"{settings.run_id[:_RUN_CHARACTERS]}/{task}-{attempt}"


def file_prefix(settings: BatchSettings, task: str, attempt: int) -> str:
    """What Earth Engine begins the names of files with, in the bucket."""
    folder = task_folder(settings, task, attempt)
    return f"{settings.prefix.strip('/')}/{folder}/{_FILE_STEM}"


def write_settings(workdir: str, settings: BatchSettings) -> BatchSettings:
    """Writes the settings of a new run; those of an old one must be equal.

    Args:
      workdir: Folder of the run, local or gs://.
      settings: What is asked for now.

    Returns:
      The settings of the run, with the id that it was given at first.

    Raises:
      ConfigError: The run in this folder asked for something else.
    """
    path = os.path.join(workdir, _FILE)
    before = _find(path)
    if before is None:
        content = json.dumps(settings.to_json(), indent=2, sort_keys=True)
        write_text(path, content + "\n")
        return settings
    now = dataclasses.replace(settings, run_id=before.run_id)
    changed = _differences(before.to_json(), now.to_json())
    if changed:
        raise ConfigError(
            f"{path} was begun with other flags ({'; '.join(changed)}); a run "
            "goes on with those it began with. Take another --workdir"
        )
    return before


def read_settings(workdir: str) -> BatchSettings:
    """The settings of a run.

    Raises:
      ConfigError: There is no run in this folder.
    """
    path = os.path.join(workdir, _FILE)
    found = _find(path)
    if found is None:
        raise ConfigError(
            f"no {path}: --workdir is that of data_prep.earth_engine."
            "batch_export, which begins a run"
        )
    return found


def _find(path: str) -> BatchSettings | None:
    if not exists(path):
        return None
    try:
        return BatchSettings.from_json(json.loads(read_bytes(path)))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}; it was changed by hand or is of "
            "another version. Take another --workdir"
        ) from error


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    old = {**before, **before["recipe"]}
    new = {**now, **now["recipe"]}
    return [
        f"--{name} was {old.get(name)}, is {value}"
        for name, value in sorted(new.items())
        if name != "recipe" and old.get(name) != value
    ]
