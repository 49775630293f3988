import json
import math
import re

import numpy as np
import pyogrio.raw
import pytest
import rasterio.warp
import shapely

from data_prep.earth_engine.places.region import parse_region_box
from data_prep.earth_engine.places.region import read_region
from data_prep.earth_engine.places.region import region_in_zone
from data_prep.earth_engine.places.region import zones_of_region
from s2distill.errors import ConfigError
from s2distill.errors import VectorError

# Taveuni, Fiji: the antimeridian crosses the island.
TAVEUNI = [(179.85, -16.95), (180.05, -16.98), (180.2, -16.75), (179.95, -16.7)]


def _ring(points):
    return [[list(p) for p in (*points, points[0])]]


def _write(path, content):
    path.write_text(json.dumps(content))
    return path


def _polygon(points):
    return {"type": "Polygon", "coordinates": _ring(points)}


def _feature(geometry):
    return {
        "type": "Feature",
        "properties": {"name": "a"},
        "geometry": geometry,
    }


def _collection(*geometries):
    features = [_feature(geometry) for geometry in geometries]
    return {"type": "FeatureCollection", "features": features}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda g: g,
        _feature,
        _collection,
        lambda g: {"type": "GeometryCollection", "geometries": [g]},
        lambda g: _collection({"type": "Point", "coordinates": [0, 0]}, g),
        lambda g: {"type": "MultiPolygon", "coordinates": [g["coordinates"]]},
    ],
    ids=["geometry", "feature", "collection", "geometries", "point", "multi"],
)
def test_a_polygon_is_found_however_it_is_wrapped(tmp_path, wrap):
    points = [(-84.5, 33.1), (-83.9, 33.3), (-84.2, 33.9)]
    path = _write(tmp_path / "a.geojson", wrap(_polygon(points)))
    region = read_region(path)
    assert shapely.equals(region.geometry, shapely.Polygon(points))
    assert region.source == str(path)
    assert shapely.equals(
        shapely.from_geojson(json.dumps(region.to_json())), region.geometry
    )


def test_all_polygons_of_a_file_are_one_region_and_holes_stay(tmp_path):
    holed = _polygon([(0, 0), (3, 0), (3, 2), (0, 2)])
    holed["coordinates"] += _ring([(1, 0.5), (1.5, 0.5), (1.5, 1.5), (1, 1.5)])
    apart = _polygon([(10, 0), (11, 0), (11, 1), (10, 1)])
    region = read_region(
        _write(tmp_path / "a.geojson", _collection(holed, apart))
    )
    assert region.geometry.area == pytest.approx(6 - 0.5 + 1)


def test_a_ring_that_nobody_closed_is_closed(tmp_path):
    polygon = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [0, 2]]]}
    region = read_region(_write(tmp_path / "a.json", polygon))
    assert region.geometry.area == pytest.approx(2)


@pytest.mark.parametrize("way", ["past", "jump", "cut"])
def test_taveuni_is_small_in_every_way_of_writing_it(tmp_path, way):
    geometry = _polygon(TAVEUNI)
    if way == "jump":
        geometry = _polygon([(x - 360 * (x > 180), y) for x, y in TAVEUNI])
    if way == "cut":
        whole = shapely.Polygon(TAVEUNI)
        west = shapely.intersection(whole, shapely.box(179, -18, 180, -16))
        east = shapely.intersection(whole, shapely.box(180, -18, 181, -16))
        east = shapely.transform(east, lambda points: points - (360, 0))
        geometry = json.loads(
            shapely.to_geojson(shapely.MultiPolygon([west, east]))
        )
    region = read_region(_write(tmp_path / "a.geojson", geometry))
    assert region.geometry.area == pytest.approx(
        shapely.Polygon(TAVEUNI).area, abs=1e-9
    )
    assert zones_of_region(region) == ("EPSG:32701", "EPSG:32760")
    # The two zones together are the whole island: a sphere differs from the
    # ellipsoid, and UTM from true metres, by less than 1.5 %.
    area_m2 = sum(
        region_in_zone(region, crs).area for crs in zones_of_region(region)
    )
    x, y = np.array(TAVEUNI).T
    x_m = np.radians(x) * 6_378_137 * np.cos(np.radians(y))
    flat = shapely.Polygon(np.stack([x_m, np.radians(y) * 6_378_137], -1))
    assert area_m2 == pytest.approx(flat.area, rel=0.015)


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", "shp"])
def test_other_formats_and_projections_are_read(tmp_path, suffix):
    square = shapely.box(700_000, 3_700_000, 760_000, 3_730_000)
    path = tmp_path / f"a.{suffix}"
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array([square], dtype=object)),
        [],
        [],
        geometry_type="Polygon",
        crs="EPSG:32616",
    )
    region = read_region(path)
    # Over the border of zones 16 and 17 at 84 W, and back in its own metres.
    assert zones_of_region(region) == ("EPSG:32616",)
    back = region_in_zone(region, "EPSG:32616")
    assert shapely.hausdorff_distance(back, square) < 0.1
    assert back.area == pytest.approx(square.area, rel=1e-6)


def test_a_region_in_metres_over_the_antimeridian(tmp_path):
    square = shapely.box(790_000, 8_120_000, 850_000, 8_150_000)
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array([square], dtype=object)),
        [],
        [],
        geometry_type="Polygon",
        crs="EPSG:32760",
    )
    region = read_region(path)
    assert zones_of_region(region) == ("EPSG:32701", "EPSG:32760")
    back = region_in_zone(region, "EPSG:32760", margin_m=60_000)
    assert shapely.hausdorff_distance(back, square) < 0.1


def test_edges_are_straight_in_degrees_and_curved_in_metres(tmp_path):
    path = _write(
        tmp_path / "a.geojson",
        _polygon([(-90, 60), (-84, 60), (-84, 61), (-90, 61)]),
    )
    part = region_in_zone(read_region(path), "EPSG:32616")
    lon = np.linspace(-90, -84, 997)
    for lat in (60.0, 61.0):
        x, y = rasterio.warp.transform(
            "EPSG:4326", "EPSG:32616", lon, np.full(997, lat)
        )
        off_m = shapely.distance(part.boundary, shapely.points(x, y))
        assert off_m.max() < 0.2
    # A chord between the corners would miss the parallel by kilometres.
    sagitta_m = (
        math.radians(3) ** 2
        / 2
        * 6_378_137
        * math.cos(math.radians(60))
        * math.sin(math.radians(60))
    )
    x, y = rasterio.warp.transform("EPSG:4326", "EPSG:32616", [-87], [60])
    chord_y = part.bounds[1] + sagitta_m
    assert abs(part.bounds[1] - y[0]) < 1
    assert chord_y - y[0] > 3000


def test_zones_are_told_by_ground_and_not_by_box(tmp_path):
    # An L: its box touches zone 17 north and the south, its ground does not.
    shape = [(-91, -2), (-89, -2), (-89, 2), (-83, 2), (-83, 3), (-91, 3)]
    region = read_region(_write(tmp_path / "a.geojson", _polygon(shape)))
    assert zones_of_region(region) == (
        "EPSG:32615",
        "EPSG:32616",
        "EPSG:32617",
        "EPSG:32715",
        "EPSG:32716",
    )


def test_a_border_that_is_only_touched_is_no_ground():
    region = parse_region_box(("-90", "0", "-84", "2"))
    assert zones_of_region(region) == ("EPSG:32616",)


def test_the_parts_of_zones_end_at_their_borders_or_at_the_margin():
    region = parse_region_box(("-95", "-1", "-80", "1"))
    part = region_in_zone(region, "EPSG:32616")
    left, bottom, right, top = part.bounds
    # Half a zone at the equator is 333.98 km; a degree of latitude 110.57 km,
    # times 0.9996 and, 334 km off the middle, 1 + (334 / 6378)^2 / 2.
    assert (left, right) == pytest.approx((166_021, 833_979), abs=1)
    assert (bottom, top) == pytest.approx((0, 110_684), abs=10)
    wide = region_in_zone(region, "EPSG:32616", margin_m=4000)
    assert wide.bounds[0] < left - 4000
    assert wide.bounds[1] == pytest.approx(-4000, abs=30)
    assert region_in_zone(region, "EPSG:32640").is_empty


@pytest.mark.parametrize(
    ("box", "area", "zones"),
    [
        (("-85", "33", "-84", "34.5"), 1.5, ("EPSG:32616",)),
        (("179.5", "-17", "-179.5", "-16"), 1.0, ("EPSG:32701", "EPSG:32760")),
        (("-10", "1", "-20", "2"), 350.0, None),
        (("-180", "-80", "180", "84"), 360 * 164, None),
    ],
)
def test_a_box_may_cross_the_antimeridian(box, area, zones):
    region = parse_region_box(box)
    assert region.geometry.area == pytest.approx(area)
    assert zones is None or zones_of_region(region) == zones


def test_a_box_around_the_earth_touches_all_zones():
    region = parse_region_box(("-180", "-1", "180", "1"))
    assert len(zones_of_region(region)) == 120


@pytest.mark.parametrize(
    ("box", "error", "words"),
    [
        (("1", "2", "3"), ConfigError, "--region_box=1,2,3: wanted are four"),
        (("a", "2", "3", "4"), ConfigError, "wanted are four numbers"),
        (("1", "4", "3", "2"), ConfigError, "south must be below north"),
        (("1", "2", "1", "4"), ConfigError, "west and east differ"),
        (("1", "2", "190", "4"), ConfigError, "within -180..180"),
        (("nan", "2", "3", "4"), ConfigError, "within -180..180"),
        (("1", "2", "3", "85"), VectorError, "--region_box.*2 to 85 degrees"),
        (("1", "-90", "3", "5"), VectorError, "UTM.*ends at -80 and 84"),
        (("180", "1", "-180", "5"), VectorError, "no polygon with an area"),
    ],
)
def test_a_box_that_is_none_is_refused_in_one_line(box, error, words):
    with pytest.raises(error, match=words) as caught:
        parse_region_box(box)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1', "cut|recognized"),
        ('{"a": 1}', "cannot be read as a vector file"),
        ("", "cannot be read as a vector file"),
        (_collection(), "no polygon with an area .nothing found"),
        ({"type": "Point", "coordinates": [1, 2]}, r"area \(Point found"),
        (_feature(None), "no polygon with an area"),
        (_polygon([(0, 0), (1, 1), (2, 2)]), r"no polygon with an area"),
        (
            _polygon([(-180, -60), (180, -60), (180, 60), (-180, 60)]),
            "more than 180 degrees.*short way round",
        ),
        (
            _polygon([(737e3, 3736e3), (738e3, 3736e3), (738e3, 3737e3)]),
            "737000, 3.736e.06 is no longitude and latitude",
        ),
        (_polygon([(0, 80), (1, 80), (1, 86)]), "80 to 86 degrees.*cut it"),
        (_polygon([(0, -79), (1, -79), (1, -81)]), "-81 to -79 deg.*UTM"),
        (_polygon([(0, 80), (120, 80), (-120, 80)]), "runs round a pole"),
    ],
)
def test_a_file_that_is_no_region_is_refused_in_one_line(
    tmp_path, content, words
):
    path = tmp_path / "area.geojson"
    path.write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    with pytest.raises(VectorError, match=f"area.geojson.*({words})") as caught:
        read_region(path)
    assert "\n" not in str(caught.value)


def test_a_table_without_position_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,area\na,3\n")
    with pytest.raises(VectorError, match="a.csv has no geometry"):
        read_region(path)
    path.write_text('WKT\n"POLYGON ((0 0, 1 0, 1 1, 0 0))"\n')
    with pytest.raises(VectorError, match="a.csv has no CRS"):
        read_region(path)
    missing = tmp_path / "none.geojson"
    with pytest.raises(VectorError, match=re.escape(str(missing))):
        read_region(missing)


def test_a_region_in_a_bucket_is_read(tmp_path):
    import tensorflow as tf

    path = f"ram://bucket/{tmp_path.name}.geojson"
    with tf.io.gfile.GFile(path, "w") as file:
        file.write(json.dumps(_polygon(TAVEUNI)))
    assert read_region(path).geometry.area == pytest.approx(
        shapely.Polygon(TAVEUNI).area
    )
    with pytest.raises(VectorError, match="ram://bucket/none.*cannot be read"):
        read_region("ram://bucket/none")
