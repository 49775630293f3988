"""Splits by blocks of ground: a place's block decides, by a hash.

Blocks lie on a lattice of the CRS, so a place keeps its split when places
are added. A tile counts as of a split only if every block within half the
gap of it is of that split: two tiles of different splits are then at least
the gap apart, and `check_splits_apart` proves it on what was written.
"""

import dataclasses
import hashlib
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from s2distill.errors import ConfigError
from s2distill.errors import SplitError

Bounds = tuple[float, float, float, float]  # left, bottom, right, top


@dataclasses.dataclass(frozen=True)
class SplitRule:
    """How blocks become train, validation or test.

    Attributes:
      block_m: Side of a block, in units of the CRS (m when projected).
      gap_m: Least distance between tiles of different splits.
      validation_share: Share of blocks, 0 to 1.
      test_share: Share of blocks, 0 to 1; the rest is train.
      salt: Another text gives another draw.
    """

    block_m: float
    gap_m: float
    validation_share: float
    test_share: float
    salt: str = ""

    def __post_init__(self) -> None:
        shares = (self.validation_share, self.test_share)
        if min(shares) < 0 or sum(shares) > 1:
            raise ConfigError(
                f"validation_share={shares[0]} and test_share={shares[1]} "
                "must be at least 0 and together at most 1"
            )
        if self.block_m <= 0 or self.gap_m < 0:
            raise ConfigError(
                f"block_m={self.block_m} must be positive and gap_m="
                f"{self.gap_m} at least 0"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return dataclasses.asdict(self)


def split_of_block(
    rule: SplitRule, crs: str, block_row: int, block_col: int
) -> str:
    """The split of a block, from nothing but the arguments.

    Args:
      rule: Shares and salt.
      crs: For example "EPSG:32616".
      block_row: floor(y / block_m).
      block_col: floor(x / block_m).

    Returns:
      "train", "validation" or "test".
    """
    text = f"{rule.salt}|{crs}|{float(rule.block_m)}|{block_row}|{block_col}"
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    if draw < rule.test_share:
        return "test"
    if draw < rule.test_share + rule.validation_share:
        return "validation"
    return "train"


def split_of_footprint(rule: SplitRule, crs: str, bounds: Bounds) -> str | None:
    """The split of a tile, or None if it comes near two splits.

    Args:
      rule: Blocks, gap and shares.
      crs: Of the bounds.
      bounds: (left, bottom, right, top) of the tile.

    Returns:
      The one split of all blocks that the tile, grown by half the gap,
      overlaps; None if there are two.
    """
    left, bottom, right, top = bounds
    margin, side = rule.gap_m / 2, rule.block_m
    rows = range(
        math.floor((bottom - margin) / side), math.ceil((top + margin) / side)
    )
    cols = range(
        math.floor((left - margin) / side), math.ceil((right + margin) / side)
    )
    splits = {
        split_of_block(rule, crs, row, col)
        for row, col in itertools.product(rows, cols)
    }
    return splits.pop() if len(splits) == 1 else None


def check_splits_apart(
    footprints: Mapping[str, Mapping[str, Bounds]], *, gap_m: float
) -> None:
    """Proves that no tile of one split is near a tile of another.

    Args:
      footprints: Bounds of each tile by split and key, in one CRS.
      gap_m: Least distance; with 0 the tiles may share an edge, no more.

    Raises:
      SplitError: Names two tiles that are too near.
    """
    for first, second in itertools.combinations(footprints, 2):
        if footprints[first] and footprints[second]:
            _check_two_splits(footprints, first, second, gap_m)


def _check_two_splits(
    footprints: Mapping[str, Mapping[str, Bounds]],
    first: str,
    second: str,
    gap_m: float,
) -> None:
    keys = [list(footprints[s]) for s in (first, second)]
    # A micrometre less than asked, for rounding; a shared edge is no overlap.
    reach = gap_m / 2 - 1e-6
    boxes = [
        shapely.box(*(np.array(list(footprints[s].values()), float) + grow).T)
        for s in (first, second)
        for grow in [np.array([-reach, -reach, reach, reach])]
    ]
    tree = shapely.STRtree(boxes[0])
    pairs = tree.query(boxes[1], predicate="intersects")
    if pairs.size:
        b, a = pairs[:, 0]
        raise SplitError(
            f"{first} tile {keys[0][a]} and {second} tile {keys[1][b]} are "
            f"less than {gap_m} m apart; give larger blocks or a larger gap"
        )
