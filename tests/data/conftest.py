"""Sentinel-2 GeoTIFFs as users bring them."""

import numpy as np
import pytest
import rasterio

GRID_ARGUMENTS = ("EPSG:32631", (10.0, 0.0, 5e5, 0.0, -10.0, 4.7e6))


@pytest.fixture
def write_frame(tmp_path):
    """Writes values [H, W, C] as a GeoTIFF; returns its path."""

    def write(
        name,
        values,
        *,
        grid=None,
        descriptions=None,
        nodata=None,
        mask=None,
        **tags,
    ):
        from s2distill.geo.grid import Grid

        height, width, count = values.shape
        grid = grid or Grid(*GRID_ARGUMENTS, height, width)
        path = tmp_path / name
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            crs=grid.crs,
            transform=grid.affine,
            height=height,
            width=width,
            count=count,
            dtype=values.dtype,
            nodata=nodata,
        ) as dataset:
            dataset.write(np.moveaxis(values, -1, 0))
            if descriptions:
                dataset.descriptions = descriptions
            if mask is not None:
                dataset.write_mask(mask)
            dataset.update_tags(**tags)
        return str(path)

    return write
