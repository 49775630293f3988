"""Gives scenes their place on the ground, and by it their split."""

import dataclasses
from collections.abc import Iterator

from data_prep.split import SplitRule
from data_prep.split import check_splits_apart
from data_prep.split import split_of_block
from s2distill.data.schema import SPLITS
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid

CRS = "EPSG:32631"
_EASTING_M = 200_000.0  # the zone reaches from 166 to 834 km
_ZONE_WIDTH_M = 600_000.0
_SOUTH_M = 1_000_000.0
_GAP_M = 100.0


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a scene lies.

    Attributes:
      split: Split of its block.
      number: Counted within the split.
      block: Row and column of the block.
      grid: 10 m grid of the tile, in the middle of the block.
    """

    split: str
    number: int
    block: tuple[int, int]
    grid: Grid

    @property
    def key(self) -> str:
        """Name of the record."""
        return f"simulated-{self.block[0]:05d}-{self.block[1]:05d}"


def make_rule(counts: dict[str, int], tile_m: float) -> SplitRule:
    """The rule by which blocks become train, validation or test.

    Args:
      counts: Scenes wanted, by split.
      tile_m: Side of a scene.
    """
    total = sum(counts.values())
    if total == 0 or min(counts.values()) < 0:
        raise ConfigError(
            f"scenes wanted: {counts}; give --train_scenes, "
            "--validation_scenes or --test_scenes a number above 0"
        )
    return SplitRule(
        block_m=tile_m + 2 * _GAP_M,
        gap_m=_GAP_M,
        validation_share=counts["validation"] / total,
        test_share=counts["test"] / total,
    )


def walk_places(
    rule: SplitRule, counts: dict[str, int], tile_px: int
) -> Iterator[Place]:
    """Walks over blocks until each split has its scenes.

    Args:
      rule: Block size and shares.
      counts: Scenes wanted, by split.
      tile_px: Side of a scene, 10 m pixels.

    Yields:
      Places in the order of the walk, along rows of blocks to the north.
    """
    left = dict(counts)
    made = dict.fromkeys(SPLITS, 0)
    first_col = int(_EASTING_M // rule.block_m)
    columns = int(_ZONE_WIDTH_M // rule.block_m)
    row = int(_SOUTH_M // rule.block_m)
    while any(left.values()):
        for col in range(first_col, first_col + columns):
            split = split_of_block(rule, CRS, row, col)
            if left[split]:
                left[split] -= 1
                grid = _grid_in_block(rule, row, col, tile_px)
                yield Place(split, made[split], (row, col), grid)
                made[split] += 1
            if not any(left.values()):
                return
        row += 1


def check_places_apart(places: list[Place], rule: SplitRule) -> None:
    """SplitError if scenes of two splits come nearer than the gap."""
    footprints: dict[str, dict[str, tuple[float, float, float, float]]] = {
        split: {} for split in SPLITS
    }
    for place in places:
        footprints[place.split][place.key] = place.grid.bounds
    check_splits_apart(footprints, gap_m=rule.gap_m)


def _grid_in_block(rule: SplitRule, row: int, col: int, tile_px: int) -> Grid:
    """The tile in the middle of a block, on whole multiples of 10 m."""
    margin = (rule.block_m - tile_px * 10.0) / 2
    left = col * rule.block_m + margin
    top = (row + 1) * rule.block_m - margin
    return Grid(CRS, (10.0, 0.0, left, 0.0, -10.0, top), tile_px, tile_px)
