"""Sentinel-2 frames as GeoTIFFs, one a date, that say what they hold."""

import datetime
import pathlib

import numpy as np
import rasterio

from data_prep.simulation.sensor import Stack
from s2distill.data.bands import S2_NODATA_DN
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.geo.grid import Grid


def write_frames(
    folder: pathlib.Path,
    stack: Stack,
    grid: Grid,
    *,
    bands: tuple[str, ...],
    offset_dn: float,
    product_level: str = "L2A",
) -> None:
    """Writes FOLDER/YYYY-MM-DD.tif for each frame.

    Band descriptions name the bands; tags tell product level, scale, offset
    and time; what is not valid is 0, the nodata value.

    Args:
      folder: Exists.
      stack: The frames.
      grid: Where they lie.
      bands: Names, in order.
      offset_dn: Of the digital numbers.
      product_level: "L1C" or "L2A".
    """
    for dn, valid, time in zip(
        stack.dn, stack.valid, stack.time_utc_s, strict=True
    ):
        moment = datetime.datetime.fromtimestamp(int(time), datetime.UTC)
        planes = np.where(valid[..., None] > 0, dn, S2_NODATA_DN)
        write_raster(
            folder / f"{moment:%Y-%m-%d}.tif",
            grid,
            np.moveaxis(planes, -1, 0),
            bands,
            nodata=S2_NODATA_DN,
            tags={
                "PRODUCT_LEVEL": product_level,
                "QUANTIFICATION_DN": str(S2_QUANTIFICATION_DN),
                "OFFSET_DN": str(offset_dn),
                "DATETIME_UTC": moment.isoformat(),
            },
        )


def write_raster(
    path: pathlib.Path,
    grid: Grid,
    planes: np.ndarray,
    names: tuple[str, ...],
    *,
    nodata: float | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """Writes a GeoTIFF with band names.

    Args:
      path: The file.
      grid: [H, W].
      planes: [C, H, W].
      names: Of the C bands.
      nodata: Value that stands for nothing known.
      tags: Metadata of the file.
    """
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=grid.crs,
        transform=grid.affine,
        height=grid.height,
        width=grid.width,
        count=len(planes),
        dtype=planes.dtype,
        nodata=nodata,
        compress="deflate",
        tiled=True,
        bigtiff="if_safer",
    ) as file:
        file.write(planes)
        file.descriptions = names
        file.update_tags(**(tags or {}))
