import itertools

import pytest

from data_prep.pairing import tiles
from data_prep.split import SplitRule
from s2distill.errors import ConfigError
from s2distill.geo.grid import Grid

GRID = Grid("EPSG:32633", (10.0, 0, 5e5, 0, -10.0, 5e6), 61, 83)


def plan(**keywords):
    rule = SplitRule(150.0, 30.0, 0.25, 0.25, "b")
    return tiles.plan_tiles(GRID, rule, **keywords)


def test_every_position_becomes_a_tile_or_is_counted():
    found, dropped = plan(tile_px=7, stride_px=3)
    positions = len(range(0, 61 - 6, 3)) * len(range(0, 83 - 6, 3))
    assert len(found) + sum(dropped.values()) == positions
    assert {tile.split for tile in found} == {"train", "validation", "test"}
    assert set(dropped) == {tiles.NEAR_TWO_SPLITS, tiles.OVERLAPS_HELD_OUT}


def test_held_out_tiles_never_overlap_and_train_tiles_do():
    found, _ = plan(tile_px=7, stride_px=2)
    overlapping = set()
    for a, b in itertools.combinations(found, 2):
        if abs(a.row - b.row) < 7 and abs(a.col - b.col) < 7:
            overlapping.add((a.split, b.split))
    assert overlapping == {("train", "train")}


def test_tiles_lie_on_the_grid():
    found, _ = plan(tile_px=7, stride_px=5)
    tile = found[-1]
    assert tile.grid == GRID.cropped(tile.row, tile.col, 7, 7)


@pytest.mark.parametrize(
    ("tile_px", "stride_px", "words"),
    [(0, 1, "at least 1"), (5, 0, "at least 1"), (62, 1, "--tile_px=62")],
)
def test_sizes_that_do_not_fit_are_refused(tile_px, stride_px, words):
    with pytest.raises(ConfigError, match=words):
        plan(tile_px=tile_px, stride_px=stride_px)
