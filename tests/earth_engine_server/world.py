"""What the loopback server answers: numbers that depend on place and band.

Nothing of Earth Engine is computed here. Every pixel is a closed form of its
own position, so that a test knows which pixel it was given, and can say so
of each record without asking the server. Written apart from the code it
tests: band names and types stand here a second time.
"""

import functools
import re

import numpy as np
from rasterio.warp import transform

_FRAME = re.compile(r"^f(\d\d)_(\w+)$")
_TYPES = {
    "valid": "<u1", "day": "<u2", "second": "<i4", "orbit": "u1",
    "baseline": "<u2", "score": "<u2",
    "red": "u1", "green": "u1", "blue": "u1", "image_valid": "u1",
    "image_day": "<u2", "view_angle": "<u2", "view_azimuth": "<u2",
    "labelled": "u1", "building": "u1", "centroids": "u1", "height": "<u2",
    "road": "u1", "weak_valid": "u1", "weak_presence": "u1",
    "weak_count": "<u2", "weak_height": "<u2",
    "longitude": "<u2", "latitude": "<u2",
}  # fmt: skip
FIRST_DAY = 18_262  # 2020-01-01
IMAGE_DAY = 18_400


def band_type(name):
    """NumPy type of a band; Sentinel-2 bands are uint16."""
    match = _FRAME.match(name)
    return _TYPES.get(match[2] if match else name, "<u2")


@functools.lru_cache
def make_type(bands):
    """NumPy type of an answer with these bands, a tuple."""
    return np.dtype([(band, band_type(band)) for band in bands])


def pixel_centres(affine, height, width):
    """x [W] and y [H] of the centres, from a, c, e, f of the transform."""
    a, _, c, _, e, f = affine
    return c + (np.arange(width) + 0.5) * a, f + (np.arange(height) + 0.5) * e


def make_answer(crs, affine, height, width, bands, frames_missing=0):
    """[H, W] structured array of the bands, as computePixels' NPY holds.

    Args:
      crs: "EPSG:32616".
      affine: a b c d e f.
      height: Rows.
      width: Columns.
      bands: Names.
      frames_missing: So many of the last frames are empty.
    """
    answer = np.zeros((height, width), make_type(tuple(bands)))
    xs, ys = pixel_centres(affine, height, width)
    x, y = np.meshgrid(xs, ys)
    frames = 1 + max(
        (int(m[1]) for m in map(_FRAME.match, bands) if m), default=-1
    )
    lon_lat = None
    for name in bands:
        match = _FRAME.match(name)
        if match:
            if int(match[1]) < frames - frames_missing:
                answer[name] = frame_values(int(match[1]), match[2], x, y)
        elif name in ("longitude", "latitude"):
            if lon_lat is None:
                lon_lat = transform(crs, "EPSG:4326", x.ravel(), y.ravel())
            degrees = np.reshape(lon_lat[name == "latitude"], x.shape)
            answer[name] = np.round(degrees * 1e5).astype(np.int64) % 65536
        else:
            answer[name] = fine_values(name, x, y)
    return answer


def frame_values(frame, band, x, y):
    """Values of a band of one frame at the positions x, y in metres."""
    col, row = np.floor(x / 10).astype(int), np.floor(y / 10).astype(int)
    if band == "valid":
        return (col + row + frame) % 11 != 0
    scalars = {
        "day": FIRST_DAY + 5 * frame,
        "second": 39_000 + frame,
        "orbit": 1 + frame % 143,
        "baseline": 400 + frame,
        "score": 9_000 - 100 * frame,
    }
    if band in scalars:
        return scalars[band]
    number = int(band.strip("BA"))
    return 300 + (7 * col + 13 * row + 31 * number + 17 * frame) % 3000


def fine_values(band, x, y):
    """Values of a band of the label grid at the positions x, y in metres."""
    half_cols = np.floor(x / 0.5).astype(int)
    half_rows = np.floor(y / 0.5).astype(int)
    # A house of 10 m in each square of 20 m of every third diagonal.
    block_col, block_row = half_cols // 40, half_rows // 40
    house = (block_col + block_row) % 3 == 0
    inside = (
        house
        & (half_cols % 40 >= 10)
        & (half_cols % 40 < 30)
        & (half_rows % 40 >= 10)
        & (half_rows % 40 < 30)
    )
    return {
        "red": np.where(inside, 200, 60 + half_cols % 40),
        "green": np.where(inside, 120, 90 + half_rows % 40),
        "blue": np.where(inside, 100, 50),
        "image_valid": np.ones_like(half_cols),
        "image_day": np.full_like(half_cols, IMAGE_DAY),
        "view_angle": np.full_like(half_cols, 1_250),
        "view_azimuth": np.full_like(half_cols, 9_000),
        "labelled": np.ones_like(half_cols),
        "building": inside,
        "centroids": house & (half_cols % 40 == 20) & (half_rows % 40 == 20),
        "height": np.where(inside, 450 + 50 * (block_col % 7), 0),
        "road": half_rows % 160 < 12,
        "weak_valid": np.ones_like(half_cols),
        "weak_presence": np.where(inside, 230, 12),
        "weak_count": np.where(inside, 2_500, 0),
        "weak_height": np.where(inside, 610, 0),
    }[band]
