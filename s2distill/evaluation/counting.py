"""Building counts: summed density against true centroids, cell by cell.

A tile is cut into square cells; the count of a cell is the sum of the
density over its valid pixels, on both sides. R2 = 1 - SSE / SST, which a
model that is biased or mis-scaled cannot pass, unlike a squared correlation.
"""

import numpy as np

from s2distill.evaluation.ratio import ratio

MIN_KNOWN_SHARE = 0.5  # of a cell's pixels; a sliver says little of a count


def count_cells(
    density: np.ndarray,
    true_density: np.ndarray,
    weight: np.ndarray,
    *,
    cell_px: int,
) -> np.ndarray:
    """True and predicted count of each cell of one tile.

    Cells that do not fit whole into the tile are left out; a tile smaller
    than a cell is one cell. So are cells less than half of which is known.

    Args:
      density: [h, w] buildings per pixel, predicted.
      true_density: [h, w] buildings per pixel.
      weight: [h, w], above 0 where the truth is known.
      cell_px: Side of a cell.

    Returns:
      [cells, 2] float64: true count, predicted count.
    """
    known = (weight > 0).astype(np.float64)
    shares = _sum_cells(known, cell_px) / _sum_cells(
        np.ones_like(known), cell_px
    )
    counts = [
        _sum_cells(np.where(known > 0, plane, 0), cell_px)
        for plane in (true_density, density)
    ]
    return np.stack(counts, axis=-1)[shares >= MIN_KNOWN_SHARE]


def sum_counts(cells: np.ndarray) -> np.ndarray:
    """[cells, 2] counts to the [5] sums that R2 and MAE are made of.

    They are: cells, sum of truth, of its square, of the squared error, of
    the absolute error.
    """
    true, predicted = cells[:, 0], cells[:, 1]
    error = predicted - true
    return np.array(
        [
            len(cells),
            np.sum(true),
            np.sum(true**2),
            np.sum(error**2),
            np.sum(np.abs(error)),
        ],
        np.float64,
    )


def count_r2(sums: np.ndarray) -> np.ndarray:
    """[..., 5] sums to [...] R2; NaN where all true counts are the same."""
    cells, true, true_squared, squared_error, _ = np.moveaxis(sums, -1, 0)
    # Counts are below 1e5, so the difference keeps 6 digits of 16; less than
    # a millionth of the squares is rounding, not variance.
    variation = true_squared - np.nan_to_num(ratio(true**2, cells))
    variation = np.where(variation > 1e-9 * true_squared, variation, 0.0)
    return 1.0 - ratio(squared_error, variation)


def count_mae(sums: np.ndarray) -> np.ndarray:
    """[..., 5] sums to [...] mean absolute error, buildings per cell."""
    return ratio(sums[..., 4], sums[..., 0])


def _sum_cells(plane: np.ndarray, cell_px: int) -> np.ndarray:
    """[h, w] to [cells] sums, row by row."""
    height, width = (min(cell_px, side) for side in plane.shape)
    rows, cols = plane.shape[0] // height, plane.shape[1] // width
    cut = plane[: rows * height, : cols * width].astype(np.float64)
    return cut.reshape(rows, height, cols, width).sum(axis=(1, 3)).reshape(-1)
