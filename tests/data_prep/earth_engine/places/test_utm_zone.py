import numpy as np
import pytest
import rasterio.warp

from data_prep.earth_engine.places.utm_zone import format_utm
from data_prep.earth_engine.places.utm_zone import is_within_zone
from data_prep.earth_engine.places.utm_zone import middle_of_zone_deg
from data_prep.earth_engine.places.utm_zone import move_points
from data_prep.earth_engine.places.utm_zone import parse_utm
from data_prep.earth_engine.places.utm_zone import zone_half_width_m
from s2distill.errors import PlaceError


def test_codes_are_those_of_epsg_and_come_back():
    assert format_utm(7, south=False) == "EPSG:32607"
    assert format_utm(60, south=True) == "EPSG:32760"
    for zone in range(1, 61):
        for south in (False, True):
            assert parse_utm(format_utm(zone, south=south)) == (zone, south)


@pytest.mark.parametrize(
    "crs", ["EPSG:32600", "EPSG:32661", "EPSG:4326", "EPSG:326016", "", "x", 3]
)
def test_anything_else_is_no_zone(crs):
    with pytest.raises(PlaceError, match="is no UTM zone; EPSG:32601"):
        parse_utm(crs)


def test_the_middle_of_a_zone_is_where_x_is_half_a_million_metres():
    for zone in (1, 16, 31, 60):
        point = np.array([[middle_of_zone_deg(zone), 41.0]])
        x = move_points(point, "EPSG:4326", format_utm(zone, south=False))[0, 0]
        assert x == pytest.approx(500_000, abs=1e-3)


@pytest.mark.parametrize("zone", [1, 17, 60])
@pytest.mark.parametrize("south", [False, True])
def test_the_border_of_a_zone_is_three_degrees_from_its_middle(zone, south):
    crs = format_utm(zone, south=south)
    lat = np.random.default_rng(0).uniform(0, 84 - 4 * south, 50)
    lat = -lat if south else lat
    for side in (-3.0, 3.0):
        border = np.stack(
            [np.full(50, middle_of_zone_deg(zone) + side), lat], axis=-1
        )
        x, y = move_points(border, "EPSG:4326", crs).T
        # A straight line between points 1.1 km apart bends by 1.3 mm.
        np.testing.assert_allclose(
            zone_half_width_m(crs, y), np.abs(x - 5e5), atol=2e-3
        )


def test_points_come_back_from_another_crs():
    points = np.array([[-84.4, 33.7], [-85.1, 34.2], [-81.0, 12.0]])
    there = move_points(points, "EPSG:4326", "EPSG:32616")
    assert there.shape == (3, 2)
    back = move_points(there, "EPSG:32616", "EPSG:4326")
    np.testing.assert_allclose(back, points, atol=1e-9)


def _is_within_by_corners(crs, box, margin):
    """Twin: many points around the grown box, each in its zone."""
    left, bottom, right, top = box + margin * np.array([-1, -1, 1, 1])
    along = np.linspace(0, 1, 40)
    points = np.concatenate(
        [
            np.stack([left + (right - left) * along, along * 0 + y], -1)
            for y in (bottom, top)
        ]
        + [
            np.stack([along * 0 + x, bottom + (top - bottom) * along], -1)
            for x in (left, right)
        ]
    )
    lon, lat = rasterio.warp.transform(crs, "EPSG:4326", *points.T)
    zone, south = parse_utm(crs)
    off = (np.array(lon) - middle_of_zone_deg(zone) + 180) % 360 - 180
    lat = np.array(lat)
    return np.abs(off).max() <= 3 and (lat <= 0 if south else lat >= 0).all()


@pytest.mark.parametrize("crs", ["EPSG:32616", "EPSG:32701", "EPSG:32660"])
def test_boxes_near_a_border_are_told_from_those_clear_of_it(crs):
    rng = np.random.default_rng(1)
    _, south = parse_utm(crs)
    y = rng.uniform(0, 8e6, 400)
    y[::4] = rng.uniform(-3000, 3000, 100)  # about the equator
    y = 1e7 - y if south else y
    side = rng.choice([-1, 1], 400)
    reach = zone_half_width_m(crs, y)
    reach[::4] = rng.uniform(0, 3e5, 100)
    x = 5e5 + side * (reach + rng.uniform(-3000, 3000, 400))
    boxes = np.stack([x, y, x + 1700, y + 900], axis=-1)
    found = is_within_zone(crs, boxes, margin_m=250.0)
    wanted = [_is_within_by_corners(crs, box, 250.0) for box in boxes]
    assert 40 < np.count_nonzero(wanted) < 360
    np.testing.assert_array_equal(found, wanted)
