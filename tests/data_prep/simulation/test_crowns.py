import numpy as np
import pytest

from data_prep.simulation.crowns import CrownStamps
from data_prep.simulation.crowns import paint_forest
from data_prep.simulation.palette import Palette
from data_prep.simulation.town import Town

_SHAPE = (120, 180)


def _town(trees=(), forests=()):
    return Town(
        height_m=60.0,
        width_m=90.0,
        styles=("village", "village"),
        streets=(),
        buildings=(),
        patches=(),
        forests_m=tuple(np.array(ring, float) for ring in forests),
        trees_m=np.array(trees, float).reshape(-1, 3),
        tree_material="conifer",
        ground="lawn",
        soil="red_soil",
    )


def _planes(height_m=0.0):
    return (
        np.zeros(_SHAPE, np.uint16),
        np.ones(_SHAPE, np.float32),
        np.full(_SHAPE, height_m, np.float32),
    )


def _plant(trees, planes, seed=0, toward_sun_xy=(0.6, -0.8)):
    rng = np.random.default_rng(seed)
    stamps = CrownStamps(rng, toward_sun_xy)
    stamps.plant(_town(trees), rng, Palette(rng), *planes)
    return planes


@pytest.mark.parametrize("diameter_m", [4.0, 7.5, 13.0])
def test_a_crown_has_the_area_and_height_of_its_diameter(diameter_m):
    areas = []
    for seed in range(12):
        surface, _, height_m = _plant([(45, 30, diameter_m)], _planes(), seed)
        crown = surface > 0
        np.testing.assert_array_equal(crown, height_m > 0)
        rows, cols = np.nonzero(crown)
        assert abs(rows.mean() / 2 - 30) < 1
        assert abs(cols.mean() / 2 - 45) < 1
        top = 2.5 + 0.85 * diameter_m
        assert height_m.max() == pytest.approx(top, rel=0.2)
        areas.append(crown.sum() / 4)
    assert np.mean(areas) == pytest.approx(np.pi * diameter_m**2 / 4, rel=0.12)


@pytest.mark.parametrize("toward", [(1.0, 0.0), (0.0, -1.0), (-0.6, 0.8)])
def test_a_crown_is_bright_on_the_side_of_the_sun(toward):
    surface, relief, _ = _plant([(45, 30, 11)], _planes(), toward_sun_xy=toward)
    rows, cols = np.nonzero(surface)
    facing = (cols - 90) * toward[0] + (rows - 60) * toward[1]
    light = relief[rows, cols]
    assert light[facing > 5].mean() > light[facing < -5].mean() + 0.3
    assert (relief[surface == 0] == 1).all()


def test_trees_do_not_grow_through_roofs_above_them():
    planes = _plant([(45, 30, 6), (20, 20, 9)], _planes(40.0))
    for found, plain in zip(planes, _planes(40.0), strict=True):
        np.testing.assert_array_equal(found, plain)


def test_each_tree_inside_is_planted_and_none_is_cut_at_the_border():
    places = [(x, y, 5.0) for x in range(0, 91, 10) for y in range(0, 61, 10)]
    surface = _plant(places, _planes())[0]
    inside = [p for p in places if 0 < p[0] < 90 and 0 < p[1] < 60]
    for x, y, _ in inside:
        assert surface[y * 2, x * 2] > 0
    border = np.ones(_SHAPE, bool)
    border[2:-2, 2:-2] = False
    assert not surface[border].any()


def test_a_wood_is_closed_and_stays_within_its_outline():
    surface, relief, height_m = _planes()
    rng = np.random.default_rng(1)
    ring = [(10, 10), (80, 10), (80, 50), (10, 50)]
    paint_forest(
        surface, relief, height_m, _town(forests=[ring]), rng, Palette(rng)
    )
    inner = np.s_[22:98, 22:158]
    assert 0.75 < (surface[inner] > 0).mean() < 0.99
    np.testing.assert_array_equal(surface > 0, height_m > 0)
    assert 5 < height_m[height_m > 0].mean() < 12
    outside = np.ones(_SHAPE, bool)
    outside[19:102, 19:162] = False
    assert not surface[outside].any()


def test_without_woods_nothing_is_painted_and_no_chance_is_used():
    planes = _planes()
    rng = np.random.default_rng(2)
    palette = Palette(rng)
    before = rng.bit_generator.state
    paint_forest(*planes, _town(), rng, palette)
    assert rng.bit_generator.state == before
    assert not planes[0].any()
