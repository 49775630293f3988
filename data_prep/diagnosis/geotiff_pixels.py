"""The pixels of a Sentinel-2 GeoTIFF as they are stored, by windows.

Unlike `s2distill.data.frame_stack`, which the models are fed by, nothing is
refused, scaled, rounded or hidden here: NaN stays NaN, for the doctor to see.
"""

from collections.abc import Mapping

import numpy as np
import rasterio
import rasterio.enums
import rasterio.vrt
import rasterio.windows

from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.sampling import Window
from s2distill.data.bands import S2_BANDS
from s2distill.data.clear_mask import MASK_BANDS
from s2distill.data.clear_mask import is_clear
from s2distill.geo.grid import Grid
from s2distill.geo.raster import open_raster


def read_values(
    header: Header,
    indices: Mapping[str, int],
    grid: Grid | None,
    windows: list[list[Window]],
) -> tuple[np.ndarray, np.ndarray]:
    """Reads windows of a file, put together side by side.

    Args:
      header: Of the file.
      indices: Position (from 0) of each band to read; those named like mask
        bands say what is inside.
      grid: Where to read; a file on another grid is warped, by nearest
        neighbour. None reads the file's own pixels.
      windows: Of `grid`, rows of windows of equal size.

    Returns:
      (values [H, W, C] as stored, inside [H, W] bool).

    Raises:
      RasterError: If the file cannot be read.
    """
    bands = [i + 1 for name, i in indices.items() if name not in MASK_BANDS]
    masks = {name: indices[name] + 1 for name in MASK_BANDS if name in indices}
    with open_raster(header.path) as dataset:
        if grid is None or header.grid in (None, grid):
            return _read_blocks(dataset, header, bands, masks, windows)
        with rasterio.vrt.WarpedVRT(
            dataset,
            crs=grid.crs,
            transform=grid.affine,
            height=grid.height,
            width=grid.width,
            resampling=rasterio.enums.Resampling.nearest,
        ) as view:
            return _read_blocks(view, header, bands, masks, windows)


def select_bands(indices: Mapping[str, int]) -> dict[str, int]:
    """The Sentinel-2 bands and masks among the bands of a file, table order."""
    order = [*S2_BANDS, *MASK_BANDS]
    return {name: indices[name] for name in order if name in indices}


def _read_blocks(
    dataset: rasterio.io.DatasetReader | rasterio.vrt.WarpedVRT,
    header: Header,
    bands: list[int],
    masks: dict[str, int],
    windows: list[list[Window]],
) -> tuple[np.ndarray, np.ndarray]:
    values, inside = [], []
    for row in windows:
        parts = [_read_block(dataset, header, bands, masks, w) for w in row]
        values.append(np.concatenate([p[0] for p in parts], axis=1))
        inside.append(np.concatenate([p[1] for p in parts], axis=1))
    return np.concatenate(values), np.concatenate(inside)


def _read_block(
    dataset: rasterio.io.DatasetReader | rasterio.vrt.WarpedVRT,
    header: Header,
    bands: list[int],
    masks: dict[str, int],
    window: Window,
) -> tuple[np.ndarray, np.ndarray]:
    row, col, height, width = window
    where = rasterio.windows.Window(col, row, width, height)
    raw = dataset.read(bands, window=where)
    inside = np.ones((height, width), bool)
    if header.nodata is not None and np.isfinite(header.nodata):
        # One dark band may truly hold nodata's number.
        inside &= (raw != header.nodata).any(axis=0)
    if rasterio.enums.MaskFlags.per_dataset in dataset.mask_flag_enums[0]:
        inside &= dataset.read_masks(bands[0], window=where) > 0
    for name, band in masks.items():
        inside &= is_clear(name, dataset.read(band, window=where))
    return np.moveaxis(raw, 0, -1), inside
