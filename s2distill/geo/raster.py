"""Rasters on disk: where one lies, and maps as cloud-optimised GeoTIFFs.

A map is float32 and its nodata is NaN: whoever reads it has the values,
needs no scale, and cannot take "nothing known" for 0. It is small all the
same because values are rounded to a step that the band names, so that most
bits of the mantissa are 0 and compress away.
"""

import contextlib
import dataclasses
import os
import pathlib
import warnings
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import rasterio
import rasterio.errors
import rasterio.shutil
import rasterio.windows
from rasterio._err import CPLE_BaseError

from s2distill.atomic_write import atomic_file
from s2distill.errors import GridError
from s2distill.errors import OutputError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import format_crs

_BLOCK_PX = 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class MapBand:
    """One band of a map.

    Attributes:
      name: Description of the band.
      unit: Unit type, "1" for a probability.
      step: Values are rounded to multiples of it; a power of two compresses
        best.
      keeps_sum: Carry what rounding leaves to the next pixel of the row, so
        that the sum of any run of pixels is right within one step. For
        densities, whose values are small and whose sums are counts.
    """

    name: str
    unit: str
    step: float
    keeps_sum: bool = False


def grid_of(dataset: rasterio.DatasetReader) -> Grid:
    """The grid of an open raster; GridError if it has no place."""
    if dataset.crs is None:
        raise GridError(
            f"{dataset.name} has no CRS: give it its own with gdal_edit.py "
            "-a_srs, or leave it out"
        )
    if dataset.transform.is_identity:
        raise GridError(
            f"{dataset.name} has no transform: georeference it first "
            "(gdal_translate -a_ullr)"
        )
    try:
        return Grid(
            format_crs(dataset.crs),
            tuple(dataset.transform)[:6],
            dataset.height,
            dataset.width,
        )
    except GridError as error:
        raise GridError(f"{dataset.name}: {error}") from error


@contextlib.contextmanager
def open_raster(
    path: str | os.PathLike[str],
) -> Iterator[rasterio.DatasetReader]:
    """An open raster; GridError, in one line, if GDAL cannot open it."""
    with warnings.catch_warnings():
        # `grid_of` says it, with the way out.
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(path)
        except rasterio.errors.RasterioIOError as error:
            raise GridError(
                f"cannot open {path} as a raster: {_one_line(error)}; check "
                "the path, or fetch the file again"
            ) from error
    with dataset:
        yield dataset


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """The grid of a raster file.

    Raises:
      GridError: If GDAL cannot open it, or it has no CRS or no transform, or
        a rotated one.
    """
    with open_raster(path) as dataset:
        return grid_of(dataset)


def write_cog(
    path: str | os.PathLike[str],
    grid: Grid,
    bands: Sequence[MapBand],
    row_blocks: Iterable[np.ndarray],
    *,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Writes a cloud-optimised GeoTIFF from rows as they come.

    Memory: one block of rows and 512 rows of the whole width. Overviews hold
    means, so a density there is still one per pixel of the full grid.

    Args:
      path: Final file; appears whole or not at all.
      grid: Its grid.
      bands: What the C bands are.
      row_blocks: float32 [n, width, C] from the top down, any n each, NaN
        where nothing is known; `height` rows in all.
      tags: Of the file.

    Raises:
      OutputError: If the disk refuses, or another process holds the file.
      ValueError: If the rows are not as many as the grid has.
    """
    with atomic_file(path) as temporary, _gdal_errors(path):
        plain = temporary.with_name("plain.tif")
        with rasterio.open(
            plain,
            "w",
            driver="GTiff",
            crs=grid.crs,
            transform=grid.affine,
            height=grid.height,
            width=grid.width,
            count=len(bands),
            dtype="float32",
            nodata=np.nan,
            compress="deflate",
            zlevel=1,
            predictor=3,
            tiled=True,
            blockxsize=_BLOCK_PX,
            blockysize=_BLOCK_PX,
            interleave="band",
            bigtiff="if_safer",
            num_threads="all_cpus",
        ) as file:
            file.descriptions = tuple(band.name for band in bands)
            file.units = tuple(band.unit for band in bands)
            file.update_tags(**(tags or {}))
            _write_rows(file, bands, row_blocks)
        _check_whole(plain, len(bands))
        rasterio.shutil.copy(
            plain,
            temporary,
            driver="COG",
            compress="DEFLATE",
            level=6,
            predictor="FLOATING_POINT",
            blocksize=_BLOCK_PX,
            overview_resampling="AVERAGE",
            overview_compress="DEFLATE",
            bigtiff="IF_SAFER",
            num_threads="ALL_CPUS",
        )
        _check_whole(temporary, len(bands))


def round_to_step(values: np.ndarray, band: MapBand) -> np.ndarray:
    """Multiples of the band's step; NaN stays NaN.

    Args:
      values: float [n, width].
      band: Its `step`, and whether sums along a row are kept.

    Returns:
      float32 [n, width].
    """
    steps = values.astype(np.float64) / band.step
    if band.keeps_sum:
        # The difference of rounded running sums: each run of pixels sums to
        # within one step, and no value that was >= 0 becomes negative.
        unknown = np.isnan(steps)
        running = np.cumsum(np.where(unknown, 0.0, steps), axis=1)
        steps = np.diff(np.rint(running), axis=1, prepend=0.0)
        steps[unknown] = np.nan
    else:
        steps = np.rint(steps)
    return (steps * band.step).astype(np.float32)


def _write_rows(
    file: rasterio.io.DatasetWriter,
    bands: Sequence[MapBand],
    row_blocks: Iterable[np.ndarray],
) -> None:
    """Writes whole tiles only: GDAL would compress a part of one twice."""
    row = 0
    for block in _regroup(row_blocks, _BLOCK_PX):
        window = rasterio.windows.Window(0, row, file.width, len(block))
        for number, band in enumerate(bands):
            file.write(
                round_to_step(block[..., number], band),
                number + 1,
                window=window,
            )
        row += len(block)
    if row != file.height:
        raise ValueError(f"{row} rows came for a map of {file.height}")


def _regroup(blocks: Iterable[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """The same rows in blocks of `rows`; the last one may be smaller."""
    held: list[np.ndarray] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= rows:
            joined = np.concatenate(held)
            whole = count - count % rows
            for start in range(0, whole, rows):
                yield joined[start : start + rows]
            held, count = [joined[whole:].copy()], count - whole
    if count:
        yield np.concatenate(held)


def _check_whole(path: pathlib.Path, count: int) -> None:
    """Raises OSError where a tile reaches past the end of the file.

    GDAL reports a full disk when it closes a file, where nobody hears it.
    """
    size = path.stat().st_size
    with rasterio.open(path) as dataset:
        rows, cols = (
            -(-length // _BLOCK_PX)
            for length in (dataset.height, dataset.width)
        )
        for band in range(1, count + 1):
            for row, col in np.ndindex(rows, cols):
                place = _tile_end(dataset, band, row=row, col=col)
                if place is None or place > size:
                    raise OSError(f"tile {row}, {col} was not written")


def _tile_end(
    dataset: rasterio.DatasetReader, band: int, *, row: int, col: int
) -> int | None:
    """First byte after a tile, from the metadata GDAL's GTiff driver shows."""
    start, length = (
        dataset.get_tag_item(f"{item}_{col}_{row}", "TIFF", bidx=band)
        for item in ("BLOCK_OFFSET", "BLOCK_SIZE")
    )
    if start is None or length is None:
        return None
    return int(start) + int(length)


@contextlib.contextmanager
def _gdal_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """One OutputError for whatever GDAL says while it writes."""
    try:
        yield
    except (rasterio.errors.RasterioError, CPLE_BaseError) as error:
        raise OutputError(
            f"cannot write {path}: {_one_line(error)}; nothing was left "
            "under that name. Free some space or choose another path"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())
