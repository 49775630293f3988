"""The 10 m grid on which a picture and its frames become records."""

import math

import rasterio.warp

from data_prep.pairing.image import Image
from data_prep.pairing.image import find_utm
from data_prep.pairing.image import format_bounds
from data_prep.pairing.image import move_bounds
from s2distill.data.frame_stack import FrameStack
from s2distill.errors import GridError
from s2distill.geo.grid import Grid
from s2distill.geo.grid import parse_crs

S2_PIXEL_M = 10.0
LABEL_FACTOR = 20
# A projection that stretches more (Web Mercator) has no true metres.
_LARGEST_STRETCH = 0.01
_PROBE_M = 100.0


def make_pair_grid(image: Image, stack: FrameStack | None) -> Grid:
    """The grid of 10 m under a picture.

    With real frames it covers the picture; made of the picture, frames know
    only the pixels that lie wholly in its bounds, and the grid ends there.

    Its lattice is that of the frames where they have 10 m pixels in metres,
    so that frames are copied and not resampled; else whole multiples of
    10 m in the picture's own CRS, or in its UTM zone where that CRS has no
    true metres.

    Args:
      image: The picture.
      stack: Real frames; None when they are made of the picture.

    Raises:
      GridError: The picture lies on no place of the Earth, or is smaller
        than a pixel of 10 m.
    """
    x0 = y0 = 0.0
    if stack is not None and _is_ten_metres(stack.grid, image):
        crs = stack.grid.crs
        x0, y0 = stack.grid.bounds[0], stack.grid.bounds[1]
    elif _has_metres(image.grid.crs, image):
        crs = image.grid.crs
    else:
        crs = find_utm(image)
    left, bottom, right, top = image.bounds_in(crs)
    first_col, last_col = _span(left - x0, right - x0, stack is None)
    first_row, last_row = _span(bottom - y0, top - y0, stack is None)
    if last_col <= first_col or last_row <= first_row:
        raise GridError(
            f"{image.path} covers {right - left:.4g} x {top - bottom:.4g} m, "
            "not one Sentinel-2 pixel of 10 m; give a larger image, or the "
            "true --image_transform"
        )
    corner = (x0 + first_col * S2_PIXEL_M, y0 + last_row * S2_PIXEL_M)
    return Grid(
        crs,
        (S2_PIXEL_M, 0.0, corner[0], 0.0, -S2_PIXEL_M, corner[1]),
        last_row - first_row,
        last_col - first_col,
    )


def check_overlap(image: Image, stack: FrameStack, grid: Grid) -> None:
    """GridError unless some frame shares ground with the picture."""
    ours = image.bounds_in(grid.crs)
    for frame in stack.frames:
        theirs = move_bounds(frame.grid, grid.crs, frame.path)
        if (
            ours[0] < theirs[2]
            and theirs[0] < ours[2]
            and ours[1] < theirs[3]
            and theirs[1] < ours[3]
        ):
            return
    raise GridError(
        f"{image.path} (bounds {format_bounds(ours)}) and all "
        f"{len(stack.frames)} frames (the last, {frame.path}: "
        f"{format_bounds(theirs)}) do not overlap in {grid.crs}; give frames "
        "of the same place, or check --image_crs and --image_transform"
    )


def _span(low_m: float, high_m: float, inward: bool) -> tuple[int, int]:
    """First pixel, and the one after the last, of an axis."""
    # A micrometre of play: rounding must not add or take a row.
    play = -1e-7 if inward else 1e-7
    low, high = low_m / S2_PIXEL_M + play, high_m / S2_PIXEL_M - play
    if inward:
        return math.ceil(low), math.floor(high)
    return math.floor(low), math.ceil(high)


def _is_ten_metres(grid: Grid, image: Image) -> bool:
    return _has_metres(grid.crs, image) and all(
        abs(size - S2_PIXEL_M) < 1e-6 for size in grid.pixel_size
    )


def _has_metres(crs: str, image: Image) -> bool:
    """True for a projection whose metres are metres on the ground there."""
    parsed = parse_crs(crs)
    if not parsed.is_projected:
        return False
    utm = find_utm(image)
    left, bottom, right, top = image.bounds_in(utm)
    x, y = (left + right) / 2, (bottom + top) / 2
    xs, ys = rasterio.warp.transform(
        parse_crs(utm), parsed, [x, x + _PROBE_M, x], [y, y, y + _PROBE_M]
    )
    lengths = [math.hypot(xs[i] - xs[0], ys[i] - ys[0]) for i in (1, 2)]
    return all(abs(n / _PROBE_M - 1) < _LARGEST_STRETCH for n in lengths)
