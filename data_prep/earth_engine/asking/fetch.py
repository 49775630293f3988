"""One layer of one place, in as many requests as it takes."""

import itertools
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_prep.earth_engine.layers import GUARD_BANDS
from data_prep.earth_engine.layers import Layer
from s2distill.errors import AnswerError
from s2distill.errors import EarthEngineError
from s2distill.geo.grid import Grid

# computePixels, Earth Engine REST reference.
LIMIT_BYTES = 48 * 2**20
LIMIT_BANDS = 1024
# From here down the ground is cut: a group of bands so small is little else
# than its guard, and what is too much to compute hangs on the ground.
FEW_BANDS = 32
# What times out does so after minutes. An eighth that still does hangs on
# something that no smaller piece is without.
_TIMED_OUT_HALVINGS = 3


class TooLargeError(EarthEngineError):
    """The service wants to be asked for less at a time."""


class TimedOutError(TooLargeError):
    """The service took too long; with less at a time it may do."""


# (grid, bands with the guard) -> [H, W] structured answer.
Ask = Callable[[Grid, tuple[str, ...]], np.ndarray]


def layer_grid(grid: Grid, layer: Layer) -> Grid:
    """The grid of a layer over a grid of 10 m."""
    return grid.refined(layer.factor)


def plan_requests(
    layer: Layer, grid: Grid, *, limit_bytes: int = LIMIT_BYTES
) -> list[tuple[tuple[int, int, int, int], tuple[str, ...]]]:
    """Cuts a layer so that every answer is small enough.

    By bands first: one graph for the same ground has to be computed in any
    case. Then by ground, into windows of near equal size.

    Args:
      layer: What is asked for.
      grid: Of the layer.
      limit_bytes: Of one answer.

    Returns:
      ((row, col, height, width), bands) of each request, bands without the
      guard.
    """
    bands = [b for b in layer.bands if b not in GUARD_BANDS]
    sizes = [layer.dtype[b].itemsize for b in bands]
    guard_size = layer.pixel_bytes - sum(sizes)

    def pixel_bytes(groups: int) -> int:
        """Of the largest group, its guard included."""
        return guard_size + max(map(sum, _cut(sizes, groups)))

    groups = -(-len(bands) // (LIMIT_BANDS - len(GUARD_BANDS)))
    pixels = grid.height * grid.width
    # Bands alone may do it, while a group is still wider than its guard.
    while (
        groups < len(bands)
        and pixel_bytes(groups) * pixels > limit_bytes
        and len(bands) / groups > FEW_BANDS
    ):
        groups += 1
    cuts = 1
    while (
        cuts < max(grid.height, grid.width)
        and pixel_bytes(groups)
        * -(-grid.height // cuts)
        * -(-grid.width // cuts)
        > limit_bytes
    ):
        cuts += 1
    return [
        (window, tuple(group))
        for window in _cut_windows(grid, cuts)
        for group in _cut(bands, groups)
    ]


def fetch_layer(layer: Layer, grid: Grid, ask: Ask) -> np.ndarray:
    """Asks for a layer; in ever smaller pieces where the service wants so.

    Args:
      layer: What is asked for.
      grid: Of the layer.
      ask: Asks once; raises TooLargeError if less must be asked for, and
        TimedOutError if that may help.

    Returns:
      [H, W] structured: the bands of the layer with their types, the guard
      among them.

    Raises:
      TooLargeError: One band of one pixel is too large.
      TimedOutError: What was halved three times still takes too long.
      AnswerError: A number does not fit the type of its band.
    """
    requests = plan_requests(layer, grid)
    whole = np.empty((grid.height, grid.width), layer.dtype)
    for (row, col, height, width), bands in requests:
        window = grid.cropped(row, col, height, width)
        for piece, (top, left), answer in _ask_pieces(ask, window, bands):
            if answer.dtype == layer.dtype and answer.shape == whole.shape:
                return answer  # all in one, as planned for most places
            rows = slice(row + top, row + top + answer.shape[0])
            cols = slice(col + left, col + left + answer.shape[1])
            for band in (*piece, *GUARD_BANDS):
                whole[band][rows, cols] = _cast(
                    answer[band], layer.types[band], band
                )
    return whole


def _ask_pieces(
    ask: Ask, grid: Grid, bands: tuple[str, ...], timed_out: int = 0
) -> Iterator[tuple[tuple[str, ...], tuple[int, int], np.ndarray]]:
    """Bands, (row, col) within `grid`, and answer of each piece.

    `timed_out` counts the halvings so far that were made for that.
    """
    answer = None
    try:
        answer = ask(grid, (*bands, *GUARD_BANDS))
    except TooLargeError as error:
        is_slow = isinstance(error, TimedOutError)
        if len(bands) == grid.height == grid.width == 1:
            raise
        if is_slow and timed_out == _TIMED_OUT_HALVINGS:
            raise
        timed_out += is_slow
    # Not while the error is handled: it would be part of each later one.
    if answer is not None:
        yield bands, (0, 0), answer
    elif len(bands) > FEW_BANDS or grid.height == grid.width == 1:
        half = len(bands) // 2
        for part in (bands[:half], bands[half:]):
            yield from _ask_pieces(ask, grid, part, timed_out)
    else:
        for row, col, height, width in _halve(grid):
            window = grid.cropped(row, col, height, width)
            pieces = _ask_pieces(ask, window, bands, timed_out)
            for part, (top, left), found in pieces:
                yield part, (row + top, col + left), found


def _halve(grid: Grid) -> list[tuple[int, int, int, int]]:
    if grid.height >= grid.width:
        half = grid.height // 2
        return [
            (0, 0, half, grid.width),
            (half, 0, grid.height - half, grid.width),
        ]
    half = grid.width // 2
    return [
        (0, 0, grid.height, half),
        (0, half, grid.height, grid.width - half),
    ]


def _cast(values: np.ndarray, kind: str, band: str) -> np.ndarray:
    """Values as the type of the layer; nothing may be lost."""
    if np.can_cast(values.dtype, kind):
        return values
    with np.errstate(invalid="ignore"):  # NaN; seen in the next line
        cast = values.astype(kind)
    if not np.array_equal(cast, values):
        raise AnswerError(
            f"band {band} came as {values.dtype} with values from "
            f"{values.min()} to {values.max()}, which {kind} does not hold"
        )
    return cast


def _cut(items: list[Any], groups: int) -> list[list[Any]]:
    """The items in order, in groups of near equal number."""
    edges = [len(items) * n // groups for n in range(groups + 1)]
    return [items[a:b] for a, b in itertools.pairwise(edges)]


def _cut_windows(grid: Grid, cuts: int) -> list[tuple[int, int, int, int]]:
    rows = [grid.height * n // cuts for n in range(cuts + 1)]
    cols = [grid.width * n // cuts for n in range(cuts + 1)]
    return [
        (row, col, bottom - row, right - col)
        for row, bottom in itertools.pairwise(rows)
        for col, right in itertools.pairwise(cols)
        if bottom > row and right > col
    ]
