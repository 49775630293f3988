"""What ground is taken: keeps buildings off streets and off each other."""

import cv2
import numpy as np

PIXEL_M = 0.5
_FIXED_BITS = 4  # OpenCV's fixed-point coordinates: 1/16 px


def to_fixed_px(points_m: np.ndarray, pixel_m: float = PIXEL_M) -> np.ndarray:
    """Metres to OpenCV's fixed-point pixels, whose centres are integers."""
    pixels = np.asarray(points_m) / pixel_m - 0.5
    return np.round(pixels * (1 << _FIXED_BITS)).astype(np.int32)


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
        cv2.fillConvexPoly(plane, fixed, value, shift=_FIXED_BITS)
    else:
        cv2.fillPoly(plane, [fixed], value, shift=_FIXED_BITS)


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
        thickness=max(1, round(width_m / pixel_m)),
        shift=_FIXED_BITS,
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

    def is_free(self, ring_m: np.ndarray) -> bool:
        """True if the convex polygon touches no ground taken.

        Ground outside the extent is free; a polygon wholly outside is not.
        """
        low = np.floor(ring_m.min(0)).astype(int)
        high = np.ceil(ring_m.max(0)).astype(int) + 1
        x0, y0 = np.maximum(low, 0)
        patch = self._taken[y0 : max(high[1], 0), x0 : max(high[0], 0)]
        if patch.size == 0:
            return False
        if not patch.any():
            return True
        stamp = np.zeros_like(patch)
        fill_polygon(stamp, ring_m - (x0, y0), 1, pixel_m=self._PIXEL_M)
        return not bool((stamp & patch).any())
