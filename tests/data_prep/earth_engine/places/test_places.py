import json
import re

import numpy as np
import pyogrio.raw
import pytest
import shapely

from data_prep.earth_engine.places.places import Place
from data_prep.earth_engine.places.places import make_key
from data_prep.earth_engine.places.places import place_at
from data_prep.earth_engine.places.places import read_places
from data_prep.earth_engine.places.places import write_places
from data_prep.earth_engine.places.utm_zone import move_points
from data_prep.split import SplitRule
from s2distill.errors import OutputError
from s2distill.errors import PlaceError
from s2distill.errors import SplitError

RULE = SplitRule(
    block_m=1000, gap_m=50, validation_share=0.2, test_share=0.2
).to_json()
REGION = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}


def _places():
    return [
        place_at("EPSG:32616", 2304, 11_000, 32, date="2020-02-29"),
        place_at("EPSG:32760", 1800, 25_000, 32, split="test", stratum="ö"),
        place_at("EPSG:32616", 2310, 11_003, 32, split="validation"),
    ]


def _write(path, places=None, **members):
    members = {"split_rule": RULE, **members}
    write_places(path, _places() if places is None else places, **members)
    return path


def test_places_come_back_as_they_were_in_their_order(tmp_path):
    places = [
        *_places(),
        Place(
            make_key("EPSG:32616", 640_000, 3_200_000),
            place_at("EPSG:32616", 2000, 9999, 32).grid,
            "train",
            properties={"name": "mill", "built_up": 0.25},
        ),
    ]
    path = _write(
        tmp_path / "new" / "p.geojson",
        places,
        region=REGION,
        dropped={"between two splits": 7},
        provenance={"program": "tests"},
    )
    found = read_places(path)
    assert found.places == tuple(places)
    assert found.tile_px == 32
    assert found.split_rule == RULE
    assert found.region == REGION
    assert found.dropped == {"between two splits": 7}
    assert found.provenance == {"program": "tests"}


def test_a_file_without_extras_has_none(tmp_path):
    found = read_places(_write(tmp_path / "p.geojson", split_rule=None))
    assert (found.split_rule, found.region) == (None, None)
    assert (found.dropped, found.provenance) == ({}, {})


def test_map_programs_see_polygons_where_the_grids_are(tmp_path):
    path = _write(tmp_path / "p.geojson")
    meta, _, wkb, fields = pyogrio.raw.read(path)
    assert meta["crs"] == "EPSG:4326"
    keys = fields[list(meta["fields"]).index("key")]
    assert list(keys) == [place.key for place in _places()]
    for place, polygon in zip(_places(), shapely.from_wkb(wkb), strict=True):
        # 0.1024 square kilometres, in degrees at its latitude.
        lat = np.radians(polygon.centroid.y)
        area_km2 = polygon.area * 111.32**2 * np.cos(lat)
        assert area_km2 == pytest.approx(0.1024, rel=0.01)
        assert polygon.exterior.is_ccw, place.key


def test_a_square_over_the_antimeridian_is_two_small_ones(tmp_path):
    border = np.array([[180.0, -17.0]])
    x, y = move_points(border, "EPSG:4326", "EPSG:32760")[0]
    place = place_at("EPSG:32760", x // 320, y // 320, 32)
    path = _write(tmp_path / "p.geojson", [place])
    geometry = json.loads(path.read_text())["features"][0]["geometry"]
    assert geometry["type"] == "MultiPolygon"
    shape = shapely.from_geojson(json.dumps(geometry))
    assert shape.area < 1e-5
    assert shape.bounds[0] == -180
    assert shape.bounds[2] == 180
    assert read_places(path).places == (place,)


def test_the_bytes_depend_on_nothing_but_the_places(tmp_path):
    one, two = _write(tmp_path / "a"), _write(tmp_path / "b")
    assert one.read_bytes() == two.read_bytes()
    # A head, a line for each place, an end.
    assert one.read_text().count("\n") == len(_places()) + 2


def test_places_travel_through_a_bucket(tmp_path):
    path = f"ram://bucket/{tmp_path.name}/places.geojson"
    _write(path)
    assert read_places(path).places == tuple(_places())
    with pytest.raises(PlaceError, match="ram://bucket/none cannot be read"):
        read_places("ram://bucket/none")


def test_nothing_is_left_of_places_that_cannot_be_written(tmp_path):
    path = tmp_path / "p.geojson"
    with pytest.raises(PlaceError, match="p.geojson: there is no place"):
        write_places(path, [], split_rule=RULE)
    with pytest.raises(PlaceError, match="of feature 1 again"):
        _write(path, [*_places(), _places()[0]])
    near = place_at("EPSG:32616", 2305, 11_000, 32, split="test")
    with pytest.raises(SplitError, match="less than 50"):
        _write(path, [*_places(), near])
    assert list(tmp_path.iterdir()) == []
    path.mkdir()
    with pytest.raises(OutputError, match="cannot write .*p.geojson"):
        _write(path)


def _edit(path, change):
    content = json.loads(path.read_text())
    content = change(content) or content
    path.write_text(json.dumps(content))


def _set(name, value, feature=1):
    def change(content):
        content["features"][feature]["properties"][name] = value

    return change


def _remove(name):
    def change(content):
        del content["features"][1]["properties"][name]

    return change


def _drop_member(name):
    def change(content):
        del content[name]

    return change


def _append_copy(content):
    content["features"].append(content["features"][0])


def _move_polygon(content):
    for point in content["features"][1]["geometry"]["coordinates"][0]:
        point[0] += 0.001


def _break_polygon(content):
    content["features"][1]["geometry"]["coordinates"] = [[["a"]]]


def _set_feature(value):
    def change(content):
        content["features"][1] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_append_copy, "feature 4 has the key utm16n-737280.* feature 1 again"),
        (_set("left", 576_010), "feature 2 .*left=576010.* off the lattice"),
        (_set("left", 576_000.5), "feature 2 has left=576000.5.*whole number"),
        (_set("top", "8000320"), "feature 2 has top='8000320'.*whole number"),
        (_set("top", True), "feature 2 has top=True; wanted is a whole"),
        (_set("top", float("nan")), "feature 2 has top=nan"),
        (_set("left", 10**400), "feature 2 has left=.*"),
        (_set("tile_px", 0), "feature 2 has tile_px=0"),
        (_set("tile_px", 16), "feature 2 has 16 x 16 px, others 32"),
        (_set("crs", "EPSG:4326"), "feature 2 .*'EPSG:4326' is no UTM zone"),
        (_set("crs", ["a"]), "feature 2 .*is no UTM zone"),
        (_set("key", "utm16n-1-1"), "feature 2 has the key 'utm16n-1-1'"),
        (_set("key", ["a"]), "feature 2 has the key .'a'."),
        (_set("split", "tset"), "feature 2 has the split 'tset'; there are"),
        (_set("split", None), "feature 2 has the split None"),
        (_set("date", "2020-13-01"), "feature 2 has the date '2020-13-01'"),
        (_set("stratum", None), "feature 2 has the stratum None"),
        (_remove("key"), "feature 2 has no property 'key': it is no place"),
        (_remove("crs"), "feature 2 has no property 'crs'"),
        (_set_feature(None), "feature 2 has no property 'key'"),
        (_set_feature({"properties": [1]}), "feature 2 has no property"),
        (_move_polygon, r"feature 2 \(utm60s-.* polygon elsewhere than its"),
        (_break_polygon, r"feature 2 .*polygon elsewhere"),
        (lambda c: c.update(tile_px=16), "says tile_px=16, its places .* 32"),
        (lambda c: c.update(split_rule=[1]), "has the split_rule .1., which"),
        (lambda c: c.update(features=[]), "there is no place"),
        (lambda c: c.update(features={}), "is no places file.*'features'"),
        (_drop_member("tile_px"), "is no places file: it has no 'tile_px'"),
        (_drop_member("split_rule"), "no 'split_rule'.*map programs"),
        (lambda c: [1], "is no places file: it has no 'features'"),
        (lambda c: {"type": "FeatureCollection", "features": []}, "no 'tile"),
    ],
)
def test_a_file_that_was_changed_is_refused_in_one_line(
    tmp_path, change, words
):
    path = _write(tmp_path / "p.geojson")
    _edit(path, change)
    with pytest.raises(PlaceError, match=f"p.geojson.*{words}") as caught:
        read_places(path)
    assert "\n" not in str(caught.value)


def test_a_split_changed_by_hand_is_found_where_it_leaks(tmp_path):
    near = place_at("EPSG:32616", 2305, 11_000, 32)
    path = _write(tmp_path / "p.geojson", [*_places(), near])
    _edit(path, _set("split", "test", feature=3))
    with pytest.raises(SplitError, match="p.geojson: train tile utm16n-737280"):
        read_places(path)


def test_a_polygon_may_be_absent(tmp_path):
    path = _write(tmp_path / "p.geojson")

    def change(content):
        content["features"][0]["geometry"] = None

    _edit(path, change)
    assert read_places(path).places == tuple(_places())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is cut or no JSON"),
        (b'{"type": "FeatureCollection", "featu', "is cut or no JSON"),
        (b"\xff\xfe\x00", "cannot be read as text"),
        (b"[" * 100_000, "is cut or no JSON"),
        (b"3", "is no places file"),
    ],
)
def test_what_is_no_json_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "p.geojson"
    path.write_bytes(content)
    with pytest.raises(PlaceError, match=f"p.geojson.*{words}") as caught:
        read_places(path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path):
    whole = _write(tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    for length in np.linspace(0, len(whole) - 3, 40).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(PlaceError, match="cut is cut or no JSON"):
            read_places(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.geojson"
    with pytest.raises(PlaceError, match=f"{re.escape(str(path))} cannot be"):
        read_places(path)
