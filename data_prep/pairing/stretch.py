"""Pictures of 16 bits as 8 bits, every tile of a picture alike."""

import os

import numpy as np
import rasterio.windows
import tqdm

from s2distill.errors import RasterError
from s2distill.geo.raster import open_raster

# Percentiles that become 0 and 255: robust to specular roofs and to a few
# pixels without data; of each band over the whole picture, not of a tile.
STRETCH_PERCENT = (1.0, 99.0)
_DN_VALUES = 2**16
_BLOCK_PX = 1024

StretchDn = tuple[tuple[float, float], ...]


def measure_stretch(
    path: str | os.PathLike[str], bands: tuple[int, ...]
) -> StretchDn:
    """The two percentiles of each band over all valid pixels of a file.

    Exact: the numbers are counted one by one, window by window.

    Args:
      path: Of uint16.
      bands: Of the file, from 1.

    Returns:
      (low, high) of each band, high above low.

    Raises:
      RasterError: Unreadable, or no pixel is valid.
    """
    counts = np.zeros((len(bands), _DN_VALUES), np.int64)
    with open_raster(path) as file:
        windows = [
            rasterio.windows.Window(col, row, _BLOCK_PX, _BLOCK_PX)
            for row in range(0, file.height, _BLOCK_PX)
            for col in range(0, file.width, _BLOCK_PX)
        ]
        for window in tqdm.tqdm(windows, desc="image range", unit="block"):
            valid = file.dataset_mask(window=window) > 0
            planes = file.read(list(bands), window=window)
            for count, plane in zip(counts, planes, strict=True):
                count += np.bincount(plane[valid], minlength=_DN_VALUES)
    if not counts.any():
        raise RasterError(
            f"{path} has no valid pixel: all are masked or nodata; give "
            "another, or correct its nodata (gdal_edit.py -unsetnodata)"
        )
    return tuple(_find_range(count) for count in counts)


def to_bytes(planes: np.ndarray, stretch_dn: StretchDn) -> np.ndarray:
    """Draws each plane's (low, high) as 0 and 255, and clips.

    Args:
      planes: [C, h, w] of any number type.
      stretch_dn: (low, high) of each plane.

    Returns:
      [C, h, w] uint8.
    """
    low, high = np.array(stretch_dn, np.float32).T[:, :, None, None]
    shown = (planes.astype(np.float32) - low) * (255 / (high - low))
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def _find_range(counts: np.ndarray) -> tuple[float, float]:
    below = np.cumsum(counts)
    places = np.floor(np.array(STRETCH_PERCENT) / 100 * (below[-1] - 1))
    low, high = np.searchsorted(below, places, side="right")
    return float(low), float(max(high, low + 1))
