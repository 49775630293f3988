"""The place guard: does an answer show the ground that was asked for?

Every answer carries the longitude and latitude of its pixels, in hundred-
thousandths of a degree modulo 65536: about a metre, in two bytes, exact also
where an export makes every number a float32. Two places look alike only if
they lie whole multiples of 0.65536 degrees apart on both axes. A public
notebook that shares a request between threads gets up to 430 of 512 places
wrong, and nothing in the pixels tells.
"""

import functools

import numpy as np
import rasterio.warp

from data_prep.earth_engine.layers import GUARD_BANDS
from s2distill.errors import AnswerError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import parse_crs

UNITS_PER_DEG = 1e5
MODULUS = 65_536
# Rounding at the service and here; a unit is 1.1 m or less.
_TOLERANCE = 2
_PROBES = 9  # on each axis: corners, edges and middle


def check_place(answer: np.ndarray, grid: Grid) -> None:
    """Compares an answer's longitude and latitude with its grid.

    81 pixels are compared, those at the corners among them: an answer that
    is mirrored, of another scale, or shifted by more than the 2 or 3 m that
    rounding takes, differs at some of them.

    Args:
      answer: [H, W] structured, with the guard bands.
      grid: What was asked for, [H, W].

    Raises:
      AnswerError: Names the first pixel that lies elsewhere.
    """
    rows, cols = _probe(grid.height), _probe(grid.width)
    expected = expect_guard(grid, rows, cols)
    for band, wanted in zip(GUARD_BANDS, expected, strict=True):
        found = answer[band][np.ix_(rows, cols)].astype(np.int64)
        off = (found - wanted + MODULUS // 2) % MODULUS - MODULUS // 2
        if np.abs(off).max() <= _TOLERANCE:
            continue
        row, col = np.argwhere(np.abs(off) > _TOLERANCE)[0]
        raise AnswerError(
            f"the answer for {grid.crs} {grid.bounds} shows another place: "
            f"at row {rows[row]}, column {cols[col]} its {band} is "
            f"{found[row, col]}, {wanted[row, col]} belongs there (1e-5 "
            f"degrees modulo {MODULUS})"
        )


@functools.lru_cache
def _probe(size: int) -> np.ndarray:
    """Evenly spaced pixels of an axis, the first and the last among them."""
    return np.unique(np.linspace(0, size - 1, _PROBES).round().astype(int))


def expect_guard(
    grid: Grid, rows: np.ndarray, cols: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of pixel centres, as the guard bands hold them.

    Args:
      grid: Where.
      rows: [R] rows.
      cols: [C] columns.

    Returns:
      Two [R, C] int64 arrays.
    """
    a, _, c, _, e, f = grid.transform
    x, y = np.meshgrid(c + (cols + 0.5) * a, f + (rows + 0.5) * e)
    lon, lat = rasterio.warp.transform(
        parse_crs(grid.crs), "EPSG:4326", x.ravel(), y.ravel()
    )
    units = np.rint(np.array([lon, lat]) * UNITS_PER_DEG).astype(np.int64)
    longitude, latitude = np.mod(units, MODULUS).reshape(2, *x.shape)
    return longitude, latitude
