"""What ground is taken: keeps buildings off streets and off each other."""

import math

import cv2
import numpy as np

from data_prep.simulation.buildings import Wing

PIXEL_M = 0.5
FIXED_BITS = 4  # OpenCV's fixed-point coordinates: 1/16 px


def to_fixed_px(points_m: np.ndarray, pixel_m: float = PIXEL_M) -> np.ndarray:
    """Metres to OpenCV's fixed-point pixels, whose centres are integers."""
    scale = (1 << FIXED_BITS) / pixel_m
    # Half a pixel off, half a step on: to the nearest, for any sign.
    offset = 0.5 - (1 << FIXED_BITS) / 2
    return np.floor(points_m * scale + offset).astype(np.int32)


def fill_polygon(
    plane: np.ndarray,
    points_m: np.ndarray,
    value: float,
    *,
    convex: bool = True,
    pixel_m: float = PIXEL_M,
) -> None:
    """Fills a polygon in place; its border pixels are filled too.

    OpenCV also draws the outline, which adds about half a pixel all round:
    draw a polygon shrunk by `pixel_m / 2` to get its area.
    """
    fixed = to_fixed_px(points_m, pixel_m)
    if convex:
        cv2.fillConvexPoly(plane, fixed, value, shift=FIXED_BITS)
    else:
        cv2.fillPoly(plane, [fixed], value, shift=FIXED_BITS)


def draw_line(
    plane: np.ndarray,
    points_m: np.ndarray,
    value: float,
    *,
    width_m: float,
    pixel_m: float = PIXEL_M,
) -> None:
    """Draws a line with round joints, in place, to the nearest pixel width."""
    cv2.polylines(
        plane,
        [to_fixed_px(points_m, pixel_m)],
        False,
        value,
        # OpenCV's lines are a pixel wider than their thickness.
        thickness=max(1, round(width_m / pixel_m) - 1),
        shift=FIXED_BITS,
    )


class Occupancy:
    """Ground that is taken, at 1 m."""

    _PIXEL_M = 1.0

    def __init__(self, height_m: float, width_m: float) -> None:
        self._taken = np.zeros(
            (round(height_m / self._PIXEL_M), round(width_m / self._PIXEL_M)),
            np.uint8,
        )

    def take_line(self, line_m: np.ndarray, width_m: float) -> None:
        """Takes the ground under a line."""
        draw_line(
            self._taken, line_m, 1, width_m=width_m, pixel_m=self._PIXEL_M
        )

    def take(self, ring_m: np.ndarray) -> None:
        """Takes the ground under a polygon."""
        fill_polygon(
            self._taken, ring_m, 1, convex=False, pixel_m=self._PIXEL_M
        )

    def is_outside(self, x_m: float, y_m: float, margin_m: float = 25) -> bool:
        """True for a point so far outside that nothing there is seen."""
        height, width = self._taken.shape
        return not (
            -margin_m < x_m < width + margin_m
            and -margin_m < y_m < height + margin_m
        )

    def is_taken(self, x_m: float, y_m: float) -> bool:
        """True for a point inside on ground taken."""
        height, width = self._taken.shape
        row, col = math.floor(y_m), math.floor(x_m)
        return (
            0 <= row < height
            and 0 <= col < width
            and bool(self._taken[row, col])
        )

    def is_free(self, wing: Wing, grow_m: float) -> bool:
        """True if the rectangle, grown, touches no ground taken.

        Ground outside the extent is free; a wing wholly outside is not.
        """
        ring_m = wing.corners_m(grow_m)
        xs, ys = ring_m[:, 0].tolist(), ring_m[:, 1].tolist()
        x0, y0 = max(math.floor(min(xs)), 0), max(math.floor(min(ys)), 0)
        x1, y1 = math.ceil(max(xs)) + 1, math.ceil(max(ys)) + 1
        patch = self._taken[y0 : max(y1, 0), x0 : max(x1, 0)]
        if patch.size == 0:
            return False
        if not cv2.countNonZero(patch):
            return True
        stamp = np.zeros_like(patch)
        fill_polygon(stamp, ring_m - (x0, y0), 1, pixel_m=self._PIXEL_M)
        return not cv2.countNonZero(cv2.bitwise_and(stamp, patch))
