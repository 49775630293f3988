"""Rasters on disk: their grids, and cloud-optimised GeoTIFFs written by rows.

GDAL makes a cloud-optimised GeoTIFF only from a whole raster, overviews first.
Rows therefore go to a plain GeoTIFF beside the final name; `write_cog` turns
it into the final file when the last row is in, whole or not at all.

Maps are float32 with NaN for nodata: who reads one has the values, needs no
scale, and cannot take "nothing known" for 0. They are small all the same
where layers name a step to round to, since most bits of the mantissa are then
0 and compress away.
"""

import contextlib
import dataclasses
import math
import os
import pathlib
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np
import rasterio
import rasterio.errors
import rasterio.shutil

from s2distill.atomic_write import atomic_file
from s2distill.errors import GridError
from s2distill.errors import OutputError
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import format_crs

COG_BLOCK_PX = 512
# Rows of one strip of the temporary file: rows arrive in order, so a strip
# leaves GDAL's cache whole and is compressed once.
_STRIP_ROWS = 32
# GDAL would take 5 % of the machine's memory; strips and tiles need little.
_GDAL_CACHE_MB = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """One band of a raster to write.

    Attributes:
      name: Becomes the band description.
      unit: Becomes the band's unit, for example "m".
      step: Values are rounded to multiples of it; a power of two compresses
        best. None keeps them as they are.
      keeps_sum: Carry what rounding leaves to the next pixel of the row, so
        that any run of pixels sums to within one step of the truth. For
        densities, whose values are small and whose sums are counts.
    """

    name: str
    unit: str
    step: float | None = None
    keeps_sum: bool = False


@contextlib.contextmanager
def open_raster(
    path: str | os.PathLike[str],
) -> Iterator[rasterio.io.DatasetReader]:
    """Opens a raster; its read errors become one line that names the file.

    Args:
      path: Anything GDAL opens.

    Yields:
      The open dataset.

    Raises:
      RasterError: If the file is absent, broken or no raster, here or at a
        read inside the block.
    """
    try:
        with rasterio.Env(), warnings.catch_warnings():
            # No position: `read_grid` refuses that, in plain words.
            warnings.simplefilter(
                "ignore", rasterio.errors.NotGeoreferencedWarning
            )
            with rasterio.open(path) as dataset:
                yield dataset
    except rasterio.errors.RasterioIOError as error:
        raise RasterError(
            f"cannot read {path}: {_root_message(error)}; remove the file or "
            "fetch it again"
        ) from error


def read_grid(path: str | os.PathLike[str]) -> Grid:
    """The grid of a raster.

    Args:
      path: Anything GDAL opens.

    Raises:
      RasterError: If it cannot be read.
      GridError: If it has no CRS or transform, or is rotated.
    """
    with open_raster(path) as dataset:
        return grid_of(dataset)


def grid_of(dataset: rasterio.io.DatasetReader) -> Grid:
    """The grid of an open raster; GridError names its file."""
    if dataset.crs is None or dataset.transform == rasterio.Affine.identity():
        lacking = "CRS" if dataset.crs is None else "transform"
        raise GridError(
            f"{dataset.name} has no {lacking}: nobody knows where it lies; "
            "give it one with gdal_edit.py -a_srs EPSG:CODE -a_ullr LEFT TOP "
            "RIGHT BOTTOM"
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


class RowWriter:
    """Takes the rows of a raster from top to bottom."""

    def __init__(
        self, dataset: rasterio.io.DatasetWriter, layers: Sequence[Layer]
    ) -> None:
        self._dataset = dataset
        self._layers = layers
        self._next_row = 0

    @property
    def next_row(self) -> int:
        """The first row that was not written."""
        return self._next_row

    def append(self, rows: np.ndarray) -> None:
        """Writes the next rows.

        Args:
          rows: [n, width, layers]; n may differ from call to call.
        """
        window = rasterio.windows.Window(
            0, self._next_row, self._dataset.width, rows.shape[0]
        )
        for number, layer in enumerate(self._layers):
            plane = round_to_step(rows[..., number], layer)
            self._dataset.write(plane, number + 1, window=window)
        self._next_row += rows.shape[0]


def round_to_step(values: np.ndarray, layer: Layer) -> np.ndarray:
    """Multiples of the layer's step; NaN stays NaN.

    Args:
      values: [n, width].
      layer: Its step, and whether sums along a row are kept.

    Returns:
      [n, width], of the type of `values`.
    """
    if layer.step is None:
        return values
    steps = values.astype(np.float64) / layer.step
    if layer.keeps_sum:
        # The difference of rounded running sums: no value that was 0 or more
        # becomes negative.
        unknown = np.isnan(steps)
        running = np.cumsum(np.where(unknown, 0.0, steps), axis=1)
        steps = np.diff(np.rint(running), axis=1, prepend=0.0)
        steps[unknown] = np.nan
    else:
        steps = np.rint(steps)
    return (steps * layer.step).astype(values.dtype)


@contextlib.contextmanager
def write_cog(
    path: str | os.PathLike[str],
    grid: Grid,
    layers: Sequence[Layer],
    *,
    nodata: float = math.nan,
    dtype: str = "float32",
    tags: Mapping[str, str] | None = None,
) -> Iterator[RowWriter]:
    """Writes a cloud-optimised GeoTIFF row by row, whole or not at all.

    Memory does not grow with the raster; beside `path` there is for a while
    a compressed copy without overviews. Overviews of floats hold means, so a
    density there is still one per pixel of the full grid.

    Args:
      path: Final file, ends in .tif.
      grid: Of the raster.
      layers: Bands, in order.
      nodata: Value that stands for "nothing known".
      dtype: Of the pixels.
      tags: Metadata of the file.

    Yields:
      Takes the rows. All of them must have arrived when the block ends.

    Raises:
      OutputError: If the disk refuses, or rows are missing.
    """
    with atomic_file(path) as final, rasterio.Env(GDAL_CACHEMAX=_GDAL_CACHE_MB):
        rows_path = final.with_suffix(".rows.tif")
        with _gdal_errors(path):
            with rasterio.open(
                rows_path, "w", **_rows_profile(grid, layers, nodata, dtype)
            ) as dataset:
                dataset.descriptions = [layer.name for layer in layers]
                dataset.units = [layer.unit for layer in layers]
                dataset.update_tags(**(tags or {}))
                writer = RowWriter(dataset, layers)
                yield writer
            if writer.next_row != grid.height:
                raise OutputError(
                    f"{path}: {writer.next_row} of {grid.height} rows were "
                    "written; nothing was left under that name"
                )
            _copy_to_cog(rows_path, final, dtype)


def _rows_profile(
    grid: Grid, layers: Sequence[Layer], nodata: float, dtype: str
) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "crs": grid.crs,
        "transform": grid.affine,
        "height": grid.height,
        "width": grid.width,
        "count": len(layers),
        "dtype": dtype,
        "nodata": nodata,
        "tiled": False,
        "blockysize": _STRIP_ROWS,
        "interleave": "band",
        "compress": "zstd",
        "zstd_level": 1,
        "bigtiff": "if_safer",
    }


def _copy_to_cog(source: pathlib.Path, final: pathlib.Path, dtype: str) -> None:
    _check_whole(source)
    rasterio.shutil.copy(
        source,
        final,
        driver="COG",
        compress="deflate",
        # The names are those of the COG driver, not of GTiff.
        predictor="yes",
        blocksize=COG_BLOCK_PX,
        overview_resampling="average" if dtype.startswith("f") else "nearest",
        num_threads="all_cpus",
        bigtiff="if_safer",
    )
    source.unlink()
    _check_whole(final)


def _check_whole(path: pathlib.Path) -> None:
    """Raises OSError where a block lies past the end of the file.

    A full disk shows when the last buffers leave, at closing, and GDAL does
    not report that.
    """
    size = path.stat().st_size
    with rasterio.open(path) as dataset:
        for band in range(1, dataset.count + 1):
            for (row, col), _ in dataset.block_windows(band):
                start, length = (
                    dataset.get_tag_item(
                        f"{item}_{col}_{row}", "TIFF", bidx=band
                    )
                    for item in ("BLOCK_OFFSET", "BLOCK_SIZE")
                )
                # Both are absent where the block was never written.
                if not start or int(start) + int(length) > size:
                    raise OSError(f"block {row}, {col} did not reach the disk")


@contextlib.contextmanager
def _gdal_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except (
        rasterio.errors.RasterioError,
        rasterio._err.CPLE_BaseError,
    ) as error:
        raise OutputError(
            f"cannot write {path}: {_root_message(error)}; nothing was left "
            "under that name. Free some space or choose another path"
        ) from error


def _root_message(error: BaseException) -> str:
    """GDAL's own words, which rasterio keeps at the end of a chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
