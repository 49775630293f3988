"""Opens folders of training records: some whole, of the others their place."""

import os
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.record_labels import LabelCounter
from data_prep.diagnosis.sampling import spread
from data_prep.diagnosis.subject import Footprint
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import RecordFacts
from data_prep.diagnosis.subject import Subject
from s2distill.data.folders import open_folders
from s2distill.data.folders import select_features
from s2distill.data.manifest import STATISTICS_FILE
from s2distill.data.manifest import Manifest
from s2distill.data.manifest import Shard
from s2distill.data.manifest import read_manifest
from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import read_statistics
from s2distill.data.schema import SPLITS
from s2distill.data.schema import make_features
from s2distill.errors import RecordError
from s2distill.errors import S2DistillError
from s2distill.geo.grid import Grid

_PLACE_FEATURES = ("key", "meta/crs", "meta/transform")
# Reading the place of a record means reading past its pixels.
_MOST_BYTES = 4 * 2**30
_PICTURE_PX = 160


def open_records(
    source: str, directories: Sequence[str], look_at: int
) -> Subject:
    """Opens folders of records as one set.

    Args:
      source: As the user named them.
      directories: Folders with `records.json`.
      look_at: At most so many records are decoded, spread over all files.

    Raises:
      RecordError: If a folder is not one of whole records, or a file is
        damaged.
    """
    import tqdm

    manifests = [read_manifest(directory) for directory in directories]
    findings = _find_misfits(directories, manifests)
    shards = [
        (directory, manifest, shard)
        for directory, manifest in zip(directories, manifests, strict=True)
        for shard in manifest.shards
    ]
    total = sum(shard.records for _, _, shard in shards)
    shares = _share_out([shard.records for _, _, shard in shards], look_at)
    labels = LabelCounter()
    places = []
    with tqdm.tqdm(total=sum(shares), desc="records", unit="record") as bar:
        for (directory, manifest, shard), number in zip(
            shards, shares, strict=True
        ):
            for example in _read(directory, manifest, shard, number):
                places.append(_make_place(example, manifest, shard.split))
                labels.add(example)
                bar.update()
    footprints, left_out = _read_footprints(shards)
    if left_out:
        findings.append(left_out)
    statistics = _find_statistics(directories, findings)
    spec = manifests[0].spec
    frames = [len(place.frames) for place in places]
    same = len(set(frames)) == 1
    grid = places[0].grid
    return Subject(
        kind="records",
        source=source,
        records=total,
        shape=(
            frames[0] if same else None,
            spec.tile_px,
            spec.tile_px,
            len(spec.bands),
        ),
        bands=spec.bands,
        places=tuple(places),
        looked_at=f"{len(places)} of {total} records, spread over all files; "
        f"the places of {len(footprints)}",
        findings=tuple(findings),
        crs=grid.crs,
        transform=grid.transform,
        frames=max(frames),
        pixel_m=ground_pixel_m(grid),
        statistics=statistics,
        record_facts=RecordFacts(
            directories=tuple(directories),
            fields=tuple(
                field
                for field in spec.fields
                if all(field in m.spec.fields for m in manifests)
            ),
            tile_px=tuple(sorted({m.spec.tile_px for m in manifests})),
            label_factor=spec.label_factor,
            counts={s: sum(m.count(s) for m in manifests) for s in SPLITS},
            split_rule=manifests[0].split_rule,
            footprints=footprints,
            labels=labels.facts(),
            dropped=_add_up([m.dropped for m in manifests]),
        ),
    )


def find_record_folders(path: str) -> list[str]:
    """Folders with `records.json`: this one, or those in it; may be none."""
    import tensorflow as tf

    from s2distill.data.manifest import MANIFEST_FILE

    def is_one(folder: str) -> bool:
        return tf.io.gfile.exists(os.path.join(folder, MANIFEST_FILE))

    if is_one(path):
        return [path]
    if not tf.io.gfile.isdir(path):
        return []
    inside = [
        os.path.join(path, name.rstrip("/"))
        for name in sorted(tf.io.gfile.listdir(path))
    ]
    return [folder for folder in inside if is_one(folder)]


def _find_misfits(
    directories: Sequence[str], manifests: Sequence[Manifest]
) -> list[Finding]:
    """What keeps folders from being read as one."""
    try:
        open_folders(directories)
    except S2DistillError as error:
        return [Finding("folders_differ", "error", str(error))]
    if not any(m.shards for m in manifests):
        raise RecordError(
            f"{directories[0]} lists no file; write the records again"
        )
    return []


def _share_out(sizes: Sequence[int], most: int) -> list[int]:
    """How many records to read from the start of each file."""
    total = sum(sizes)
    ends = np.cumsum(sizes)
    files = np.searchsorted(ends, spread(total, most), side="right")
    return np.bincount(files, minlength=len(sizes)).tolist()


def _read(
    directory: str, manifest: Manifest, shard: Shard, number: int
) -> Iterator[dict[str, Any]]:
    """The first records of a file; a teacher's answers are not decoded."""
    names = ["key", "s2/image", "s2/valid", "s2/time_utc_s"]
    names += [f"meta/{name}" for name in ("crs", "transform")]
    if "image" in manifest.spec.fields:
        names += ["image/rgb", "image/valid"]
    if manifest.spec.has_labels:
        names.append("label/valid")
    if "building" in manifest.spec.fields:
        names += ["label/building", "label/centroid_density"]
    if "road" in manifest.spec.fields:
        names.append("label/road")
    path = os.path.join(directory, shard.file)
    yield from _decode(path, manifest, names, number)


def _decode(
    path: str, manifest: Manifest, names: Sequence[str], number: int
) -> Iterator[dict[str, Any]]:
    import tensorflow as tf

    if not number:
        return
    features = select_features(make_features(manifest.spec), names)
    dataset = tf.data.TFRecordDataset(path).take(number)
    try:
        yield from dataset.map(features.deserialize_example).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise RecordError(
            f"{path} is damaged, a checksum does not match; copy it again or "
            "write the records again"
        ) from error


def _make_place(
    example: dict[str, Any], manifest: Manifest, split: str
) -> Place:
    key = example["key"].decode()
    spec = manifest.spec
    s2 = example["s2"]
    frames = tuple(
        Frame(
            name=f"frame {number} of {key}",
            bands=spec.bands,
            values=s2["image"][number],
            inside=s2["valid"][number] > 0,
            time_utc_s=int(s2["time_utc_s"][number]),
            product_level=spec.product_level,
            quantification_dn=spec.quantification_dn,
            offset_dn=spec.offset_dn,
        )
        for number in range(len(s2["image"]))
    )
    return Place(
        name=key,
        frames=frames,
        grid=_grid(example["meta"], spec.tile_px),
        split=split,
        picture=_thin(example.get("image", {}).get("rgb")),
    )


def _grid(meta: dict[str, Any], tile_px: int) -> Grid:
    return Grid(
        meta["crs"].decode(),
        tuple(float(x) for x in meta["transform"]),
        tile_px,
        tile_px,
    )


def _thin(rgb: np.ndarray | None) -> np.ndarray | None:
    """Means over blocks, so that a picture takes little memory."""
    if rgb is None:
        return None
    step = max(1, rgb.shape[0] // _PICTURE_PX)
    side = rgb.shape[0] // step
    blocks = rgb[: side * step, : side * step].reshape(
        side, step, side, step, 3
    )
    return blocks.mean(axis=(1, 3)).astype(np.uint8)


def _read_footprints(
    shards: Sequence[tuple[str, Manifest, Shard]],
) -> tuple[tuple[Footprint, ...], Finding | None]:
    """Where the records lie; a note if files had to be left out."""
    chosen = list(shards)
    size = sum(shard.bytes for _, _, shard in shards)
    if size > _MOST_BYTES:
        number = max(1, int(len(shards) * _MOST_BYTES / size))
        chosen = [shards[i] for i in spread(len(shards), number)]
    found = []
    for directory, manifest, shard in chosen:
        path = os.path.join(directory, shard.file)
        for example in _decode(path, manifest, _PLACE_FEATURES, shard.records):
            grid = _grid(example["meta"], manifest.spec.tile_px)
            found.append(
                Footprint(
                    key=example["key"].decode(),
                    split=shard.split,
                    crs=grid.crs,
                    bounds=grid.bounds,
                )
            )
    if len(chosen) == len(shards):
        return tuple(found), None
    return tuple(found), Finding(
        "part_of_the_splits",
        "note",
        f"whether splits touch was looked for in {len(chosen)} of "
        f"{len(shards)} files, {_MOST_BYTES / 2**30:.0f} GiB of "
        f"{size / 2**30:.0f}",
    )


def _find_statistics(
    directories: Sequence[str], findings: list[Finding]
) -> BandStatistics | None:
    """The first statistics that lie beside the records."""
    import tensorflow as tf

    for directory in directories:
        path = os.path.join(directory, STATISTICS_FILE)
        if not tf.io.gfile.exists(path):
            continue
        try:
            return read_statistics(path)
        except RecordError as error:
            findings.append(Finding("bad_statistics", "error", str(error)))
    return None


def _add_up(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, number in one.items():
            total[name] = total.get(name, 0) + number
    return total
