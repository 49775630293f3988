import numpy as np
import pytest

from data_prep.earth_engine.places.place_candidates import Squares
from data_prep.earth_engine.places.place_splits import splits_of_squares
from data_prep.split import SplitRule
from data_prep.split import split_of_footprint
from s2distill.data.schema import SPLITS

CRS = "EPSG:32633"


def _squares(tile_px, number=500, low=-40, high=3000):
    rng = np.random.default_rng(0)
    return Squares(
        CRS,
        tile_px,
        rng.integers(low, high, number),
        rng.integers(low, high, number),
    )


@pytest.mark.parametrize(
    ("tile_px", "block_m", "gap_m"),
    [(32, 1000, 50), (32, 330, 0), (7, 333.25, 11.5), (32, 640, 2000)],
)
def test_splits_are_those_of_the_one_by_one_rule(tile_px, block_m, gap_m):
    rule = SplitRule(block_m, gap_m, 0.03, 0.04, "salt")
    squares = _squares(tile_px)
    found = splits_of_squares(rule, squares)
    wanted = [
        split_of_footprint(rule, CRS, tuple(bounds.tolist()))
        for bounds in squares.bounds
    ]
    assert [SPLITS[code] if code >= 0 else None for code in found] == wanted
    assert None in wanted
    assert "train" in wanted


def test_without_held_out_shares_all_is_train_whatever_the_blocks():
    rule = SplitRule(10, 50, 0, 0)
    assert (splits_of_squares(rule, _squares(32)) == 0).all()


def test_no_square_has_no_split():
    rule = SplitRule(1000, 50, 0.2, 0.2)
    assert splits_of_squares(rule, _squares(32, number=0)).shape == (0,)
