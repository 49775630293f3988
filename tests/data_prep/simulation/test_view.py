import numpy as np
import pytest

from data_prep.simulation.light import Sun
from data_prep.simulation.render import Painting
from data_prep.simulation.view import View
from data_prep.simulation.view import draw_view
from data_prep.simulation.view import render_view
from data_prep.simulation.view import source_levels


def _block(height_m):
    surface = np.zeros((60, 80), np.float32)
    surface[20:40, 30:50] = height_m
    return surface


def _inside(margin):
    return np.s_[margin:-margin, margin:-margin]


def test_a_roof_leans_by_height_times_the_tangent():
    view = View(45.0, 90.0)  # towards the east; a level is half a metre
    levels, step, level_m = source_levels(_block(5.0), view)
    assert level_m == pytest.approx(0.5)
    np.testing.assert_allclose(step, (1.0, 0.0), atol=1e-9)
    shown = np.argwhere(levels == 10)  # 5 m of height: 10 px
    assert shown[:, 1].min() == 40
    assert shown[:, 1].max() == 59
    assert shown[:, 0].min() == 20
    assert shown[:, 0].max() == 39
    # Between foot and roof the wall: 30 + k shows the top k levels up.
    np.testing.assert_array_equal(levels[30, 31:40], np.arange(1, 10))
    assert (levels[:, :31] == 0).all()
    assert (levels[:, 60:] == 0).all()


@pytest.mark.parametrize(
    ("azimuth", "lean"),
    [(0, (0, -1)), (90, (1, 0)), (180, (0, 1)), (270, (-1, 0))],
)
def test_the_azimuth_is_where_roofs_lean_clockwise_from_north(azimuth, lean):
    found = View(45.0, azimuth).lean_xy
    np.testing.assert_allclose(found, lean, atol=1e-9)


def test_from_straight_above_nothing_leans():
    levels, _, _ = source_levels(_block(50.0), View(0.0, 10.0))
    assert not levels.any()


@pytest.mark.parametrize("azimuth", [20.0, 105.0, 250.0, 335.0])
@pytest.mark.parametrize(("height_m", "angle"), [(6.0, 25.0), (24.0, 14.0)])
def test_a_roof_stands_in_the_image_where_height_times_lean_says(
    azimuth, height_m, angle
):
    margin = 60
    building = np.zeros((220, 260), np.uint8)
    building[90:124, 110:138] = 1
    # A bright roof on dark ground, for the eye to find.
    ground, roof = np.full((2, 10), [[8.0], [50.0]], np.float32)
    town = Painting(
        surface=building.astype(np.uint16),
        brightness=np.ones(building.shape, np.float32),
        height_m=building * np.float32(height_m),
        building=building,
        road=np.zeros_like(building),
        building_height_m=building * np.float32(height_m),
        spectra=np.stack([ground, roof]),
        season=np.zeros(2, np.float32),
    )
    view = View(angle, azimuth)
    sun = Sun(azimuth, 60.0)  # in front of the lean: walls are dark
    image = render_view(town, sun, view, margin, np.random.default_rng(0))
    red = image[..., 0].astype(float)
    bright = red > (red.min() + red.max()) / 2
    footprint = building > 0  # what the label says
    overlap = {
        (x, y): np.sum(
            bright & np.roll(footprint, (y, x), (0, 1))[_inside(margin)]
        )
        for x in range(-15, 16)
        for y in range(-15, 16)
    }
    moved_px = max(overlap, key=overlap.get)
    assert overlap[moved_px] > 0.97 * footprint.sum()
    expected_px = np.array(view.lean_xy) * height_m / 0.5
    assert np.hypot(*expected_px) > 5
    # Lean is cut to whole pixels along its direction, then rounded to them.
    assert np.hypot(*(moved_px - expected_px)) < 1.3


def test_views_are_mostly_near_nadir():
    rng = np.random.default_rng(0)
    angles = np.array([draw_view(rng).angle_deg for _ in range(400)])
    assert angles.min() >= 0
    assert angles.max() <= 25
    assert 5 < np.median(angles) < 10
