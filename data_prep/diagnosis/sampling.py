"""Which part of a large input is looked at: evenly spread, never by chance.

The same input gives the same answer, and the report says how much was seen.
"""

import math

# Sides up to this are read whole; larger rasters by windows.
_WHOLE_PX = 1024
_BLOCK_PX = 256
_BLOCKS = 3  # windows a side

Window = tuple[int, int, int, int]  # row, col, height, width


def spread(count: int, most: int) -> list[int]:
    """At most `most` of 0 .. count - 1, evenly spread, ends included."""
    if count <= most:
        return list(range(count))
    if most <= 1:
        return [0] * most
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def plan_windows(height: int, width: int) -> list[list[Window]]:
    """Windows that are read of a raster, row by row of equal size.

    Args:
      height: Rows.
      width: Columns.

    Returns:
      One window with all of it, or a square number of small ones.
    """
    if height <= _WHOLE_PX and width <= _WHOLE_PX:
        return [[(0, 0, height, width)]]
    tall, wide = min(_BLOCK_PX, height), min(_BLOCK_PX, width)
    rows = spread(height - tall + 1, min(_BLOCKS, math.ceil(height / tall)))
    cols = spread(width - wide + 1, min(_BLOCKS, math.ceil(width / wide)))
    return [[(row, col, tall, wide) for col in cols] for row in rows]


def describe_windows(windows: list[list[Window]]) -> str:
    """How much of a raster these are: "" for all of it."""
    number = sum(len(row) for row in windows)
    if number == 1:
        return ""
    _, _, height, width = windows[0][0]
    return f"{number} windows of {height} x {width} px of each"
