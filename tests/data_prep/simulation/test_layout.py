import numpy as np
import pytest
import shapely

from data_prep.simulation.layout import Block
from data_prep.simulation.layout import make_layout
from data_prep.simulation.styles import STYLES
from data_prep.simulation.styles import UNSEEN_STYLES

_SIZE = {"height_m": 330.0, "width_m": 470.0}
_TILE = shapely.box(0, 0, _SIZE["width_m"], _SIZE["height_m"])


def _layout(style, seed=0, other=None):
    rng = np.random.default_rng(seed)
    return make_layout(rng, **_SIZE, styles=(style, other or style))


@pytest.mark.parametrize("style", [*STYLES, *UNSEEN_STYLES])
def test_blocks_cover_the_ground_without_lying_on_each_other(style):
    blocks = _layout(style)[1]
    rings = [shapely.Polygon(block.ring_m) for block in blocks]
    assert all(ring.is_valid for ring in rings)
    together = shapely.union_all(rings)
    assert together.intersection(_TILE).area > 0.999 * _TILE.area
    total = sum(ring.area for ring in rings)
    assert total == pytest.approx(together.area, rel=1e-3)


@pytest.mark.parametrize("style", ["grid_suburb", "wooded_suburb"])
def test_a_block_has_a_margin_where_it_has_a_street(style):
    streets, blocks = _layout(style, 1)
    low, high = STYLES[style].street_m
    for street in streets:
        assert low <= street.width_m <= max(high, 14)
    width_of = {street.line_m.tobytes(): street.width_m for street in streets}
    sides = 0
    for block in blocks:
        # Sides 0 and 3 bring their street; the others are a neighbour's.
        for side in (0, 3):
            width = width_of.get(block.sides_m[side].tobytes(), 0.0)
            assert block.margins_m[side] == width / 2
            sides += 1
    assert 0.5 * STYLES[style].keep < len(streets) / sides <= 1


def test_streets_go_on_from_block_to_block():
    blocks = _layout("village", 2)[1]
    for block in blocks:
        ends = [side[-1] for side in block.sides_m]
        starts = [side[0] for side in block.sides_m[1:] + block.sides_m[:1]]
        np.testing.assert_allclose(ends, starts, atol=1e-6)
        # To the right hand, y down: the ring runs clockwise on the screen.
        assert shapely.LinearRing(block.ring_m).is_ccw


def test_two_styles_lie_on_two_sides_of_a_line():
    blocks = _layout("estate", 3, other="farmland")[1]
    places = {
        name: shapely.MultiPoint(
            [
                (b.centre.x_m, b.centre.y_m)
                for b in blocks
                if b.style is STYLES[name]
            ]
        )
        for name in ("estate", "farmland")
    }
    hulls = [points.convex_hull for points in places.values()]
    assert all(not hull.is_empty for hull in hulls)
    assert hulls[0].intersection(hulls[1]).area < 0.02 * _TILE.area


def test_a_block_shrinks_towards_its_middle():
    corners = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 10.0], [0.0, 10.0]])
    sides = tuple(
        np.stack([a, b])
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)
    )
    block = Block(sides, (0.0,) * 4, STYLES["estate"], "park")
    np.testing.assert_array_equal(block.ring_m, corners)
    assert (block.centre.x_m, block.centre.y_m) == (10.0, 5.0)
    assert block.centre.angle_rad == 0.0
    np.testing.assert_allclose(
        block.shrunk_m(0.5), [[5, 2.5], [15, 2.5], [15, 7.5], [5, 7.5]]
    )


def test_the_same_seed_lays_the_same_streets():
    first, again, other = (_layout("old_town", s)[0] for s in (6, 6, 7))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.line_m, b.line_m)
    assert not np.array_equal(first[0].line_m, other[0].line_m)
