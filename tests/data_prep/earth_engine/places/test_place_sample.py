import collections
import itertools

import numpy as np
import pytest
import rasterio
import shapely

from data_prep.earth_engine.places.built_up import NO_VALUE
from data_prep.earth_engine.places.built_up import BuiltUpStrata
from data_prep.earth_engine.places.place_candidates import NEAR_ZONE_BORDER
from data_prep.earth_engine.places.place_candidates import find_squares
from data_prep.earth_engine.places.place_sample import SampleRule
from data_prep.earth_engine.places.place_sample import draw_places
from data_prep.earth_engine.places.place_sample import seats
from data_prep.earth_engine.places.place_splits import BETWEEN_SPLITS
from data_prep.earth_engine.places.region import Region
from data_prep.earth_engine.places.region import parse_region_box
from data_prep.earth_engine.places.region import region_in_zone
from data_prep.split import SplitRule
from data_prep.split import check_splits_apart
from data_prep.split import split_of_footprint
from s2distill.errors import ConfigError
from s2distill.errors import PlaceError

SPLITS = SplitRule(1000, 50, 0.2, 0.25)
# Two zones, 22 km x 19 km.
BOX = ("-84.12", "33.1", "-83.9", "33.3")
FIRST_THREE = [
    "utm16n-777600-3674560",
    "utm16n-779200-3679040",
    "utm16n-769280-3667520",
]


def _rule(count, **fields):
    return SampleRule(
        **{"count": count, "tile_px": 32, "split_rule": SPLITS, **fields}
    )


@pytest.fixture(scope="module")
def region():
    return parse_region_box(BOX)


def _keys(sample):
    return [place.key for place in sample.places]


def test_every_place_is_on_its_lattice_in_its_split_and_in_the_region(region):
    sample = draw_places(region, _rule(300))
    assert len(sample.places) == 300
    parts = {
        crs: region_in_zone(region, crs, margin_m=900)
        for crs in ("EPSG:32616", "EPSG:32617")
    }
    for place in sample.places:
        left, bottom, right, top = place.grid.bounds
        assert (left % 10, top % 10) == (0, 0)
        assert (left % 320, top % 320) == (0, 0)
        assert (right - left, top - bottom) == (320, 320)
        assert place.split == split_of_footprint(
            SPLITS, place.grid.crs, place.grid.bounds
        )
        assert shapely.covers(
            parts[place.grid.crs], shapely.box(*place.grid.bounds).buffer(-1)
        )
        assert (place.date, place.stratum, place.properties) == ("", "", {})
    assert len(set(_keys(sample))) == 300


def test_no_two_places_overlap_and_splits_are_the_gap_apart(region):
    sample = draw_places(region, _rule(0))
    zones = collections.defaultdict(lambda: collections.defaultdict(dict))
    for place in sample.places:
        bounds = zones[place.grid.crs][place.split]
        bounds[place.key] = place.grid.bounds
    assert len(zones) == 2
    for splits in zones.values():
        assert set(splits) == {"train", "validation", "test"}
        check_splits_apart(splits, gap_m=50)
        boxes = [
            shapely.box(*bounds)
            for bounds in itertools.chain(
                *(of_split.values() for of_split in splits.values())
            )
        ]
        assert shapely.union_all(boxes).area == pytest.approx(
            320**2 * len(boxes)
        )


def test_every_square_is_drawn_or_counted_with_a_reason(region):
    sample = draw_places(region, _rule(0))
    squares, near_border = find_squares(region, 32, "whole", gap_m=50)
    assert sample.dropped[NEAR_ZONE_BORDER] == near_border[NEAR_ZONE_BORDER]
    assert sample.available == {"": len(sample.places)}
    assert sample.missing == {}
    assert len(sample.places) + sample.dropped[BETWEEN_SPLITS] == sum(
        s.cols.size for s in squares
    )
    assert set(sample.dropped) == {NEAR_ZONE_BORDER, BETWEEN_SPLITS}


def test_a_larger_draw_begins_with_the_smaller_one(region):
    every = _keys(draw_places(region, _rule(0)))
    for count in (1, 7, 120):
        assert _keys(draw_places(region, _rule(count))) == every[:count]


def test_a_part_of_the_region_keeps_the_order_of_the_whole(region):
    whole = _keys(draw_places(region, _rule(0)))
    part = _keys(
        draw_places(
            parse_region_box(("-84.07", "33.1", "-83.93", "33.22")), _rule(0)
        )
    )
    assert 100 < len(part) < len(whole) / 2
    assert set(part) < set(whole)
    assert part == [key for key in whole if key in set(part)]


def test_the_draw_is_a_hash_of_seed_and_key_for_ever(region):
    # Literals: a changed hash would ask for other places in a second run.
    assert _keys(draw_places(region, _rule(3))) == FIRST_THREE
    other = _keys(draw_places(region, _rule(3, seed=1)))
    assert not set(other) & set(FIRST_THREE)


def test_a_draw_is_spread_over_the_region(region):
    places = draw_places(region, _rule(400)).places
    every = draw_places(region, _rule(0)).places
    tops = [
        np.median([p.grid.bounds[3] for p in some]) for some in (places, every)
    ]
    # The median of 400 uniform draws over 22 km is within 1.1 km at 2 sigma.
    assert abs(tops[0] - tops[1]) < 2000


def test_too_few_places_are_given_and_said(region):
    every = draw_places(region, _rule(0))
    sample = draw_places(region, _rule(100_000))
    assert _keys(sample) == _keys(every)
    assert sample.missing == {"": 100_000 - len(every.places)}


def test_dates_are_drawn_for_each_place_by_its_key(region):
    dates = ("2019-07-01", "2020-07-01", "2021-07-01")
    many = draw_places(region, _rule(600, dates=dates)).places
    few = draw_places(region, _rule(50, dates=dates)).places
    assert many[:50] == few
    counts = collections.Counter(place.date for place in many)
    # 600 draws of a third each: sigma is 11.5.
    assert all(abs(counts[date] - 200) < 50 for date in dates)
    (only,) = {
        p.date for p in draw_places(region, _rule(9, dates=dates[:1])).places
    }
    assert only == "2019-07-01"


def _write_share(path, region, share_of):
    """A raster of 40 m in zone 16 over the region, by rows and columns."""
    part = region_in_zone(region, "EPSG:32616", margin_m=30_000)
    left, bottom, right, top = np.array(part.bounds) // 320 * 320 + [
        -320,
        -320,
        640,
        640,
    ]
    rows, cols = int((top - bottom) // 40), int((right - left) // 40)
    row, col = np.meshgrid(
        (np.arange(rows) + 0.5) / rows,
        (np.arange(cols) + 0.5) / cols,
        indexing="ij",
    )
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=1,
        dtype="float32",
        crs="EPSG:32616",
        transform=rasterio.Affine(40, 0, left, 0, -40, top),
        nodata=-1,
    ) as file:
        file.write(share_of(row, col).astype("float32"), 1)
    return str(path)


@pytest.fixture(scope="module")
def town(tmp_path_factory, region):
    """Built up from 0 in the north to 1 in the south; a tenth unknown."""
    path = tmp_path_factory.mktemp("town") / "share.tif"
    return _write_share(
        path, region, lambda row, col: np.where(col < 0.1, -1, row**3)
    )


def test_strata_give_equal_numbers_with_their_shares(region, town):
    strata = BuiltUpStrata(raster=town, edges=(0.02, 0.1, 0.3))
    sample = draw_places(region, _rule(200, strata=strata))
    counts = collections.Counter(place.stratum for place in sample.places)
    assert counts == dict.fromkeys(strata.names, 50)
    assert sample.missing == {}
    edges = (0, 0.02, 0.1, 0.3, 1)
    for place in sample.places:
        number = strata.names.index(place.stratum)
        share = place.properties["built_up"]
        assert edges[number] - 1e-4 <= share <= edges[number + 1] + 1e-4
    # What is denser lies further south.
    tops = [
        np.mean([p.grid.bounds[3] for p in sample.places if p.stratum == name])
        for name in strata.names
    ]
    assert (np.diff(tops) < -1000).all()


def test_places_without_a_built_up_value_are_counted(region, town):
    strata = BuiltUpStrata(raster=town)
    sample = draw_places(region, _rule(0, strata=strata))
    all_places = draw_places(region, _rule(0))
    unknown = sample.dropped[NO_VALUE]
    assert len(sample.places) + unknown == len(all_places.places)
    assert unknown > 50
    assert sum(sample.available.values()) == len(sample.places)


def test_strata_keep_earlier_places_too(region, town):
    strata = BuiltUpStrata(raster=town, shares=(0.5, 0.2, 0.2, 0.1))
    every = _keys(draw_places(region, _rule(150, strata=strata)))
    for count in (1, 2, 3, 10, 55, 149):
        some = _keys(draw_places(region, _rule(count, strata=strata)))
        assert some == every[:count]


def test_a_stratum_that_is_too_small_is_not_filled_from_others(region, town):
    strata = BuiltUpStrata(raster=town, edges=(0.5, 0.9999))
    sample = draw_places(region, _rule(300, strata=strata))
    counts = collections.Counter(place.stratum for place in sample.places)
    assert counts["built-up 0-0.5"] == counts["built-up 0.5-0.9999"] == 100
    assert sample.available["built-up 0.9999-1"] < 100
    assert sample.missing == {
        "built-up 0.9999-1": 100 - sample.available["built-up 0.9999-1"]
    }


def test_seats_keep_every_share_to_within_one():
    shares = (0.5, 0.25, 0.15, 0.1, 0.0)
    given = collections.Counter()
    for total, stratum in enumerate(itertools.islice(seats(shares), 2000), 1):
        given[stratum] += 1
        for number, share in enumerate(shares):
            assert abs(given[number] - share * total) < 1.0 + 1e-9
    assert given[4] == 0


def test_equal_shares_take_turns():
    assert list(itertools.islice(seats((1 / 3,) * 3), 7)) == [
        0,
        1,
        2,
        0,
        1,
        2,
        0,
    ]


def test_the_antimeridian_and_the_equator_are_sampled_on_both_sides():
    fiji = parse_region_box(("179.85", "-17", "-179.85", "-16.8"))
    zones = {p.grid.crs for p in draw_places(fiji, _rule(60)).places}
    assert zones == {"EPSG:32760", "EPSG:32701"}
    equator = parse_region_box(("-87.1", "-0.1", "-87", "0.1"))
    zones = {p.grid.crs for p in draw_places(equator, _rule(60)).places}
    assert zones == {"EPSG:32616", "EPSG:32716"}


def test_a_region_too_small_for_a_place_says_what_would_help():
    region = parse_region_box(("-84.502", "33.1", "-84.5", "33.102"))
    with pytest.raises(
        PlaceError, match="no place of 320 x 320 m; left out: n"
    ):
        draw_places(region, _rule(3))
    at_border = Region(
        shapely.MultiPolygon([shapely.box(-84.0001, 33.1, -83.9999, 33.6)]),
        "a",
    )
    with pytest.raises(PlaceError, match=r"a gives .*\d+ near a UTM zone bord"):
        draw_places(at_border, _rule(3, coverage="touch"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"split_rule": SplitRule(319, 50, 0.2, 0.2)},
            "--block_m=319 is smaller than a place of 320 m",
        ),
        ({"count": -1}, "--count=-1 must be above 0, or 0 for all"),
        ({"dates": ("2020-02-30",)}, "'2020-02-30' is no date"),
        ({"dates": ("2020-02-01", "")}, "'' is no date"),
    ],
)
def test_a_rule_that_is_none_is_refused(fields, words):
    with pytest.raises(ConfigError, match=words):
        _rule(**{"count": 1, **fields})


def test_blocks_do_not_matter_where_all_is_train(region):
    sample = draw_places(region, _rule(9, split_rule=SplitRule(9, 50, 0, 0)))
    assert {place.split for place in sample.places} == {"train"}
