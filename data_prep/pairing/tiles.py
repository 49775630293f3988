"""Where tiles are cut, and which split each belongs to."""

import collections
import dataclasses

from data_prep.split import Bounds
from data_prep.split import SplitRule
from data_prep.split import check_splits_apart
from data_prep.split import split_of_footprint
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid

NEAR_TWO_SPLITS = "near two splits"
OVERLAPS_HELD_OUT = "overlaps another tile of its held-out split"


@dataclasses.dataclass(frozen=True)
class Tile:
    """One tile of a larger grid.

    Attributes:
      split: "train", "validation" or "test".
      row: First row in the larger grid.
      col: First column in the larger grid.
      grid: 10 m grid of the tile.
    """

    split: str
    row: int
    col: int
    grid: Grid


def plan_tiles(
    grid: Grid, rule: SplitRule, *, tile_px: int, stride_px: int
) -> tuple[list[Tile], dict[str, int]]:
    """Cuts a grid into tiles whose splits do not touch.

    Tiles begin every `stride_px`. Train tiles may overlap; of the tiles of
    validation and test, one that overlaps an earlier one is left out, so
    that no ground is scored twice.

    Args:
      grid: 10 m grid of the place.
      rule: How blocks of ground become splits.
      tile_px: Side of a tile.
      stride_px: Distance of the beginnings of two tiles.

    Returns:
      Tiles, along the rows, and how many were left out, by reason.

    Raises:
      ConfigError: The grid is smaller than a tile, or a number is below 1.
      SplitError: Two splits come nearer than the gap.
    """
    if tile_px < 1 or stride_px < 1:
        raise ConfigError(
            f"--tile_px={tile_px}, --stride_px={stride_px}: both must be at "
            "least 1"
        )
    if min(grid.height, grid.width) < tile_px:
        raise ConfigError(
            f"--tile_px={tile_px} is larger than the {grid.height} x "
            f"{grid.width} px of 10 m that the image covers; give a smaller "
            "one"
        )
    dropped: collections.Counter[str] = collections.Counter()
    tiles: list[Tile] = []
    taken: dict[str, list[Tile]] = {"validation": [], "test": []}
    for row in range(0, grid.height - tile_px + 1, stride_px):
        for col in range(0, grid.width - tile_px + 1, stride_px):
            cut = grid.cropped(row, col, tile_px, tile_px)
            split = split_of_footprint(rule, grid.crs, cut.bounds)
            if split is None:
                dropped[NEAR_TWO_SPLITS] += 1
                continue
            tile = Tile(split, row, col, cut)
            if split in taken:
                if _overlaps_any(tile, taken[split], tile_px):
                    dropped[OVERLAPS_HELD_OUT] += 1
                    continue
                taken[split].append(tile)
            tiles.append(tile)
    check_tiles_apart(tiles, rule)
    return tiles, dict(dropped)


def check_tiles_apart(tiles: list[Tile], rule: SplitRule) -> None:
    """SplitError if tiles of two splits come nearer than the gap."""
    footprints: dict[str, dict[str, Bounds]] = collections.defaultdict(dict)
    for tile in tiles:
        name = f"row {tile.row}, column {tile.col}"
        footprints[tile.split][name] = tile.grid.bounds
    check_splits_apart(footprints, gap_m=rule.gap_m)


def _overlaps_any(tile: Tile, others: list[Tile], tile_px: int) -> bool:
    # Tiles come row by row: far above none can reach down.
    for other in reversed(others):
        if other.row <= tile.row - 2 * tile_px:
            return False
        if (
            abs(other.row - tile.row) < tile_px
            and abs(other.col - tile.col) < tile_px
        ):
            return True
    return False
