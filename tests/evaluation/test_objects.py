import itertools

import numpy as np
import pytest

from s2distill.evaluation.objects import invented_per_km2
from s2distill.evaluation.objects import invented_per_km2_by_size
from s2distill.evaluation.objects import missed_per_km2
from s2distill.evaluation.objects import missed_per_km2_by_size
from s2distill.evaluation.objects import sum_objects

KM2 = 60 * 90 * 0.25 / 1e6  # of the planes below


def _plane(*boxes):
    """[60, 90] with boxes (top, left, height, width) set to 1."""
    plane = np.zeros((60, 90), np.float32)
    for top, left, height, width in boxes:
        plane[top : top + height, left : left + width] = 1
    return plane


def _rates(predicted, true, weight=None):
    if weight is None:
        weight = np.ones_like(true)
    sums = sum_objects(predicted, true, weight, gsd_m=0.5)
    return float(invented_per_km2(sums)), float(missed_per_km2(sums))


def test_a_shifted_building_is_found():
    # 20 x 20 px shifted by 6: IoU = 280 / 520.
    assert _rates(_plane((5, 11, 20, 20)), _plane((5, 5, 20, 20))) == (0, 0)


def test_an_overlap_below_one_tenth_is_one_invented_and_one_missed():
    # Shifted by 17 of 20: IoU = 60 / 740 = 0.08.
    invented, missed = _rates(_plane((5, 22, 20, 20)), _plane((5, 5, 20, 20)))
    assert invented == pytest.approx(1 / KM2)
    assert missed == pytest.approx(1 / KM2)


def test_an_overlap_of_exactly_one_tenth_is_enough():
    # 22 x 22 px shifted by 18: IoU = 88 / 880.
    assert _rates(_plane((5, 23, 22, 22)), _plane((5, 5, 22, 22))) == (0, 0)


def test_objects_below_25_m2_do_not_count():
    # 9 x 11 px = 24.75 m2; 10 x 10 px = 25 m2.
    assert _rates(_plane((2, 2, 9, 11)), _plane()) == (0, 0)
    invented, _ = _rates(_plane((2, 2, 10, 10)), _plane())
    assert invented == pytest.approx(1 / KM2)


def test_a_small_true_building_saves_a_larger_answer():
    assert _rates(_plane((2, 2, 11, 11)), _plane((2, 2, 9, 9))) == (0, 0)


def test_buildings_that_meet_at_a_corner_are_two():
    true = _plane((0, 0, 12, 12), (12, 12, 12, 12))
    sums = sum_objects(_plane(), true, np.ones_like(true), gsd_m=0.5)
    assert sums[:, 3].sum() == 2


def test_size_classes_are_those_of_the_object_itself():
    # 36, 225 and 500 m2, all invented; 64 m2, missed.
    predicted = _plane((0, 0, 12, 12), (0, 15, 30, 30), (0, 50, 50, 40))
    true = _plane((40, 0, 16, 16))
    sums = sum_objects(predicted, true, np.ones_like(true), gsd_m=0.5)
    np.testing.assert_allclose(
        invented_per_km2_by_size(sums), np.array([1, 1, 1]) / KM2
    )
    np.testing.assert_allclose(
        missed_per_km2_by_size(sums), np.array([1, 0, 0]) / KM2
    )


def test_invalid_ground_holds_no_object_and_no_area():
    weight = np.ones((60, 90))
    weight[:, 45:] = 0
    predicted = _plane((5, 5, 20, 20), (5, 60, 20, 20))
    invented, _ = _rates(predicted, _plane(), weight)
    assert invented == pytest.approx(1 / (KM2 / 2))


def test_rates_without_known_ground_are_undefined():
    invented, missed = _rates(_plane(), _plane(), np.zeros((60, 90)))
    assert np.isnan(invented)
    assert np.isnan(missed)


def _flood(inside):
    """Objects as sets of positions, by flood fill."""
    left = {tuple(p) for p in np.argwhere(inside)}
    found = []
    while left:
        queue, component = [left.pop()], set()
        while queue:
            row, col = queue.pop()
            component.add((row, col))
            for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                beside = (row + step[0], col + step[1])
                if beside in left:
                    left.remove(beside)
                    queue.append(beside)
        found.append(component)
    return found


def test_rates_equal_a_flood_fill_with_every_pair_compared():
    rng = np.random.default_rng(8)
    blocks = rng.random((2, 8, 11)) < 0.45
    predicted, true = blocks.repeat(4, 1).repeat(4, 2).astype(np.float32)
    weight = (rng.random(true.shape) < 0.98).astype(np.float32)
    one, other = (_flood((m >= 0.5) & (weight > 0)) for m in (predicted, true))
    gsd_m = 1.5  # 25 m2 = 11.1 px
    matched = {
        (i, j)
        for (i, a), (j, b) in itertools.product(
            enumerate(one), enumerate(other)
        )
        if len(a & b) / len(a | b) >= 0.1
    }
    expected = [
        sum(
            len(o) * gsd_m**2 >= 25
            and n not in {pair[side] for pair in matched}
            for n, o in enumerate(objects)
        )
        / (weight.sum() * gsd_m**2 / 1e6)
        for side, objects in enumerate((one, other))
    ]
    assert min(expected) > 0
    sums = sum_objects(predicted, true, weight, gsd_m=gsd_m)
    assert float(invented_per_km2(sums)) == pytest.approx(expected[0])
    assert float(missed_per_km2(sums)) == pytest.approx(expected[1])
