import dataclasses

import pytest

from data_prep.earth_engine.places.place import Place
from data_prep.earth_engine.places.place import make_key
from data_prep.earth_engine.places.place import place_at
from data_prep.earth_engine.places.place_checks import check_place
from data_prep.earth_engine.places.place_checks import check_places
from data_prep.earth_engine.places.place_checks import is_date
from data_prep.split import SplitRule
from s2distill.errors import PlaceError
from s2distill.errors import SplitError
from s2distill.geo.grid import Grid

CRS = "EPSG:32616"
RULE = SplitRule(
    block_m=1000, gap_m=50, validation_share=0.2, test_share=0.2
).to_json()


def _at(col, row=11_000, crs=CRS, **fields):
    return place_at(crs, col, row, 32, **fields)


def _on(transform, height=32, width=32, crs=CRS):
    """A place on any grid, with the key of its corner."""
    key = make_key(crs, int(transform[2]), int(transform[5]))
    return Place(key, Grid(crs, transform, height, width), "train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("2020-02-29", True),
        ("2021-02-29", False),
        ("20200113", False),
        ("2020-W03-1", False),
        ("2020-1-13", False),
        ("2020-01-13T00:00:00", False),
        (20200113, False),
        (None, False),
    ],
)
def test_a_date_is_a_day_of_the_calendar_written_in_one_way(text, expected):
    assert is_date(text) is expected


def test_a_good_place_passes():
    check_place(_at(2304, date="2020-02-29", stratum="town"), 32)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (_at(2304, split="valid"), "split 'valid'; there are train, valid"),
        (_at(2304, date="13.1.2020"), "date '13.1.2020'; wanted is YYYY"),
        (_at(2304, stratum=3), "stratum 3, which is no text"),
        (
            dataclasses.replace(_at(2304), key="mine"),
            "key 'mine', but its grid makes it utm16n-737280-3520320",
        ),
        (
            _on((10.0, 0.0, 737285.0, 0.0, -10.0, 3520320.0)),
            "left=737285, top=3520320, off the lattice of 320 m",
        ),
        (
            _on((10.0, 0.0, 737290.0, 0.0, -10.0, 3520320.0)),
            "left=737290, top=3520320, off the lattice of 320 m",
        ),
        (
            _on((10.0, 0.0, 737280.5, 0.0, -10.0, 3520320.0)),
            "left=737280.5.* off the lattice",
        ),
        (
            _on((10.0, 0.0, 737280.0, 0.0, -10.0, 3520330.0)),
            "top=3520330, off the lattice",
        ),
        (
            _on((10.0, 0.0, 320e4, 0.0, -10.0, 3520320.0)),
            "outside its zone EPSG:32616",
        ),
        (
            _on((10.0, 0.0, 320e3, 0.0, -10.0, -320.0)),
            "outside its zone EPSG:32616",
        ),
        (
            _on((20.0, 0.0, 320e3, 0.0, -20.0, 3520320.0)),
            "wanted are pixels of 10 m, north up",
        ),
        (
            _on((10.0, 0.0, 320e3, 0.0, 10.0, 3520320.0)),
            "wanted are pixels of 10 m, north up",
        ),
        (
            _on((10.0, 0.0, 320e3, 0.0, -10.0, 3520320.0), width=64),
            "32 x 64 px, others 32",
        ),
        (
            dataclasses.replace(
                _at(2304),
                grid=Grid("EPSG:3857", _at(2304).grid.transform, 32, 32),
            ),
            "EPSG:3857' is no UTM zone",
        ),
    ],
)
def test_what_is_no_place_is_told_why(place, words):
    with pytest.raises(PlaceError, match=words):
        check_place(place, 32)


def test_errors_name_file_and_feature():
    good = [_at(2304), _at(2310, split="test")]
    check_places(good, RULE, "a.geojson")
    with pytest.raises(PlaceError, match="a.geojson: there is no place"):
        check_places([], RULE, "a.geojson")
    with pytest.raises(PlaceError, match="a.geojson, feature 2 has the spl"):
        check_places([good[0], _at(2310, split="")], RULE, "a.geojson")
    with pytest.raises(
        PlaceError, match="feature 3 has the key utm16n-.* of feature 1 again"
    ):
        check_places([*good, good[0]], RULE, "a.geojson")
    with pytest.raises(PlaceError, match="feature 2 has 16 x 16 px, others 32"):
        check_places([_at(2304), place_at(CRS, 9, 9, 16)], RULE, "a.geojson")


@pytest.mark.parametrize("rule", [{"gap_m": 3}, 7, {**RULE, "gap_m": -1}, {}])
def test_a_split_rule_that_is_none_is_refused(rule):
    with pytest.raises(PlaceError, match="a.geojson has the split_rule"):
        check_places([_at(2304)], rule, "a.geojson")


def test_splits_that_touch_are_found_in_each_zone():
    touching = [_at(2304), _at(2305, split="test")]
    check_places(touching, None, "a")  # by hand: a shared edge is no overlap
    with pytest.raises(SplitError, match="a: train tile utm16n-737280.*50"):
        check_places(touching, RULE, "a")
    # The same metres of two zones are different ground.
    apart = [_at(1500), _at(1501, split="test", crs="EPSG:32617")]
    check_places(apart, RULE, "a")


def test_a_place_at_the_border_of_its_zone_may_touch_the_next_zone():
    # 334 km off the middle, about 333 km is the border at 31.8 N: 284 km.
    beyond = _at((500_000 + 300_000) // 320)
    other = _at(1500, crs="EPSG:32617", split="test")
    with pytest.raises(SplitError, match="utm16n.*less than 25 m.*EPSG:32616"):
        check_places([beyond, other], RULE, "a")
    check_places([beyond], RULE, "a")
    train = dataclasses.replace(other, split="train")
    check_places([beyond, train], RULE, "a")
