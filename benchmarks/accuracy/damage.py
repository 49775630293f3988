"""Damages the labels that a network learns from, to see what it can bear.

Only the train split changes, and of it only the group `label`; frames, images
and the files of the other splits stay byte for byte.
"""

import dataclasses
import itertools
import os
import pathlib
import shutil
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.accuracy.label_buildings import LabelledBuildings
from benchmarks.accuracy.label_buildings import add_building
from benchmarks.accuracy.label_buildings import find_buildings
from benchmarks.accuracy.label_buildings import find_room
from benchmarks.accuracy.label_buildings import remove_building
from s2distill.atomic_write import atomic_directory
from s2distill.atomic_write import write_json
from s2distill.data.folders import open_folders
from s2distill.data.folders import read_records
from s2distill.data.manifest import MANIFEST_FILE
from s2distill.data.manifest import STATISTICS_FILE
from s2distill.data.record_folder import write_tfds_metadata
from s2distill.data.record_serializer import RecordSerializer
from s2distill.errors import ConfigError
from s2distill.errors import RecordError

_Path = str | os.PathLike[str]
_Record = dict[str, Any]
# What stands where a moved label leaves ground unknown; 0 elsewhere.
_UNKNOWN = {"height_m": np.nan}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Spoiled:
    """What `spoil_labels` did to the train split.

    Attributes:
      buildings: Before.
      missing: Taken out of the labels.
      invented: Put where there is none.
      without_room: Not invented, for their tile is too full.
    """

    buildings: int
    missing: int
    invented: int
    without_room: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shifted:
    """What `shift_labels` did to the train split.

    Attributes:
      tiles: All of them.
      mean_shift_m: Mean length of their vectors.
    """

    tiles: int
    mean_shift_m: float


def spoil_labels(
    source: _Path,
    output: _Path,
    share: float,
    seed: int,
    *,
    overwrite: bool = False,
) -> Spoiled:
    """Spoils the labels of a share of the train split's buildings.

    Half of them go missing; of the other half the footprint, with its height,
    is put a second time at a random place of its tile where no building,
    street or unlabelled ground is. A building is what the density counts.

    Args:
      source: Record folder with building labels.
      output: Record folder to write.
      share: Of the buildings, 0 to 1.
      seed: Another seed spoils other buildings.
      overwrite: Replace a folder that exists.

    Raises:
      ConfigError: The share lies outside 0 to 1.
      RecordError: No buildings in the labels, or no train split.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share={share} of the buildings must lie in 0..1")
    names = ("label/building", "label/centroid_density", "meta/transform")
    pixel_m = _pixel_m(source)
    counts = [
        find_buildings(
            record["label"]["building"],
            record["label"]["centroid_density"],
            pixel_m(record),
        ).count
        for record in read_records(source, "train", names)
    ]
    chosen = _choose(counts, share, np.random.default_rng(seed))
    invented: list[bool] = []

    def change(number: int, record: _Record) -> _Record:
        label = {key: np.array(plane) for key, plane in record["label"].items()}
        found = find_buildings(
            label["building"], label["centroid_density"], pixel_m(record)
        )
        missing, doubled = chosen[number]
        rng = _rng(seed, record)
        taken = (label["building"] > 0) | (label["valid"] == 0)
        if "road" in label:
            taken |= label["road"] > 0
        for building in missing:
            remove_building(label, found, building)
        for building in doubled:
            invented.append(_invent(label, found, building, taken, rng))
        return record | {"label": label}

    note = {"damage": "spoiled labels", "share": share, "seed": seed}
    _rewrite_train(source, output, change, note, overwrite=overwrite)
    return Spoiled(
        buildings=sum(counts),
        missing=sum(len(missing) for missing, _ in chosen),
        invented=sum(invented),
        without_room=len(invented) - sum(invented),
    )


def shift_labels(
    source: _Path,
    output: _Path,
    max_shift_m: float,
    seed: int,
    *,
    overwrite: bool = False,
) -> Shifted:
    """Moves the labels of each train tile by a vector of its own.

    The vectors are drawn evenly from the whole label pixels within a circle,
    so masks stay masks. What comes in from outside is not valid.

    Args:
      source: Record folder with labels.
      output: Record folder to write.
      max_shift_m: Radius of the circle.
      seed: Another seed moves otherwise.
      overwrite: Replace a folder that exists.

    Raises:
      ConfigError: A negative radius.
      RecordError: No labels, or no train split.
    """
    if max_shift_m < 0:
        raise ConfigError(f"max_shift_m={max_shift_m} must not be negative")
    pixel_m = _pixel_m(source)
    lengths_m: list[float] = []

    def change(number: int, record: _Record) -> _Record:
        del number
        side_m = pixel_m(record)
        shift_px = draw_shift_px(max_shift_m / side_m, _rng(seed, record))
        lengths_m.append(float(np.hypot(*shift_px)) * side_m)
        label = {
            key: _moved(plane, shift_px, _UNKNOWN.get(key, 0))
            for key, plane in record["label"].items()
        }
        return record | {"label": label}

    note = {"damage": "shifted labels", "max_shift_m": max_shift_m}
    note["seed"] = seed
    _rewrite_train(source, output, change, note, overwrite=overwrite)
    return Shifted(tiles=len(lengths_m), mean_shift_m=float(np.mean(lengths_m)))


def _pixel_m(source: _Path) -> Callable[[_Record], float]:
    """Side of a label pixel of a record; RecordError without labels."""
    spec = open_folders([source])[0].spec
    if "building" not in spec.fields:
        raise RecordError(
            f"{source} holds no building labels, only "
            f"{', '.join(spec.fields) or 'frames'}: nothing to damage"
        )
    return lambda record: (
        abs(record["meta"]["transform"][0]) / (spec.label_factor)
    )


def _rng(seed: int, record: _Record) -> np.random.Generator:
    """The same for a tile wherever it stands among the others."""
    return np.random.default_rng([seed, zlib.crc32(record["key"].encode())])


def _choose(
    counts: list[int], share: float, rng: np.random.Generator
) -> list[tuple[list[int], list[int]]]:
    """Numbers, from 1, of missing and of doubled buildings of each tile."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if counts else 0
    spoiled = rng.permutation(total)[: round(share * total)]
    chosen: list[tuple[list[int], list[int]]] = [([], []) for _ in counts]
    for order, one in enumerate(spoiled):
        tile = int(np.searchsorted(ends, one, side="right"))
        number = int(one - ends[tile]) + counts[tile] + 1
        chosen[tile][order % 2].append(number)
    return chosen


def _invent(
    label: dict[str, np.ndarray],
    found: LabelledBuildings,
    number: int,
    taken: np.ndarray,
    rng: np.random.Generator,
) -> bool:
    """Puts a building's twin on free ground, which it takes; tells if it was.

    Ground of buildings that went missing stays taken: there one stands.
    """
    place = find_room(found.footprint(number), taken, rng)
    if place is None:
        return False
    add_building(label, found, number, place, taken)
    return True


def draw_shift_px(
    radius_px: float, rng: np.random.Generator
) -> tuple[int, int]:
    """A whole shift (rows, columns) of those within a circle, each as likely.

    Args:
      radius_px: Of the circle.
      rng: Source of chance.
    """
    axis = np.arange(-int(radius_px), int(radius_px) + 1)
    places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    inside = places[np.hypot(*places.T) <= radius_px + 1e-6]
    rows, cols = inside[rng.integers(len(inside))]
    return int(rows), int(cols)


def _moved(
    plane: np.ndarray, shift_px: tuple[int, int], fill: float
) -> np.ndarray:
    """plane(row - rows, col - cols), `fill` from outside."""
    moved = np.full_like(plane, fill)
    into, seen = zip(
        *(
            (slice(max(0, d), n + min(0, d)), slice(max(0, -d), n - max(0, d)))
            for n, d in zip(plane.shape, shift_px, strict=True)
        ),
        strict=True,
    )
    moved[into] = plane[seen]
    return moved


def _rewrite_train(
    source: _Path,
    output: _Path,
    change: Callable[[int, _Record], _Record],
    note: dict[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Copies a record folder, each train record changed.

    Args:
      source: Record folder.
      output: Record folder to write.
      change: Gets the position in the split and the record.
      note: For the manifest.
      overwrite: Replace a folder that exists.
    """
    import tensorflow as tf

    manifest = open_folders([source])[0]
    if not manifest.count("train"):
        raise RecordError(f"{source} holds no train split: nothing to damage")
    serializer = RecordSerializer(manifest.spec)
    records = enumerate(read_records(source, "train"))
    shards = []
    with atomic_directory(output, overwrite=overwrite) as folder:
        for shard in manifest.shards:
            path = folder / shard.file
            if shard.split == "train":
                with tf.io.TFRecordWriter(str(path)) as file:
                    for item in itertools.islice(records, shard.records):
                        file.write(serializer.serialize(change(*item)))
                size = path.stat().st_size
                shards.append(dataclasses.replace(shard, bytes=size))
            else:
                shutil.copyfile(pathlib.Path(source) / shard.file, path)
                shards.append(shard)
        write_tfds_metadata(folder, serializer.features, shards)
        statistics = pathlib.Path(source) / STATISTICS_FILE
        if statistics.exists():  # of the same frames, so they still hold
            shutil.copyfile(statistics, folder / STATISTICS_FILE)
        changed = dataclasses.replace(
            manifest,
            shards=tuple(shards),
            provenance=note | {"source": manifest.provenance},
        )
        write_json(folder / MANIFEST_FILE, changed.to_json())
