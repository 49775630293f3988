import collections

import numpy as np
import pytest

from data_prep.split import SplitRule
from data_prep.split import check_splits_apart
from data_prep.split import split_of_block
from data_prep.split import split_of_footprint
from s2distill.errors import ConfigError
from s2distill.errors import SplitError

CRS = "EPSG:32616"
RULE = SplitRule(block_m=200, gap_m=20, validation_share=0.2, test_share=0.3)


def test_shares_are_kept_over_many_blocks():
    counts = collections.Counter(
        split_of_block(RULE, CRS, row, col)
        for row in range(100)
        for col in range(100)
    )
    # 10,000 draws: one standard deviation is below 0.005.
    assert counts["test"] / 1e4 == pytest.approx(0.3, abs=0.02)
    assert counts["validation"] / 1e4 == pytest.approx(0.2, abs=0.02)


def test_a_block_keeps_its_split_for_ever():
    # Literals: a changed hash would move places between splits.
    assert [split_of_block(RULE, CRS, 3, col) for col in range(6)] == [
        "test",
        "validation",
        "train",
        "validation",
        "test",
        "validation",
    ]


def test_salt_crs_and_position_each_change_the_draw():
    def draw(rule=RULE, crs=CRS, flip=False):
        return [
            split_of_block(rule, crs, *((c, r) if flip else (r, c)))
            for r in range(8)
            for c in range(8)
        ]

    other = SplitRule(200, 20, 0.2, 0.3, salt="b")
    assert draw() != draw(rule=other)
    assert draw() != draw(crs="EPSG:32617")
    assert draw() != draw(flip=True)


def test_tiles_of_two_splits_are_at_least_the_gap_apart():
    rng = np.random.default_rng(0)
    tiles = collections.defaultdict(dict)
    for i in range(600):
        left, bottom = rng.uniform(-3000, 3000, 2)
        bounds = (left, bottom, left + 70, bottom + 110)
        split = split_of_footprint(RULE, CRS, bounds)
        if split:
            tiles[split][str(i)] = bounds
    assert all(len(tiles[s]) > 30 for s in ("train", "validation", "test"))
    check_splits_apart(tiles, gap_m=20)
    for a in tiles["train"].values():
        for b in tiles["test"].values():
            dx = max(a[0] - b[2], b[0] - a[2])
            dy = max(a[1] - b[3], b[1] - a[3])
            assert max(dx, dy) >= 20 - 1e-6


def test_a_tile_over_two_blocks_of_one_split_is_kept():
    pairs = [
        (row, col)
        for row in range(20)
        for col in range(20)
        if split_of_block(RULE, CRS, row, col)
        == split_of_block(RULE, CRS, row, col + 1)
    ]
    row, col = pairs[0]
    bounds = (col * 200 + 150, row * 200 + 50, col * 200 + 250, row * 200 + 150)
    assert split_of_footprint(RULE, CRS, bounds) == split_of_block(
        RULE, CRS, row, col
    )


def test_two_near_tiles_are_named():
    tiles = {
        "train": {"a": (0, 0, 10, 10), "b": (100, 0, 110, 10)},
        "test": {"c": (110, 0, 120, 10)},
    }
    check_splits_apart(tiles, gap_m=0)  # a shared edge is no overlap
    with pytest.raises(SplitError, match="train tile b and test tile c"):
        check_splits_apart(tiles, gap_m=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"validation_share": 0.8, "test_share": 0.3},
        {"block_m": 0},
        {"gap_m": -1},
    ],
)
def test_impossible_rules_are_refused(wrong):
    good = {
        "block_m": 1,
        "gap_m": 0,
        "validation_share": 0.1,
        "test_share": 0.1,
    }
    with pytest.raises(ConfigError, match="must be"):
        SplitRule(**{**good, **wrong})
