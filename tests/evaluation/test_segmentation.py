import numpy as np
import pytest

from s2distill.evaluation.segmentation import iou
from s2distill.evaluation.segmentation import miou
from s2distill.evaluation.segmentation import sum_confusion


def _planes(seed, shape=(7, 11)):
    rng = np.random.default_rng(seed)
    probs = rng.random(shape).astype(np.float32)
    label = (rng.random(shape) < 0.3).astype(np.float32)
    weight = (rng.random(shape) < 0.8).astype(np.float32)
    return probs, label, weight


def _loop_miou(tiles):
    """The definition, pixel by pixel, with sets of positions."""
    sets = {(side, kind): set() for side in (0, 1) for kind in (0, 1)}
    for number, (probs, label, weight) in enumerate(tiles):
        for position in np.ndindex(probs.shape):
            if weight[position] > 0:
                place = (number, *position)
                sets[0, int(probs[position] >= 0.5)].add(place)
                sets[1, int(label[position])].add(place)
    ious = [
        len(sets[0, kind] & sets[1, kind]) / len(sets[0, kind] | sets[1, kind])
        for kind in (0, 1)
    ]
    return ious[1], sum(ious) / 2


def test_scores_equal_a_loop_over_pixels_of_all_tiles():
    tiles = [_planes(0), _planes(1, (5, 3)), _planes(2, (1, 13))]
    sums = sum(sum_confusion(*tile) for tile in tiles)
    expected_iou, expected_miou = _loop_miou(tiles)
    assert float(iou(sums)) == pytest.approx(expected_iou, abs=1e-12)
    assert float(miou(sums)) == pytest.approx(expected_miou, abs=1e-12)


def test_invalid_pixels_do_not_move_the_counts():
    probs, label, weight = _planes(3)
    before = sum_confusion(probs, label, weight)
    probs[weight == 0] = np.nan
    label[weight == 0] = 1
    np.testing.assert_array_equal(sum_confusion(probs, label, weight), before)


def test_presence_of_one_half_is_there():
    one = np.ones((1, 1))
    np.testing.assert_array_equal(
        sum_confusion(0.5 * one, one, one), [1, 0, 0, 0]
    )


def test_scores_are_undefined_without_a_building_on_either_side():
    empty = np.array([0.0, 0, 0, 9])
    assert np.isnan(iou(empty))
    assert np.isnan(miou(empty))


def test_scores_keep_leading_axes():
    sums = np.arange(24.0).reshape(2, 3, 4) + 1
    assert miou(sums).shape == (2, 3)
    assert miou(sums)[1, 2] == miou(sums[1, 2])
