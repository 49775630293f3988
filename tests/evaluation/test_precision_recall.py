import numpy as np
import pytest

from s2distill.evaluation.calibration import STEPS
from s2distill.evaluation.calibration import sum_histogram
from s2distill.evaluation.precision_recall import average_precision
from s2distill.evaluation.precision_recall import precision_recall_curve


def _planes(seed, shape=(31, 43)):
    rng = np.random.default_rng(seed)
    label = (rng.random(shape) < 0.3).astype(np.float32)
    probs = np.clip(0.35 * label + rng.random(shape) * 0.65, 0, 1)
    weight = (rng.random(shape) < 0.9).astype(np.float32)
    return probs, label, weight


def test_curve_equals_counting_at_each_threshold():
    probs, label, weight = _planes(0)
    curve = precision_recall_curve(sum_histogram(probs, label, weight))
    known = weight > 0
    for step in (0, 1, 100, 256, 400, 480):
        there = known & (probs >= curve.threshold[step])
        hits = np.sum(there & (label == 1))
        assert curve.precision[step] == pytest.approx(hits / np.sum(there))
        assert curve.recall[step] == pytest.approx(
            hits / np.sum(label[known] == 1)
        )


def test_average_precision_equals_the_sum_over_sorted_pixels():
    probs, label, weight = _planes(1)
    # One pixel per step: the histogram keeps the order whole.
    probs = (np.random.default_rng(2).permutation(STEPS) + 0.5) / STEPS
    probs, label, weight = (
        probs.reshape(16, 32),
        label[:16, :32],
        np.ones((16, 32)),
    )
    y = label.ravel()[np.argsort(-probs.ravel())]
    precision = np.cumsum(y) / np.arange(1, y.size + 1)
    expected = np.sum(precision * y) / y.sum()
    found = average_precision(sum_histogram(probs, label, weight))
    assert float(found) == pytest.approx(expected)


def test_perfect_order_scores_one_and_no_order_the_share():
    label = np.zeros((10, 10))
    label[:3] = 1
    known = np.ones((10, 10))
    perfect = sum_histogram(0.2 + 0.6 * label, label, known)
    flat = sum_histogram(0.4 * known, label, known)
    assert float(average_precision(perfect)) == pytest.approx(1.0)
    assert float(average_precision(flat)) == pytest.approx(0.3)


def test_scores_without_truth_are_undefined():
    planes = np.full((4, 5), 0.3), np.zeros((4, 5)), np.ones((4, 5))
    assert np.isnan(average_precision(sum_histogram(*planes)))
    assert np.isnan(precision_recall_curve(sum_histogram(*planes)).recall).all()


def test_scores_keep_leading_axes():
    stacked = np.stack([sum_histogram(*_planes(s)) for s in (3, 4)])
    found = average_precision(stacked)
    assert found.shape == (2,)
    assert found[1] == average_precision(stacked[1])
