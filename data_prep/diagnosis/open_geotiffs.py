"""Opens GeoTIFFs one by one, whatever a stack of them would be refused for."""

import glob
import os
import pathlib
from collections.abc import Sequence

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.geotiff_header import read_header
from data_prep.diagnosis.open_frame_files import open_frame_files
from data_prep.diagnosis.open_image import open_images
from data_prep.diagnosis.open_series import open_series_file
from data_prep.diagnosis.subject import Subject
from data_prep.earth_engine.tfrecord.band_series import parse_series
from s2distill.data.bands import parse_band_name
from s2distill.errors import BandError
from s2distill.errors import RasterError

SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")
# Finer pixels are no Sentinel-2 frame, coarser no 50 cm image.
_IMAGE_BELOW_M = 4.0


def find_geotiffs(path: str) -> list[str]:
    """Raster files of a folder, a glob, or one file; [] where there is none."""
    folder = pathlib.Path(path)
    if folder.is_dir():
        return sorted(
            str(found)
            for found in folder.iterdir()
            if found.suffix.lower() in SUFFIXES
        )
    return sorted(p for p in glob.glob(path) if os.path.isfile(p))


def open_geotiffs(
    source: str, paths: Sequence[str], file_bands: Sequence[str]
) -> Subject:
    """Opens raster files as frames, as one series, or as an image.

    Args:
      source: As the user named them.
      paths: Files.
      file_bands: Names of the bands of each file; () reads them from it.

    Raises:
      RasterError: If not one of the files can be read.
    """
    headers, broken = [], []
    for path in paths:
        try:
            headers.append(read_header(path))
        except RasterError as error:
            broken.append((path, error))
    if not headers:
        raise RasterError(
            str(broken[0][1])
            + (f" (and {len(broken) - 1} more)" if len(broken) > 1 else "")
        )
    findings = [_unreadable(broken)] if broken else []
    if not file_bands and all(_is_image(header) for header in headers):
        return open_images(source, headers, findings)
    if len(headers) == 1 and not file_bands and _is_series(headers[0]):
        return open_series_file(source, headers[0])
    return open_frame_files(source, headers, tuple(file_bands), findings)


def _unreadable(broken: list[tuple[str, RasterError]]) -> Finding:
    names = tuple(os.path.basename(path) for path, _ in broken)
    return Finding(
        "unreadable_file",
        "error",
        f"{len(names)} files cannot be read, {name_some(names)}: "
        f"{broken[0][1]}",
        names,
    )


def _is_series(header: Header) -> bool:
    try:
        series = parse_series([d or "" for d in header.descriptions])
    except BandError:
        return False
    return len(series.labels) > 1


def _is_image(header: Header) -> bool:
    """True for a 50 cm picture."""
    if any(_is_band(text) for text in header.descriptions if text):
        return False
    pixel_m = ground_pixel_m(header.grid)
    if pixel_m is not None:
        return pixel_m < _IMAGE_BELOW_M
    # No position: pictures are of 8 bits and up to 4 bands.
    return header.dtype == "uint8" and len(header.descriptions) <= 4


def _is_band(text: str) -> bool:
    try:
        return bool(parse_band_name(text))
    except BandError:
        return False
