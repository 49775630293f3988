"""A 50 cm picture with a position, read on any grid."""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import rasterio
import rasterio.enums
import rasterio.errors
import rasterio.vrt
import rasterio.warp

from data_prep.pairing.stretch import StretchDn
from data_prep.pairing.stretch import measure_stretch
from data_prep.pairing.stretch import to_bytes
from s2distill.errors import ConfigError
from s2distill.errors import GridError
from s2distill.errors import RasterError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import format_crs
from s2distill.geo.grid import parse_crs
from s2distill.geo.raster import open_raster

Bounds = tuple[float, float, float, float]

# Coarser pictures hold no 50 cm detail to learn from.
_COARSEST_M = 1.01
# Finer pictures are averaged, so that no detail turns into noise.
_AVERAGED_BELOW_M = 0.4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Image:
    """A picture that can be read on any grid.

    Attributes:
      path: The file.
      grid: Its own grid, from the file or given.
      bands: Of the file (from 1), shown as red, green, blue; a single one
        as grey.
      stretch_dn: (low, high) of each of `bands`, shown as 0 and 255; None
        where the file has 8 bits and stays as it is.
    """

    path: str
    grid: Grid
    bands: tuple[int, ...] = (1, 2, 3)
    stretch_dn: StretchDn | None = None

    def bounds_in(self, crs: str) -> Bounds:
        """(left, bottom, right, top) in another CRS; GridError if nowhere."""
        return move_bounds(self.grid, crs, self.path)

    def read(self, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Reads the picture on a grid; where pixels coincide, unchanged.

        Args:
          grid: [h, w], any CRS.

        Returns:
          (rgb [h, w, 3] uint8, 0 where not valid; valid [h, w] uint8).

        Raises:
          RasterError: If the file cannot be read.
        """
        with open_raster(self.path) as file:
            options = self._warp_options(file, grid)
            with rasterio.vrt.WarpedVRT(file, **options) as view:
                planes = view.read(list(self.bands))
                alpha = view.read(view.count)
        opaque = np.iinfo(alpha.dtype).max
        valid = (alpha > opaque // 2).astype(np.uint8)
        if self.stretch_dn is not None:
            planes = to_bytes(planes, self.stretch_dn)
        rgb = np.broadcast_to(planes, (3, *planes.shape[1:]))
        return np.moveaxis(rgb, 0, -1) * valid[..., None], valid

    def _warp_options(self, file: Any, grid: Grid) -> dict[str, Any]:
        fine = pixel_size_m(self) < _AVERAGED_BELOW_M
        resampling = rasterio.enums.Resampling
        has_alpha = rasterio.enums.ColorInterp.alpha in file.colorinterp
        return {
            "src_crs": self.grid.crs,
            "src_transform": self.grid.affine,
            "crs": grid.crs,
            "transform": grid.affine,
            "height": grid.height,
            "width": grid.width,
            "resampling": resampling.average if fine else resampling.bilinear,
            "add_alpha": not has_alpha,
        }


def open_image(
    path: str | os.PathLike[str],
    *,
    crs: str | None = None,
    transform: Sequence[float] | None = None,
    bands: Sequence[int] = (),
) -> Image:
    """Learns where a picture lies.

    Args:
      path: uint8 or uint16 in any GDAL format, with or without alpha;
        uint16 is stretched, see `stretch.STRETCH_PERCENT`.
      crs: For a file that names none.
      transform: Six affine numbers, for a file that holds none.
      bands: Three of the file (from 1) for red, green, blue, or one for
        grey; none given: the first three, or one where there are fewer.

    Raises:
      RasterError: The file cannot be read, has no valid pixel, or is neither
        uint8 nor uint16.
      ConfigError: `bands` that the file does not have.
      GridError: No position, two that contradict each other, a place that
        is not on the Earth, or pixels that are too large.
    """
    with open_raster(path) as file:
        chosen = _choose_bands(path, file, bands)
        kind = _check_kind(path, file)
        position = (
            _choose_crs(path, file, crs),
            _choose_transform(path, file, transform),
        )
        shape = (file.height, file.width)
    try:
        image = Image(
            path=os.fspath(path), grid=Grid(*position, *shape), bands=chosen
        )
    except GridError as error:
        raise GridError(f"{path}: {error}") from error
    size_m = pixel_size_m(image)
    if size_m > _COARSEST_M:
        raise GridError(
            f"{path} has pixels of {size_m:.4g} m in {image.grid.crs}; wanted "
            "are about 0.5 m: check --image_crs and --image_transform, or "
            "give a finer image"
        )
    if kind == "uint8":
        return image
    stretch_dn = measure_stretch(path, chosen)
    return dataclasses.replace(image, stretch_dn=stretch_dn)


def pixel_size_m(image: Image) -> float:
    """Side of a pixel on the ground."""
    left, bottom, right, top = image.bounds_in(find_utm(image))
    area_m2 = (right - left) * (top - bottom)
    return math.sqrt(area_m2 / (image.grid.height * image.grid.width))


def find_utm(image: Image) -> str:
    """The UTM zone of the middle of a picture, "EPSG:326.." or "327..".

    Raises:
      GridError: The picture lies nowhere, or where UTM has no zone.
    """
    west, south, east, north = image.bounds_in("EPSG:4326")
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if abs(latitude) > 84:
        raise GridError(
            f"{image.path} lies at latitude {latitude:.6g}, where UTM has no "
            "zone; warp it to a projection in metres first (gdalwarp)"
        )
    zone = min(int((longitude + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def move_bounds(grid: Grid, crs: str, path: str) -> Bounds:
    """Bounds of a grid in another CRS.

    Args:
      grid: Of the file.
      crs: Wanted.
      path: Of the file, for the message.

    Raises:
      GridError: The place is not on the Earth there: a wrong CRS.
    """
    source = parse_crs(grid.crs)
    try:
        degrees = rasterio.warp.transform_bounds(
            source, "EPSG:4326", *grid.bounds
        )
        bounds = rasterio.warp.transform_bounds(
            source, parse_crs(crs), *grid.bounds
        )
    except (rasterio.errors.RasterioError, rasterio._err.CPLE_BaseError):
        bounds = degrees = (math.inf,) * 4
    on_earth = (
        all(map(math.isfinite, (*bounds, *degrees)))
        and max(map(abs, degrees[::2])) <= 180
        and max(map(abs, degrees[1::2])) <= 90
    )
    if not on_earth:
        raise GridError(
            f"{path}: bounds {format_bounds(grid.bounds)} are on no place of "
            f"the Earth in {grid.crs}, a wrong CRS; give the right one with "
            "--image_crs, or gdal_edit.py -a_srs"
        )
    return bounds


def format_bounds(bounds: Bounds) -> str:
    """Bounds for a message."""
    return ", ".join(f"{value:.8g}" for value in bounds)


def _choose_bands(
    path: object, file: Any, given: Sequence[int]
) -> tuple[int, ...]:
    if not given:
        is_alpha = rasterio.enums.ColorInterp.alpha in file.colorinterp
        return (1, 2, 3) if file.count - is_alpha >= 3 else (1,)
    if len(given) not in (1, 3) or not set(given) <= set(file.indexes):
        raise ConfigError(
            f"--image_bands={','.join(map(str, given))}: give three bands of "
            f"{path} for red, green, blue, or one for grey; it has 1 to "
            f"{file.count}"
        )
    return tuple(given)


def _check_kind(path: object, file: Any) -> str:
    kind = file.dtypes[0]
    if kind not in ("uint8", "uint16"):
        raise RasterError(
            f"{path} holds {kind}; wanted is uint8 or uint16: "
            "gdal_translate -ot UInt16 -scale makes it"
        )
    return kind


def _choose_crs(path: object, file: Any, given: str | None) -> str:
    own = file.crs
    if own is None and not given:
        raise GridError(
            f"{path} has no CRS: nobody knows where it lies; give "
            "--image_crs=EPSG:CODE"
        )
    if own is not None and given and own != parse_crs(given):
        raise GridError(
            f"{path} says {format_crs(own)}, --image_crs={given}: leave "
            "--image_crs out, or correct the file with gdal_edit.py -a_srs"
        )
    return format_crs(own if own is not None else parse_crs(given))


def _choose_transform(
    path: object, file: Any, given: Sequence[float] | None
) -> tuple[float, ...]:
    if given is not None:
        return tuple(given)
    if file.transform == rasterio.Affine.identity():
        raise GridError(
            f"{path} has no transform: nobody knows where it lies; give "
            "--image_transform=0.5,0,LEFT,0,-0.5,TOP"
        )
    return tuple(file.transform)[:6]
