"""One Sentinel-2 GeoTIFF: what it holds, and its pixels on any grid.

A file on the wanted grid is read as it is. Others are warped, with invalid
pixels kept out of the interpolation, so that a NaN or a nodata edge does not
spoil its neighbours.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import rasterio
import rasterio.enums
import rasterio.warp
import rasterio.windows

from s2distill.data import frame_naming
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.bands import ProductLevel
from s2distill.data.clear_mask import MASK_BANDS
from s2distill.data.clear_mask import is_clear
from s2distill.geo.grid import Grid
from s2distill.geo.grid import parse_crs
from s2distill.geo.raster import grid_of
from s2distill.geo.raster import open_raster

_MAX_DN = 65_535
# A float file whose largest value is below this holds reflectance, not
# digital numbers: the brightest clouds stay under 2.
_MAX_REFLECTANCE = 2.0
_SAMPLE_PX = 256  # side of the thinned copy in which that is looked up
# Grids are the same if they differ by less than this part of a pixel.
_ALIGNED_PX = 1e-3
_MARGIN_PX = 2  # around the part of a file that is warped; bilinear needs 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """One file.

    Attributes:
      path: As it was found.
      grid: Of the file.
      time_utc_s: When it was taken, seconds since 1970.
      band_indices: Position (from 0) of each band or mask in the file.
      product_level: L1C or L2A.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.
      nodata: Of the file, None where it declares none.
      is_reflectance: True where the file holds floats around 0 to 1.
    """

    path: str
    grid: Grid
    time_utc_s: int
    band_indices: dict[str, int]
    product_level: ProductLevel
    quantification_dn: float
    offset_dn: float
    nodata: float | None
    is_reflectance: bool


def open_frame(
    path: str,
    file_bands: Sequence[str] | None,
    product_level: str | None,
    offset_dn: float | None,
) -> Frame:
    """Learns what a file holds; see `frame_stack.open_frames`."""
    with open_raster(path) as dataset:
        tags = dataset.tags()
        indices = frame_naming.find_file_bands(
            path, dataset.descriptions, file_bands
        )
        return Frame(
            path=path,
            grid=grid_of(dataset),
            time_utc_s=frame_naming.find_time_utc_s(path, tags),
            band_indices=indices,
            product_level=frame_naming.find_product_level(
                path, tags, tuple(indices), product_level
            ),
            quantification_dn=frame_naming.find_quantification_dn(
                path, tags, S2_QUANTIFICATION_DN
            ),
            offset_dn=frame_naming.find_offset_dn(path, tags, offset_dn),
            nodata=dataset.nodata,
            is_reflectance=_is_reflectance(dataset, indices),
        )


def read_frame(
    frame: Frame, bands: Sequence[str], grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    """Reads one frame on a grid.

    Args:
      frame: The file; it has all of `bands`.
      bands: Names of the C bands wanted, in order.
      grid: Where to read: [H, W].

    Returns:
      (dn [H, W, C] uint16, 0 where not valid; valid [H, W] uint8, 1 = seen).

    Raises:
      RasterError: If the file cannot be read.
    """
    dn = np.zeros((grid.height, grid.width, len(bands)), np.uint16)
    valid = np.zeros((grid.height, grid.width), np.uint8)
    corner = _aligned_corner(frame.grid, grid)
    with open_raster(frame.path) as dataset:
        if corner is None:
            window = window_under(frame.grid, grid)
            if window is None:
                return dn, valid
            values, clear = _read_window(dataset, frame, bands, window)
            values, clear = _warp(values, clear, frame.grid, window, grid)
            inside = np.s_[:, :]
        else:
            window, inside = _overlap(frame.grid, grid, *corner)
            if window is None:
                return dn, valid
            values, clear = _read_window(dataset, frame, bands, window)
    rounded = np.clip(np.rint(values), 0, _MAX_DN).astype(np.uint16)
    dn[inside] = np.where(clear[..., None], rounded, 0)
    valid[inside] = clear
    return dn, valid


def _is_reflectance(
    dataset: rasterio.io.DatasetReader, indices: dict[str, int]
) -> bool:
    """True if a file of floats holds reflectance and not digital numbers."""
    bands = [i + 1 for name, i in indices.items() if name in S2_BANDS]
    if not all(dataset.dtypes[i - 1].startswith("float") for i in bands):
        return False
    shape = [min(n, _SAMPLE_PX) for n in dataset.shape]
    sample = dataset.read(bands, out_shape=(len(bands), *shape))
    sample = sample[np.isfinite(sample)]
    return sample.size > 0 and float(sample.max()) <= _MAX_REFLECTANCE


def _read_window(
    dataset: rasterio.io.DatasetReader,
    frame: Frame,
    bands: Sequence[str],
    window: rasterio.windows.Window,
) -> tuple[np.ndarray, np.ndarray]:
    """(dn [h, w, C] float32, clear [h, w] bool) of a part of the file."""
    indices = [frame.band_indices[b] + 1 for b in bands]
    raw = dataset.read(indices, window=window)
    clear = np.isfinite(raw).all(axis=0) & (raw != 0).any(axis=0)
    if frame.nodata:  # 0 may be one dark band's true number; see above
        clear &= (raw != frame.nodata).all(axis=0)
    for i in indices:
        flags = dataset.mask_flag_enums[i - 1]
        if rasterio.enums.MaskFlags.per_dataset in flags:
            clear &= dataset.read_masks(i, window=window) > 0
            break
    for name in MASK_BANDS:
        if name in frame.band_indices:
            mask = dataset.read(frame.band_indices[name] + 1, window=window)
            clear &= is_clear(name, mask)
    values = np.where(clear, raw, 0).astype(np.float32)
    if frame.is_reflectance:
        values = values * frame.quantification_dn - frame.offset_dn
    clear &= (values >= 0).all(axis=0)
    return np.moveaxis(values, 0, -1), clear


def _aligned_corner(source: Grid, wanted: Grid) -> tuple[int, int] | None:
    """(row, col) of `wanted` in `source` if their pixels coincide."""
    a, _, left, _, e, top = source.transform
    a2, _, left2, _, e2, top2 = wanted.transform
    if parse_crs(source.crs) != parse_crs(wanted.crs):
        return None
    reach = max(wanted.height, wanted.width)
    if abs(a2 / a - 1) * reach > _ALIGNED_PX:
        return None
    if abs(e2 / e - 1) * reach > _ALIGNED_PX:
        return None
    row, col = (top2 - top) / e, (left2 - left) / a
    if max(abs(row - round(row)), abs(col - round(col))) > _ALIGNED_PX:
        return None
    return round(row), round(col)


def _overlap(
    source: Grid, wanted: Grid, row: int, col: int
) -> tuple[rasterio.windows.Window | None, tuple[slice, slice]]:
    """The common part: as a window of `source`, as slices of `wanted`."""
    top, left = max(row, 0), max(col, 0)
    bottom = min(row + wanted.height, source.height)
    right = min(col + wanted.width, source.width)
    if bottom <= top or right <= left:
        return None, np.s_[0:0, 0:0]
    window = rasterio.windows.Window(left, top, right - left, bottom - top)
    return window, np.s_[top - row : bottom - row, left - col : right - col]


def window_under(source: Grid, wanted: Grid) -> rasterio.windows.Window | None:
    """The part of `source` under `wanted`, with a margin; None if none is."""
    bounds = rasterio.warp.transform_bounds(
        parse_crs(wanted.crs), parse_crs(source.crs), *wanted.bounds
    )
    if not all(map(math.isfinite, bounds)):
        return None
    a, _, x0, _, e, y0 = source.transform
    cols = sorted((x - x0) / a for x in (bounds[0], bounds[2]))
    rows = sorted((y - y0) / e for y in (bounds[1], bounds[3]))
    top = max(math.floor(rows[0]) - _MARGIN_PX, 0)
    left = max(math.floor(cols[0]) - _MARGIN_PX, 0)
    bottom = min(math.ceil(rows[1]) + _MARGIN_PX, source.height)
    right = min(math.ceil(cols[1]) + _MARGIN_PX, source.width)
    if bottom <= top or right <= left:
        return None
    return rasterio.windows.Window(left, top, right - left, bottom - top)


def _warp(
    values: np.ndarray,
    clear: np.ndarray,
    source: Grid,
    window: rasterio.windows.Window,
    wanted: Grid,
) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear values of the clear pixels; clear by nearest neighbour."""
    part = source.cropped(
        int(window.row_off),
        int(window.col_off),
        int(window.height),
        int(window.width),
    )
    weight = clear.astype(np.float32)
    planes = np.concatenate([values * weight[..., None], weight[..., None]], 2)
    bilinear = _reproject(planes, part, wanted, "bilinear")
    nearest = _reproject(weight[..., None], part, wanted, "nearest")[..., 0]
    share = bilinear[..., -1]
    # A pixel whose nearest is clear takes a quarter or more from it.
    warped_clear = (nearest > 0) & (share > 0)
    safe_share = np.where(warped_clear, share, 1)
    return bilinear[..., :-1] / safe_share[..., None], warped_clear


def _reproject(
    planes: np.ndarray, source: Grid, wanted: Grid, method: str
) -> np.ndarray:
    """[h, w, K] float32 on `source` to [H, W, K] on `wanted`, 0 outside."""
    result = np.zeros(
        (planes.shape[-1], wanted.height, wanted.width), np.float32
    )
    rasterio.warp.reproject(
        np.ascontiguousarray(np.moveaxis(planes, -1, 0)),
        result,
        src_transform=source.affine,
        src_crs=source.crs,
        dst_transform=wanted.affine,
        dst_crs=wanted.crs,
        resampling=rasterio.enums.Resampling[method],
    )
    return np.moveaxis(result, 0, -1)
