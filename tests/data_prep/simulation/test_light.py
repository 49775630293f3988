import numpy as np
import pytest

from data_prep.simulation.light import Sun
from data_prep.simulation.light import cast_shadows
from data_prep.simulation.light import sun_at_overpass

_MARCH_20 = 1_584_698_400  # 2020-03-20T10:00:00Z
_JUNE_21 = 1_592_733_600
_DECEMBER_21 = 1_608_544_800


def test_a_wall_throws_a_shadow_as_long_as_its_height_at_45_degrees():
    height_m = np.zeros((11, 61), np.float32)
    height_m[:, 40] = 8.0
    shadow = cast_shadows(height_m, Sun(90.0, 45.0), 0.5)
    # The sun stands in the east: 8 m of shadow are 16 px to the west.
    assert (shadow[5, 25:40] == 1).all()
    assert (shadow[5, :24] == 0).all()
    assert (shadow[5, 40:] == 0).all()


@pytest.mark.parametrize("azimuth", [0.0, 35.0, 135.0, 150.0, 260.0])
def test_shadows_agree_with_a_walk_towards_the_sun(azimuth):
    rng = np.random.default_rng(3)
    height_m = np.zeros((48, 57), np.float32)
    for row, col, top in zip(
        rng.integers(4, 40, 9),
        rng.integers(4, 50, 9),
        rng.uniform(2, 9, 9),
        strict=True,
    ):
        height_m[row : row + 5, col : col + 4] = top
    sun = Sun(azimuth, 40.0)
    found = cast_shadows(height_m, sun, 0.5) > 0.5
    expected = np.zeros_like(found)
    x, y = sun.toward_xy
    for row in range(48):
        for col in range(57):
            for step in range(1, 40):
                at = round(row + y * step), round(col + x * step)
                if not (0 <= at[0] < 48 and 0 <= at[1] < 57):
                    break
                ray = height_m[row, col] + 0.25
                ray += step * 0.5 * np.tan(np.radians(40.0))
                if height_m[at] > ray:
                    expected[row, col] = True
                    break
    # Steps are rounded to pixels in another order: edges may differ.
    assert (found != expected).mean() < 0.04
    assert expected.mean() > 0.05


def test_the_sun_stands_in_the_south_east_in_the_north():
    sun = sun_at_overpass(45.0, _MARCH_20)
    assert 140 < sun.azimuth_deg < 160
    assert sun.elevation_deg == pytest.approx(40.8, abs=1.5)


def test_the_sun_is_higher_in_summer_and_mirrored_in_the_south():
    june = sun_at_overpass(40.0, _JUNE_21)
    december = sun_at_overpass(40.0, _DECEMBER_21)
    south = sun_at_overpass(-40.0, _DECEMBER_21)
    assert june.elevation_deg > december.elevation_deg + 30
    assert south.elevation_deg == pytest.approx(june.elevation_deg, abs=1)
    assert 20 < south.azimuth_deg < 90


def test_the_sun_is_never_too_low_for_shadows_to_end():
    assert sun_at_overpass(70.0, _DECEMBER_21).elevation_deg == 18.0
