import json

import numpy as np
import pyogrio.raw
import pytest
import shapely

from s2distill.errors import VectorError
from s2distill.geo.vector import read_features
from s2distill.geo.vector import read_lines_or_polygons

UTM = "EPSG:32616"


def _write(path, shapes, *, crs=UTM, heights=None, kind="Unknown"):
    heights = list(range(len(shapes))) if heights is None else heights
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [np.array(heights, dtype=object)]
        if any(isinstance(h, str) for h in heights)
        else [np.array(heights, float)],
        ["height"],
        geometry_type=kind,
        crs=crs,
    )
    return path


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb"])
def test_polygons_come_back_from_any_format(tmp_path, suffix):
    boxes = [shapely.box(10, 20, 30, 50), shapely.box(40, 20, 44, 29)]
    path = _write(tmp_path / f"a.{suffix}", boxes, kind="Polygon")
    found = read_features(path, UTM, value_field="height")
    areas = sorted(shapely.area(found.geometries))
    assert areas == pytest.approx([36, 600])
    assert sorted(found.values) == [0, 1]
    assert found.repaired == 0


def test_longitude_and_latitude_become_metres(tmp_path):
    # One degree of latitude is about 110.9 km at 33.7 N.
    box = shapely.box(-84.45, 33.70, -84.449, 33.71)
    path = _write(
        tmp_path / "a.geojson", [box], crs="EPSG:4326", kind="Polygon"
    )
    found = read_features(path, UTM)
    left, bottom, _, top = found.geometries[0].bounds
    assert 730_000 < left < 740_000
    assert 3_730_000 < bottom < 3_734_000
    assert top - bottom == pytest.approx(1109, rel=0.01)


def test_a_bow_tie_is_mended_and_counted(tmp_path):
    bow = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
    path = _write(tmp_path / "a.gpkg", [bow, shapely.box(9, 9, 10, 10)])
    found = read_features(path, UTM)
    assert found.repaired == 1
    assert shapely.is_valid(found.geometries).all()
    assert shapely.area(found.geometries[0]) == pytest.approx(8)


def test_what_cannot_be_used_is_counted_by_reason(tmp_path):
    flat = shapely.Polygon([(0, 0), (4, 4), (0, 0)])
    path = _write(
        tmp_path / "a.gpkg",
        [flat, shapely.Point(1, 1), shapely.box(0, 0, 1, 1)],
    )
    found = read_features(path, UTM, value_field="height")
    assert found.dropped == {"broken beyond repair": 1, "is a Point": 1}
    assert list(found.values) == [2.0]


def test_a_height_that_is_no_number_is_unknown(tmp_path):
    boxes = [shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1)]
    path = _write(tmp_path / "a.gpkg", boxes, heights=["12.5", "tall"])
    values = read_features(path, UTM, value_field="height").values
    assert values[0] == 12.5
    assert np.isnan(values[1])


def test_roads_may_be_lines_or_polygons(tmp_path):
    shapes = [shapely.LineString([(0, 0), (5, 5)]), shapely.box(0, 0, 1, 1)]
    path = _write(tmp_path / "a.gpkg", shapes)
    found = read_lines_or_polygons(path, UTM, width_field="height")
    assert len(found.geometries) == 2


def test_real_polygons_of_atlanta_are_all_usable(real_data):
    path = (
        real_data("solaris-tutorials-mvoi") / "MVOI_nadir10_test_sample.geojson"
    )
    found = read_features(path, UTM)
    assert len(found.geometries) == 186
    # SOURCES.md: 19.6 % of 900 x 900 pixels of 0.25 square metres.
    covered = shapely.area(shapely.union_all(found.geometries))
    assert covered / 450**2 == pytest.approx(0.196, abs=0.002)


def test_errors_name_the_file_and_the_way_out(tmp_path):
    good = _write(tmp_path / "a.gpkg", [shapely.box(0, 0, 1, 1)])
    with pytest.raises(VectorError, match="a.gpkg has no field 'storeys'"):
        read_features(good, UTM, value_field="storeys")
    points = _write(tmp_path / "p.gpkg", [shapely.Point(0, 0)])
    with pytest.raises(VectorError, match="no usable .*is a Point"):
        read_features(points, UTM)
    with pytest.raises(VectorError, match="none.gpkg cannot be read"):
        read_features(tmp_path / "none.gpkg", UTM)
    nowhere = tmp_path / "n.csv"
    nowhere.write_text('WKT\n"POLYGON ((0 0, 1 0, 1 1, 0 0))"\n')
    with pytest.raises(VectorError, match="says no CRS"):
        read_features(nowhere, UTM)
    empty = tmp_path / "e.geojson"
    empty.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    with pytest.raises(VectorError, match="the file is empty"):
        read_features(empty, UTM)
