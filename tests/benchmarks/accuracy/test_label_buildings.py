import numpy as np
import pytest

from benchmarks.accuracy.label_buildings import add_building
from benchmarks.accuracy.label_buildings import find_buildings
from benchmarks.accuracy.label_buildings import find_room
from benchmarks.accuracy.label_buildings import remove_building
from data_prep.rasterize import CENTROID_SIGMA_M
from data_prep.rasterize import make_centroid_density

_SHAPE = (70, 90)
_PIXEL_M = 0.5


def _label(boxes, centroids, heights=None):
    """Boxes (top, bottom, left, right) and centroids (row, column)."""
    label = {
        "building": np.zeros(_SHAPE, np.uint8),
        "height_m": np.zeros(_SHAPE, np.float16),
    }
    for number, (top, bottom, left, right) in enumerate(boxes):
        height = heights[number] if heights else 5.0
        label["building"][top:bottom, left:right] = 1
        label["height_m"][top:bottom, left:right] = height
    label["centroid_density"] = make_centroid_density(
        np.array(centroids).reshape(-1, 2),
        *_SHAPE,
        sigma_px=CENTROID_SIGMA_M / _PIXEL_M,
    ).astype(np.float16)
    return label


def _find(label):
    return find_buildings(
        label["building"], label["centroid_density"], _PIXEL_M
    )


def _terrace():
    """Three houses wall to wall, and one alone."""
    boxes = [(10, 30, 5 + 16 * n, 21 + 16 * n) for n in range(3)]
    boxes.append((45, 60, 60, 80))
    centroids = [(20, 13), (20, 29), (20, 45), (52.5, 70)]
    return _label(boxes, centroids, heights=(4, 6, 8, 10))


def _mass(density):
    return density.astype(float).sum()


def test_houses_of_a_terrace_are_told_apart_by_their_centroids():
    found = _find(_terrace())
    assert found.count == 4
    for number, height in enumerate((4, 6, 8, 10), 1):
        inside = found.of_mask == number
        heights = _terrace()["height_m"][inside]
        assert (heights == height).mean() > 0.93  # a column to either side
        assert inside.sum() == pytest.approx(20 * 16, rel=0.1)


def test_a_court_with_its_centroid_in_the_yard_is_one_building():
    label = _label([(10, 50, 20, 60)], [(30, 40)])
    label["building"][20:40, 30:50] = 0
    found = _find(label)
    assert found.count == 1
    np.testing.assert_array_equal(found.of_mask, label["building"])
    assert found.footprint(1).shape == (40, 40)


def test_a_piece_whose_centroid_lies_beyond_the_tile_is_nobodys():
    label = _label([(0, 4, 10, 30), (20, 40, 10, 30)], [(30, 20)])
    found = _find(label)
    assert found.count == 1
    assert (found.of_mask[:4] == 0).all()
    assert (found.of_mask[20:40, 10:30] == 1).all()


def test_neighbours_that_touch_at_a_corner_stay_apart():
    label = _label([(10, 30, 10, 30), (30, 50, 30, 50)], [(20, 20), (40, 40)])
    label["building"][30:50, 30:50] = 1
    label["centroid_density"][:] = _label([], [(20, 20)])["centroid_density"]
    found = _find(label)
    assert found.count == 1
    assert (found.of_mask[30:50, 30:50] == 0).all()


@pytest.mark.parametrize("boxes", [[], [(20, 40, 10, 30)]])
def test_a_tile_without_a_centroid_has_no_building(boxes):
    found = _find(_label(boxes, []))
    assert found.count == 0
    assert not found.of_mask.any()
    assert not found.of_density.any()
    assert found.footprint(1).shape == (0, 0)


def test_a_building_that_is_removed_takes_its_mass_and_height_along():
    label, before = _terrace(), _terrace()
    found = _find(label)
    remove_building(label, found, 2)
    gone = found.of_mask == 2
    assert gone.any()
    for plane in ("building", "height_m"):
        assert (label[plane][gone] == 0).all()
        np.testing.assert_array_equal(label[plane][~gone], before[plane][~gone])
    lost = _mass(before["centroid_density"]) - _mass(label["centroid_density"])
    assert lost == pytest.approx(1, abs=0.01)
    assert _mass(label["centroid_density"][:, 21:37]) < 0.01


def test_room_is_found_where_there_is_some_and_nowhere_else():
    rng = np.random.default_rng(0)
    footprint = np.ones((6, 9), bool)
    footprint[:3, :4] = False  # an L
    taken = np.ones((40, 50), bool)
    assert find_room(footprint, taken, rng) is None
    taken[10:20, 20:34] = False  # 2 px round a box of 6 x 10
    found = {find_room(footprint, taken, rng) for _ in range(30)}
    assert found - {None} == {(12, 22), (12, 23)}
    assert find_room(np.ones((39, 3), bool), ~taken & taken, rng) is None
    assert find_room(np.zeros((0, 0), bool), taken, rng) is None


def test_a_twin_has_shape_height_and_one_unit_of_mass():
    label, before = _terrace(), _terrace()
    found = _find(label)
    taken = label["building"] > 0
    add_building(label, found, 3, (48, 12), taken)
    added = (label["building"] > 0) & (before["building"] == 0)
    rows, cols = np.nonzero(added)
    assert (rows.min(), cols.min()) == (48, 12)
    np.testing.assert_array_equal(
        added[48 : rows.max() + 1, 12 : cols.max() + 1], found.footprint(3)
    )
    assert np.median(label["height_m"][added]) == 8
    assert taken[added].all()
    gained = (
        label["centroid_density"].astype(float) - before["centroid_density"]
    )
    assert gained.sum() == pytest.approx(1, abs=0.01)
    middle = np.unravel_index(gained.argmax(), _SHAPE)
    np.testing.assert_allclose(middle, (rows.mean(), cols.mean()), atol=0.6)
