import json
import math

import numpy as np
import pyogrio.raw
import pytest
import rasterio.warp
import shapely

from data_prep.earth_engine.places import place_candidates
from data_prep.earth_engine.places.place_candidates import NEAR_ZONE_BORDER
from data_prep.earth_engine.places.place_candidates import Squares
from data_prep.earth_engine.places.place_candidates import find_squares
from data_prep.earth_engine.places.region import parse_region_box
from data_prep.earth_engine.places.region import read_region
from data_prep.earth_engine.places.region import region_in_zone
from data_prep.earth_engine.places.region import zones_of_region
from data_prep.earth_engine.places.utm_zone import middle_of_zone_deg
from data_prep.earth_engine.places.utm_zone import parse_utm
from s2distill.errors import ConfigError
from s2distill.errors import PlaceError

CRS = "EPSG:32616"


def _region_of(path, geometry, crs=CRS):
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array([geometry], dtype=object)),
        [],
        [],
        geometry_type=geometry.geom_type,
        crs=crs,
    )
    return read_region(path)


def _pairs(squares):
    return set(zip(squares.cols.tolist(), squares.rows.tolist(), strict=True))


@pytest.mark.parametrize("tile_px", [8, 32, 45])
@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ("whole", 29 * 17),
        ("centre", 30 * 17),
        ("touch", 31 * 18),
    ],
)
def test_a_rectangle_in_utm_holds_as_many_squares_as_it_must(
    tmp_path, tile_px, coverage, expected
):
    side = 10 * tile_px
    left, bottom = 600_000 // side * side, 3_600_000 // side * side
    # From 0.45 of a square left of a lattice line to 29.8 right of it: 29
    # whole squares, 30 centres, 31 touched; upwards 17, 17 and 18.
    box = shapely.box(
        left - 0.45 * side, bottom, left + 29.8 * side, bottom + 17.25 * side
    )
    region = _region_of(tmp_path / "a.gpkg", box)
    (squares,), dropped = find_squares(region, tile_px, coverage, gap_m=50)
    assert squares.cols.size == expected
    assert dropped == {}
    assert squares.crs == CRS


def test_a_region_drawn_on_the_lattice_keeps_its_border_squares(tmp_path):
    box = shapely.box(
        640_000, 3_200_000, 640_000 + 5 * 320, 3_200_000 + 7 * 320
    )
    region = _region_of(tmp_path / "a.gpkg", box)
    for coverage in ("whole", "centre", "touch"):
        (squares,), _ = find_squares(region, 32, coverage, gap_m=0)
        assert _pairs(squares) == {
            (2000 + i, 10_000 + j) for i in range(5) for j in range(7)
        }


def _odd_polygon():
    """A star with a hole and an island in it, many squares across."""
    rng = np.random.default_rng(3)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 41))
    radius = rng.uniform(9_000, 31_000, 41)
    shell = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    hole = np.array([(-4000, -3000), (3500, -4100), (2500, 3300)])
    centre = np.array([612_345.0, 3_712_345.0])
    star = shapely.make_valid(shapely.Polygon(shell + centre, [hole + centre]))
    island = shapely.Point(centre).buffer(900)
    return shapely.union_all([star, island])


@pytest.mark.parametrize("coverage", ["whole", "centre", "touch"])
@pytest.mark.parametrize("tile_px", [32, 50])
def test_an_odd_polygon_with_a_hole_holds_what_shapely_says_one_by_one(
    tmp_path, coverage, tile_px
):
    polygon = _odd_polygon()
    region = _region_of(tmp_path / "a.gpkg", polygon)
    (squares,), _ = find_squares(region, tile_px, coverage, gap_m=50)
    side = 10 * tile_px
    low = np.floor(np.array(polygon.bounds[:2]) / side).astype(int) - 1
    high = np.ceil(np.array(polygon.bounds[2:]) / side).astype(int) + 1
    cols, rows = np.meshgrid(
        np.arange(low[0], high[0]), np.arange(low[1], high[1])
    )
    boxes = shapely.box(
        cols * side, rows * side, (cols + 1) * side, (rows + 1) * side
    )
    if coverage == "whole":
        held = shapely.contains(polygon, boxes)
    elif coverage == "centre":
        held = shapely.contains(polygon, shapely.centroid(boxes))
    else:
        held = shapely.intersects(polygon, boxes)
    # The region went to degrees and back: within a metre of its edge either
    # answer is right.
    edge = shapely.distance(polygon.boundary, boxes)
    if coverage == "centre":
        edge = shapely.distance(polygon.boundary, shapely.centroid(boxes))
    inner = shapely.distance(polygon.boundary, shapely.boundary(boxes))
    sure = np.minimum(edge, inner) > 1 if coverage != "centre" else edge > 1
    sure |= (
        (edge == 0)
        & (coverage == "whole")
        & ~shapely.covers(polygon.buffer(1), boxes)
    )
    sure |= (
        (edge == 0)
        & (coverage == "touch")
        & shapely.intersects(polygon.buffer(-1), boxes)
    )
    found = np.zeros(held.shape, bool)
    found[squares.rows - low[1], squares.cols - low[0]] = True
    assert np.count_nonzero(~sure) < 0.02 * np.count_nonzero(held)
    np.testing.assert_array_equal(found[sure], held[sure])
    assert np.count_nonzero(held) > 3000


def test_squares_come_row_by_row_and_once(tmp_path):
    region = _region_of(tmp_path / "a.gpkg", _odd_polygon())
    (squares,), _ = find_squares(region, 32, "whole", gap_m=50)
    order = squares.rows * 10**6 + squares.cols
    assert (np.diff(order) > 0).all()


def test_a_region_is_its_polygon_and_not_its_box(tmp_path):
    triangle = {
        "type": "Polygon",
        "coordinates": [[[-86, 33], [-85.5, 33], [-86, 33.5], [-86, 33]]],
    }
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(triangle))
    (in_polygon,), _ = find_squares(read_region(path), 32, "centre", gap_m=50)
    box = parse_region_box(("-86", "33", "-85.5", "33.5"))
    (in_box,), _ = find_squares(box, 32, "centre", gap_m=50)
    # Longitudes shrink northwards, so a little more than half.
    assert in_polygon.cols.size / in_box.cols.size == pytest.approx(
        0.5, abs=0.002
    )
    assert _pairs(in_polygon) < _pairs(in_box)


def _lon_lat_of_centres(squares):
    x, y = (np.stack([squares.cols, squares.rows]) + 0.5) * squares.tile_m
    lon, lat = rasterio.warp.transform(squares.crs, "EPSG:4326", x, y)
    return np.array(lon), np.array(lat)


@pytest.mark.parametrize(
    ("box", "zones"),
    [
        (("-84.1", "33", "-83.9", "33.1"), ("EPSG:32616", "EPSG:32617")),
        (("-85.1", "-0.1", "-85", "0.1"), ("EPSG:32616", "EPSG:32716")),
        (("179.9", "-17", "-179.9", "-16.9"), ("EPSG:32701", "EPSG:32760")),
        (("5.9", "-0.1", "6.1", "0.1"), None),
    ],
    ids=["two zones", "equator", "Taveuni", "four zones"],
)
def test_each_square_is_in_the_zone_of_its_centre_and_clear_of_the_border(
    box, zones
):
    region = parse_region_box(box)
    found, dropped = find_squares(region, 32, "whole", gap_m=100)
    assert zones is None or tuple(s.crs for s in found) == zones
    assert len(found) == (4 if zones is None else 2)
    footprints = []
    for squares in found:
        assert squares.cols.size > 100
        zone, south = parse_utm(squares.crs)
        lon, lat = _lon_lat_of_centres(squares)
        off = (lon - middle_of_zone_deg(zone) + 180) % 360 - 180
        assert np.abs(off).max() < 3
        assert ((lat < 0) == south).all()
        bounds = squares.bounds
        points = bounds[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
        moved = rasterio.warp.transform(
            squares.crs, "EPSG:4326", *points.reshape(-1, 2).T
        )
        corners = np.stack(moved, -1).reshape(-1, 4, 2)
        corners[..., 0] %= 360
        footprints.append(shapely.polygons(corners))
    # Ground of two zones is at least the gap apart: in degrees at its
    # latitude, where a degree of longitude is the shorter.
    degree_m = 111_000 * np.cos(np.radians(17.1 if "179.9" in box else 34))
    for i, one in enumerate(footprints):
        tree = shapely.STRtree(one)
        for other in footprints[i + 1 :]:
            _, near = tree.query_nearest(other, return_distance=True)
            assert near.min() * degree_m > 100 * 0.7
            assert near.min() * degree_m < 1500
    assert dropped[NEAR_ZONE_BORDER] > 20


def test_no_square_is_lost_or_counted_twice_at_a_border():
    region = parse_region_box(("-84.1", "33", "-83.9", "33.1"))
    found, dropped = find_squares(region, 32, "centre", gap_m=100)
    number = 0
    for squares in found:
        cols, rows = np.meshgrid(
            np.arange(squares.cols.min() - 60, squares.cols.max() + 60),
            np.arange(squares.rows.min() - 60, squares.rows.max() + 60),
        )
        every = Squares(squares.crs, 32, cols.ravel(), rows.ravel())
        lon, lat = _lon_lat_of_centres(every)
        zone, _ = parse_utm(squares.crs)
        number += np.count_nonzero(
            (np.abs(lon - middle_of_zone_deg(zone)) < 3)
            & (np.abs(lon + 84) < 0.1)
            & (lat > 33)
            & (lat < 33.1)
        )
    kept = sum(squares.cols.size for squares in found)
    assert kept + dropped[NEAR_ZONE_BORDER] == number


def test_the_number_near_a_border_is_that_of_a_closed_form():
    # At the equator the border is a straight line along the lattice: of each
    # column one square a side grows over it.
    region = parse_region_box(("-87.2", "-0.1", "-86.8", "0.1"))
    found, dropped = find_squares(region, 32, "whole", gap_m=50)
    columns = [np.unique(squares.cols).size for squares in found]
    # 0.2 degrees of the equator at the scale of the middle of a zone.
    half_m = math.radians(0.2) * 6_378_137 * 0.9996
    first, end = (500_000 - half_m) / 320, (500_000 + half_m) / 320
    expected = math.floor(end) - math.ceil(first)
    assert columns == [expected, expected]
    assert dropped == {NEAR_ZONE_BORDER: 2 * expected}
    # Without a gap, squares that end at the equator are clear of it.
    _, none = find_squares(region, 32, "whole", gap_m=0)
    assert none == {}


def test_no_two_squares_of_a_zone_overlap(tmp_path):
    region = _region_of(tmp_path / "a.gpkg", _odd_polygon())
    (squares,), _ = find_squares(region, 32, "touch", gap_m=50)
    assert len(_pairs(squares)) == squares.cols.size
    left, bottom, right, top = squares.bounds.T
    assert (left % 320 == 0).all()
    assert (top % 320 == 0).all()
    assert (right - left == 320).all()
    assert (top - bottom == 320).all()


def test_squares_are_chosen_by_mask_or_position():
    squares = Squares(CRS, 7, np.array([4, 5, 9]), np.array([1, 2, 3]))
    assert _pairs(squares.chosen(np.array([True, False, True]))) == {
        (4, 1),
        (9, 3),
    }
    assert _pairs(squares.chosen(np.array([1]))) == {(5, 2)}
    np.testing.assert_array_equal(
        squares.bounds[1], [5 * 70, 2 * 70, 6 * 70, 3 * 70]
    )


def test_the_area_says_how_many_squares_there_are():
    region = parse_region_box(("-86", "32", "-85", "33"))
    (squares,), _ = find_squares(region, 32, "centre", gap_m=50)
    area_m2 = region_in_zone(region, zones_of_region(region)[0]).area
    assert squares.cols.size == pytest.approx(area_m2 / 320**2, rel=1e-3)


def test_too_many_squares_are_refused_before_they_are_counted_out(monkeypatch):
    world = parse_region_box(("-180", "-80", "180", "84"))
    with pytest.raises(PlaceError, match="--region_box.*km2.*--tile_px"):
        find_squares(world, 32, "whole", gap_m=50)
    monkeypatch.setattr(place_candidates, "MAX_CANDIDATES", 1000)
    region = parse_region_box(("-86", "32", "-85.8", "32.2"))
    with pytest.raises(PlaceError, match="more than 1,000; give a larger"):
        find_squares(region, 32, "whole", gap_m=50)
    find_squares(region, 128, "whole", gap_m=50)


def test_a_square_without_side_is_refused():
    region = parse_region_box(("-86", "32", "-85.8", "32.2"))
    with pytest.raises(ConfigError, match="--tile_px=0 must be at least 1"):
        find_squares(region, 0, "whole", gap_m=50)
