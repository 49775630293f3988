import collections
import random

import pytest

from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.records.shard_plan import ShardNumber
from data_prep.earth_engine.records.shard_plan import plan_shards


def _make_places(**counts):
    places = []
    for row, (split, count) in enumerate(counts.items()):
        places += [
            place_at(
                "EPSG:32616", 100 + n % 40, 500 * row + n // 40, 32, split=s
            )
            for n, s in enumerate([split] * count)
        ]
    return places


@pytest.mark.parametrize(
    ("count", "records_per_shard", "sizes"),
    [
        (1, 64, [1]),
        (64, 64, [64]),
        (65, 64, [32, 33]),
        (10, 4, [3, 3, 4]),
        (7, 1, [1] * 7),
        (1_000, 64, [62] * 8 + [63] * 8),
    ],
)
def test_files_are_near_equal_and_none_is_too_large(
    count, records_per_shard, sizes
):
    planned = plan_shards(_make_places(train=count), records_per_shard)
    found = collections.Counter(planned.values())
    assert sorted(found.values()) == sizes
    assert {n.count for n in found} == {len(sizes)}
    assert sorted(n.index for n in found) == list(range(len(sizes)))


def test_every_key_is_in_exactly_one_file_of_its_own_split():
    places = _make_places(train=90, validation=21, test=2)
    planned = plan_shards(places, 8)
    assert set(planned) == {place.key for place in places}
    assert all(planned[place.key].split == place.split for place in places)
    counts = {n.split: n.count for n in planned.values()}
    assert counts == {"train": 12, "validation": 3, "test": 1}


def test_a_split_without_places_has_no_file():
    planned = plan_shards(_make_places(test=3), 8)
    assert {number.split for number in planned.values()} == {"test"}
    assert plan_shards([], 8) == {}


def test_the_order_of_places_changes_nothing():
    places = _make_places(train=90, validation=21)
    planned = plan_shards(places, 8)
    random.Random(5).shuffle(places)
    assert plan_shards(places, 8) == planned


def test_other_splits_change_nothing_for_one():
    alone = plan_shards(_make_places(train=50), 8)
    among = plan_shards(_make_places(train=50, test=20), 8)
    assert alone.items() <= among.items()


def test_neighbours_on_the_ground_are_spread_over_the_files():
    planned = plan_shards(_make_places(train=400), 50)
    row = [planned[f"utm16n-{320 * (100 + n)}-320"].index for n in range(40)]
    # 40 places in a row, 8 files: by chance no file has more than 12 of them
    # (binomial, mean 5), in the order of their keys one would have them all.
    assert len(set(row)) == 8
    assert max(collections.Counter(row).values()) <= 12


def test_the_plan_is_the_same_on_every_machine():
    # sha256sum of the keys begins with aaaa, f73e, 253b, b370: in this order
    # the third and the first come into one file.
    planned = plan_shards(_make_places(train=4), 2)
    keys = [f"utm16n-{320 * (100 + n)}-320" for n in range(4)]
    assert [planned[key].index for key in keys] == [0, 1, 0, 1]


def test_a_file_is_named_by_split_number_and_count():
    name = ShardNumber("train", 3, 12).name
    assert "train" in name
    assert name.endswith("00003-of-00012")
