import collections
import dataclasses

import numpy as np
import pytest

from data_prep.simulation.placement import CRS
from data_prep.simulation.placement import check_places_apart
from data_prep.simulation.placement import make_rule
from data_prep.simulation.placement import walk_places
from data_prep.split import split_of_block
from data_prep.split import split_of_footprint
from s2distill.errors import ConfigError
from s2distill.errors import SplitError

_COUNTS = {"train": 40, "validation": 7, "test": 12}
_TILE_PX = 32


def _places(counts=_COUNTS):
    rule = make_rule(counts, _TILE_PX * 10.0)
    return rule, list(walk_places(rule, counts, _TILE_PX))


def test_each_split_has_its_scenes_on_blocks_that_are_of_it():
    rule, places = _places()
    assert collections.Counter(p.split for p in places) == _COUNTS
    assert len({p.key for p in places}) == len(places)
    for place in places:
        assert split_of_block(rule, CRS, *place.block) == place.split
        found = split_of_footprint(rule, CRS, place.grid.bounds)
        assert found == place.split
    for split, count in _COUNTS.items():
        numbers = [p.number for p in places if p.split == split]
        assert numbers == list(range(count))


def test_a_tile_lies_in_the_middle_of_its_block_within_its_utm_zone():
    rule, places = _places()
    assert rule.block_m == _TILE_PX * 10 + 200
    for place in places:
        left, bottom, right, top = place.grid.bounds
        row, col = place.block
        assert (left + right) / 2 == (col + 0.5) * rule.block_m
        assert (bottom + top) / 2 == (row + 0.5) * rule.block_m
        assert right - left == top - bottom == _TILE_PX * 10
        assert 166_000 < left < right < 834_000


def test_any_two_tiles_have_the_gap_between_them():
    rule, places = _places()
    bounds = np.array([p.grid.bounds for p in places])
    low, high = bounds[:, None, :2], bounds[:, None, 2:]
    # Distance of boxes along x and y; the larger one counts from outside.
    between = np.maximum(low - high.swapaxes(0, 1), low.swapaxes(0, 1) - high)
    between = between.max(-1)
    np.fill_diagonal(between, np.inf)
    assert between.min() >= rule.gap_m
    check_places_apart(places, rule)


def test_scenes_of_two_splits_on_one_spot_are_found():
    rule, places = _places()
    split = {"train": "test"}.get(places[0].split, "train")
    double = dataclasses.replace(places[0], split=split, block=(1, 2))
    with pytest.raises(SplitError, match="simulated-00001-00002"):
        check_places_apart([*places, double], rule)


def test_more_scenes_of_the_same_shares_leave_the_first_where_they_are():
    twice = {split: 2 * count for split, count in _COUNTS.items()}
    assert _places(twice)[1][:20] == _places()[1][:20]


@pytest.mark.parametrize(
    "counts",
    [
        {"train": 0, "validation": 0, "test": 0},
        {"train": 5, "validation": -1, "test": 0},
    ],
)
def test_no_scenes_or_less_are_refused(counts):
    with pytest.raises(ConfigError, match="--train_scenes"):
        make_rule(counts, 320.0)
