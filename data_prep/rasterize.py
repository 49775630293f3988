"""Vectors to label rasters: masks, centroid density, height.

A pixel belongs to a polygon if its centre lies inside.
"""

import math
from collections.abc import Sequence

import numpy as np
import rasterio.features
import shapely

from s2distill.geo.grid import Grid

# Spread of one building's unit of mass: the width that the declared value
# range of the Open Buildings 2.5D fractional count implies.
CENTROID_SIGMA_M = 1.36
_REACH_SIGMA = 4.0  # a Gaussian holds all but 6e-5 of its mass within


def make_centroid_density(
    row_col_px: np.ndarray, height: int, width: int, *, sigma_px: float
) -> np.ndarray:
    """Density whose sum over any area counts the buildings in it.

    Args:
      row_col_px: [N, 2] centroids; (0.5, 0.5) is the centre of the first
        pixel. Those outside the raster are left out.
      height: Rows.
      width: Columns.
      sigma_px: Spread of each centroid.

    Returns:
      [height, width] float32, buildings per pixel. Each centroid inside
      adds exactly 1: what its Gaussian would lose over the edge is given
      back inside, so a tile's sum is its count.
    """
    density = np.zeros((height, width), np.float32)
    reach = math.ceil(_REACH_SIGMA * sigma_px) + 1
    for row, col in np.asarray(row_col_px, float).reshape(-1, 2):
        if not (0 <= row < height and 0 <= col < width):
            continue
        rows = np.arange(
            max(int(row) - reach, 0), min(int(row) + reach + 1, height)
        )
        cols = np.arange(
            max(int(col) - reach, 0), min(int(col) + reach + 1, width)
        )
        patch = np.outer(
            np.exp(-0.5 * ((rows + 0.5 - row) / sigma_px) ** 2),
            np.exp(-0.5 * ((cols + 0.5 - col) / sigma_px) ** 2),
        )
        density[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] += (
            patch / patch.sum()
        )
    return density


def rasterize_mask(
    geometries: Sequence[shapely.Geometry], grid: Grid
) -> np.ndarray:
    """Pixels whose centre lies in any polygon.

    Args:
      geometries: Polygons in the CRS of the grid.
      grid: Where to draw.

    Returns:
      [height, width] uint8, 1 inside.
    """
    return rasterize_values(geometries, [1] * len(geometries), grid).astype(
        np.uint8
    )


def rasterize_values(
    geometries: Sequence[shapely.Geometry],
    values: Sequence[float],
    grid: Grid,
) -> np.ndarray:
    """A value for each polygon, 0 elsewhere; the largest where two overlap.

    Args:
      geometries: Polygons in the CRS of the grid.
      values: One for each; NaN draws NaN.
      grid: Where to draw.

    Returns:
      [height, width] float32.
    """
    order = np.argsort(np.nan_to_num(np.asarray(values, float), nan=-np.inf))
    shapes = [
        (geometries[i], float(values[i]))
        for i in order
        if not geometries[i].is_empty
    ]
    if not shapes:
        return np.zeros((grid.height, grid.width), np.float32)
    return rasterio.features.rasterize(
        shapes,
        out_shape=(grid.height, grid.width),
        transform=grid.affine,
        fill=0,
        dtype="float32",
    )


def find_centroids(
    geometries: Sequence[shapely.Geometry], grid: Grid
) -> np.ndarray:
    """Centroids as (row, col) of the grid, see `make_centroid_density`.

    Args:
      geometries: One polygon for each building, in the CRS of the grid.
      grid: Whose pixels to count in.

    Returns:
      [N, 2] float64, also those outside the grid.
    """
    points = shapely.centroid(np.asarray(geometries, dtype=object))
    a, _, c, _, e, f = grid.transform
    rows = (shapely.get_y(points) - f) / e
    cols = (shapely.get_x(points) - c) / a
    return np.stack([rows, cols], axis=-1).reshape(-1, 2)
