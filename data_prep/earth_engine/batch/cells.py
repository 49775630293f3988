"""Cells: squares of places that one batch task exports at once.

A cell is `cell_tiles` x `cell_tiles` squares of the lattice of places, on a
lattice of its own, so that which cell a place lies in depends on nothing but
the place. It is exported whole: patches that nobody asked for come too, and
the task draws patches row by row without one on the edge being dropped.

Frames are chosen once for a cell: the clearest over 5 km, where a place
asked for alone gets the clearest over its own 320 m.
"""

import collections
import dataclasses
from collections.abc import Iterable

from data_prep.earth_engine.layers import Layer
from data_prep.earth_engine.places.place import PIXEL_M
from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import make_place_grid
from data_prep.earth_engine.tfrecord.mixer import Mixer
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid


@dataclasses.dataclass(frozen=True)
class Cell:
    """A square of `cell_tiles` squared places, some of them wanted.

    Attributes:
      key: "utm16n-737280-3741440-5120m-2020-06-01": zone, left and top in
        metres, side, date; no date where its places have none.
      grid: The whole cell in pixels of 10 m.
      tile_px: Side of a place, which is a patch, in pixels of 10 m.
      date: That of all its places, "YYYY-MM-DD" or "".
      places: Wanted ones by the number of their patch, in its order; patches
        are counted row by row from the top left.
    """

    key: str
    grid: Grid
    tile_px: int
    date: str
    places: tuple[tuple[int, Place], ...]

    @property
    def crs(self) -> str:
        """The UTM zone."""
        return self.grid.crs

    @property
    def patches(self) -> int:
        """Patches of an export of the cell, wanted or not."""
        return (self.grid.width // self.tile_px) ** 2

    def layer_grid(self, layer: Layer) -> Grid:
        """The whole cell in pixels of a layer."""
        return self.grid.refined(layer.factor)

    def patch_px(self, layer: Layer) -> int:
        """Side of a patch in pixels of a layer."""
        return self.tile_px * layer.factor

    def expected_mixer(self, layer: Layer) -> Mixer:
        """The mixer that the export of a layer must come with."""
        grid, side = self.layer_grid(layer), self.patch_px(layer)
        return Mixer(
            crs=grid.crs,
            transform=grid.transform,
            patch_height=side,
            patch_width=side,
            patches_per_row=grid.width // side,
            total_patches=self.patches,
        )


def make_cells(places: Iterable[Place], cell_tiles: int) -> tuple[Cell, ...]:
    """The cells that hold places; one for each date.

    Args:
      places: Any number, of any zones, all of one size.
      cell_tiles: Side of a cell in places.

    Returns:
      Cells in the order of their keys, each place in one of them.

    Raises:
      ConfigError: A cell of no size.
    """
    if cell_tiles < 1:
        raise ConfigError(
            f"--cell_tiles={cell_tiles}: a cell is at least 1 place wide"
        )
    groups = collections.defaultdict(list)
    for place in places:
        square = _lattice_row_col(place)
        row, col = (index // cell_tiles for index in square)
        groups[place.grid.crs, row, col, place.date].append((square, place))
    cells = (
        _make_cell(crs, (row, col), date, members, cell_tiles)
        for (crs, row, col, date), members in groups.items()
    )
    return tuple(sorted(cells, key=lambda cell: cell.key))


def _lattice_row_col(place: Place) -> tuple[int, int]:
    """Of the square in the lattice of its zone: row northwards."""
    left, bottom, _, _ = place.grid.bounds
    tile_m = PIXEL_M * place.tile_px
    return round(bottom / tile_m), round(left / tile_m)


def _make_cell(
    crs: str,
    cell_row_col: tuple[int, int],
    date: str,
    members: list[tuple[tuple[int, int], Place]],
    cell_tiles: int,
) -> Cell:
    tile_px = members[0][1].tile_px
    side_m = PIXEL_M * tile_px * cell_tiles
    first_row, first_col = (index * cell_tiles for index in cell_row_col)
    left, top = cell_row_col[1] * side_m, (cell_row_col[0] + 1) * side_m
    numbered = [
        (  # rows of patches go down, those of the lattice up
            (first_row + cell_tiles - 1 - row) * cell_tiles + col - first_col,
            place,
        )
        for (row, col), place in members
    ]
    key = f"{make_key(crs, left, top)}-{side_m}m"
    return Cell(
        key=f"{key}-{date}" if date else key,
        grid=make_place_grid(crs, left, top, tile_px * cell_tiles),
        tile_px=tile_px,
        date=date,
        places=tuple(sorted(numbered, key=lambda pair: pair[0])),
    )
