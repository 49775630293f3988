"""The built-up share of places, from a raster in any CRS, and strata of it.

The raster is warped to the lattice of the zone, 8 x 8 cells to a square, each
the mean of the pixels under it; so a million squares take seconds, and pixels
of another CRS are mixed over a cell's edge at most, not over a place's.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from collections.abc import Sequence

import numpy as np
import rasterio.enums
import rasterio.vrt

from data_prep.earth_engine.places.place_candidates import Squares
from s2distill.errors import ConfigError
from s2distill.geo.raster import grid_of
from s2distill.geo.raster import open_raster

NO_VALUE = "no built-up value"
# Cells along a side of a square; a power of two, so that their edges are
# whole multiples of the side in binary too.
_CELLS = 8
# Squares along a side of what is read at a time: 512 cells.
_CHUNK = 64
# A place of which less is known has no value.
_LEAST_KNOWN = 0.5
# Of a share; float32 means of many pixels are within it.
_PLAY = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class BuiltUpStrata:
    """Strata of places by the share of their ground that is built up.

    Attributes:
      raster: Any raster file; its first band is read.
      scale: The value that stands for all built up: 1, 100 or 10000.
      edges: Shares between two strata, ascending, within 0..1; a place on an
        edge is of the upper stratum.
      shares: Of the draw, one for each stratum, summing to 1; none given:
        equal.
    """

    raster: str
    scale: float = 1.0
    edges: tuple[float, ...] = (0.02, 0.1, 0.3)
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        all_edges = (0.0, *self.edges, 1.0)
        if not all(a < b for a, b in itertools.pairwise(all_edges)):
            raise ConfigError(
                f"--strata={_list(self.edges)}: edges must ascend within 0..1, "
                "both ends left out"
            )
        if not 0 < self.scale < float("inf"):
            raise ConfigError(
                f"--built_up_scale={self.scale:g} must be above 0: the value "
                "that stands for all built up"
            )
        if self.shares and (
            len(self.shares) != len(self.names)
            or not min(self.shares) >= 0
            or abs(sum(self.shares) - 1) > 1e-6
        ):
            raise ConfigError(
                f"--strata_shares={_list(self.shares)}: wanted are "
                f"{len(self.names)} shares for the strata "
                f"{', '.join(self.names)}, that sum to 1"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Of the strata: "built-up 0.02-0.1"."""
        edges = (0, *self.edges, 1)
        return tuple(
            f"built-up {low:g}-{high:g}"
            for low, high in itertools.pairwise(edges)
        )

    def strata_of(self, shares: np.ndarray) -> np.ndarray:
        """[N] index into `names` of [N] built-up shares; -1 for NaN."""
        strata = np.digitize(shares, self.edges)
        return np.where(np.isnan(shares), -1, strata)

    def measure(self, squares: Squares) -> np.ndarray:
        """Built-up share of squares.

        Args:
          squares: Of one zone.

        Returns:
          [N] float64 in 0..1, the mean of the known ground; NaN where less
          than half of a square is known.

        Raises:
          RasterError: The raster cannot be read.
          GridError: It has no position.
          ConfigError: Its values do not fit `scale`.
        """
        shares = np.full(squares.cols.size, np.nan)
        with open_raster(self.raster) as file:
            grid_of(file)
            for chosen, col, row in _chunks(squares):
                means = _read_means(file, squares, col, row)
                shares[chosen] = means[
                    _CHUNK - 1 - (squares.rows[chosen] - row),
                    squares.cols[chosen] - col,
                ]
        shares /= self.scale
        known = shares[~np.isnan(shares)]
        if known.size and (known.max() > 1 + _PLAY or known.min() < -_PLAY):
            raise ConfigError(
                f"{self.raster} has a place of {known.min():g} to one of "
                f"{known.max():g} times --built_up_scale={self.scale:g}; "
                "give the value that stands for all built up, for example "
                "100 for percent"
            )
        return np.clip(shares, 0.0, 1.0)


def _list(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _chunks(squares: Squares) -> Iterator[tuple[np.ndarray, int, int]]:
    """Positions of squares close together, and their lower left square."""
    chunk_cols, chunk_rows = squares.cols // _CHUNK, squares.rows // _CHUNK
    order = np.lexsort((chunk_cols, chunk_rows))
    both = np.stack([chunk_cols, chunk_rows], axis=-1)[order]
    begins = np.flatnonzero((np.diff(both, axis=0) != 0).any(axis=1)) + 1
    groups = np.split(order, begins) if order.size else []
    for chosen in groups:
        yield (
            chosen,
            int(chunk_cols[chosen[0]]) * _CHUNK,
            int(chunk_rows[chosen[0]]) * _CHUNK,
        )


def _read_means(
    file: rasterio.io.DatasetReader, squares: Squares, col: int, row: int
) -> np.ndarray:
    """[_CHUNK, _CHUNK] means of squares, north up; NaN where unknown."""
    cell_m = squares.tile_m / _CELLS
    left, top = col * squares.tile_m, (row + _CHUNK) * squares.tile_m
    side = _CHUNK * _CELLS
    with rasterio.vrt.WarpedVRT(
        file,
        crs=squares.crs,
        transform=rasterio.Affine(cell_m, 0, left, 0, -cell_m, top),
        height=side,
        width=side,
        resampling=rasterio.enums.Resampling.average,
        # Means of bytes would be rounded to bytes.
        dtype="float32",
        add_alpha=rasterio.enums.ColorInterp.alpha not in file.colorinterp,
    ) as view:
        values = view.read(1).astype(np.float64)
        known = view.read(view.count) > 0
    known &= np.isfinite(values)
    cells = (_CHUNK, _CELLS, _CHUNK, _CELLS)
    total = np.where(known, values, 0).reshape(cells).sum((1, 3))
    number = known.reshape(cells).sum((1, 3))
    enough = number >= _LEAST_KNOWN * _CELLS**2
    return np.where(enough, total / np.maximum(number, 1), np.nan)
