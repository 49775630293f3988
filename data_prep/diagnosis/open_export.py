"""Opens Earth Engine's TFRecord exports: images with a mixer, and tables."""

import glob
import os
from collections.abc import Iterator
from collections.abc import Mapping

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.open_series import find_series_faults
from data_prep.diagnosis.open_series import make_frames
from data_prep.diagnosis.open_table import open_table
from data_prep.diagnosis.sampling import spread
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject
from data_prep.earth_engine.tfrecord.band_series import BandSeries
from data_prep.earth_engine.tfrecord.band_series import parse_series
from data_prep.earth_engine.tfrecord.export_files import find_files
from data_prep.earth_engine.tfrecord.export_reader import Patch
from data_prep.earth_engine.tfrecord.export_reader import peek_features
from data_prep.earth_engine.tfrecord.export_reader import read_patches
from data_prep.earth_engine.tfrecord.mixer import Mixer
from data_prep.earth_engine.tfrecord.mixer import read_mixer
from s2distill.errors import BandError
from s2distill.errors import RecordError
from s2distill.errors import S2DistillError
from s2distill.geo.grid import Grid

_MOST_KERNEL_PX = 512


def open_export(source: str, mixer_path: str, look_at: int) -> Subject:
    """Opens an export of Earth Engine.

    Args:
      source: TFRecord file, glob or folder.
      mixer_path: The JSON of an image export; "" looks for it beside.
      look_at: At most so many patches are kept, evenly spread.

    Raises:
      RecordError: If it is cut or damaged, or an image without its mixer.
      BandError, GridError: As the readers of the export.
    """
    path = mixer_path or find_mixer(source)
    if path:
        return _open_image(source, path, look_at)
    sizes = peek_features(find_files(source)[:1])
    if max(sizes.values(), default=0) > 1:
        raise RecordError(
            f"{source} is an image export (its first record holds "
            f"{max(sizes.values()):,} values a band) and no mixer lies beside "
            "it; give the JSON of the export with --mixer"
        )
    return open_table(source)


def find_mixer(source: str) -> str:
    """The mixer beside an export; "" where there is none, or several.

    Earth Engine calls it like the files: image.json beside image.tfrecord.gz,
    image-mixer.json or imagemixer.json beside image-00000.tfrecord.gz.
    """
    files = find_files(source)
    folder, first = os.path.split(files[0])
    # Local only: of a bucket the mixer is named by --mixer.
    beside = sorted(glob.glob(os.path.join(glob.escape(folder), "*.json")))
    stem = first.split(".tfrecord")[0]
    for path in beside:
        name = os.path.basename(path).removesuffix(".json")
        if not stem.startswith(name.removesuffix("mixer").rstrip("-_")):
            continue
        try:
            read_mixer(path)
        except S2DistillError:
            continue
        return path
    return ""


def _open_image(source: str, mixer_path: str, look_at: int) -> Subject:
    mixer = read_mixer(mixer_path)
    sizes = peek_features(source)
    kernel_px, depths = _find_kernel(mixer, sizes)
    wanted = set(spread(mixer.total_patches, look_at))
    findings = _kernel_findings(kernel_px)
    places: list[Place] = []
    series: BandSeries | None = None
    not_finite = values_read = 0
    for index, grid, values in _patches(source, mixer, kernel_px, depths):
        if index not in wanted:
            continue
        planes = {
            name: plane for name, plane in values.items() if plane.ndim == 2
        }
        stacked = np.dstack(list(planes.values()))
        if series is None:
            series = _parse_names(tuple(planes), findings)
            findings += find_series_faults(series, stacked)
        name = f"patch {index}" if mixer.total_patches > 1 else ""
        places.append(_make_place(name, series, stacked, grid))
        not_finite += int((~np.isfinite(stacked)).sum())
        values_read += stacked.size
    frames = places[0].frames
    height, width = mixer.patch_shape
    dated = len(frames) > 1
    shape = (height, width, len(frames[0].bands))
    return Subject(
        kind="earth_engine_image",
        source=source,
        records=mixer.total_patches,
        shape=(len(frames), *shape) if dated else shape,
        bands=frames[0].bands,
        places=tuple(places),
        looked_at=f"{len(places)} of {mixer.total_patches} patches of "
        f"{height} x {width} px; mixer {os.path.basename(mixer_path)}",
        findings=tuple(findings),
        crs=mixer.crs,
        transform=mixer.transform,
        frames=len(frames),
        pixel_m=ground_pixel_m(mixer.grid),
        nan_share=not_finite / max(values_read, 1),
    )


def _patches(
    source: str,
    mixer: Mixer,
    kernel_px: tuple[int, int],
    depths: Mapping[str, int],
) -> Iterator[Patch]:
    import tqdm

    return tqdm.tqdm(
        read_patches(source, mixer, kernel_px=kernel_px, tensor_depths=depths),
        total=mixer.total_patches,
        desc="patches",
        unit="patch",
        disable=mixer.total_patches < 2,
    )


def _parse_names(names: tuple[str, ...], findings: list[Finding]) -> BandSeries:
    try:
        return parse_series(names)
    except BandError as error:
        findings.append(Finding("unknown_bands", "warning", str(error)))
        return parse_series(())


def _make_place(
    name: str, series: BandSeries, stacked: np.ndarray, grid: Grid
) -> Place:
    inside = np.ones(stacked.shape[:2], bool)
    prefix = f"{name}, " if name else ""
    if series.bands:
        frames = make_frames(series, stacked, inside, prefix=prefix)
    else:
        frames = (
            Frame(
                name=name or "the image",
                bands=series.names,
                values=stacked,
                inside=inside,
            ),
        )
    return Place(name=name, frames=frames, grid=grid)


def _find_kernel(
    mixer: Mixer, sizes: Mapping[str, int]
) -> tuple[tuple[int, int], dict[str, int]]:
    """((rows, columns) of the kernel, depth of the bands that hold arrays)."""
    rows, cols = mixer.patch_shape
    least = min((n for n in sizes.values() if n), default=0)
    kernel = 0
    for side in range(0, _MOST_KERNEL_PX + 1, 2):
        if (rows + side) * (cols + side) == least:
            kernel = side
            break
    pixels = (rows + kernel) * (cols + kernel)
    depths = {
        name: count // pixels
        for name, count in sizes.items()
        if count > pixels and count % pixels == 0
    }
    return (kernel, kernel), depths


def _kernel_findings(kernel_px: tuple[int, int]) -> list[Finding]:
    if not any(kernel_px):
        return []
    return [
        Finding(
            "kernel",
            "note",
            f"the patches are grown by a kernel of {kernel_px[0]} x "
            f"{kernel_px[1]} px (kernelSize {kernel_px[1]}), which was cut "
            "away again here",
        )
    ]
