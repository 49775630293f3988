import numpy as np
import pytest

from s2distill.evaluation.calibration import STEPS
from s2distill.evaluation.calibration import expected_calibration_error
from s2distill.evaluation.calibration import fit_presence
from s2distill.evaluation.calibration import reliability_curve
from s2distill.evaluation.calibration import sum_histogram


def _planes(seed, shape=(60, 50)):
    """Presence that is too sure of itself, as networks are."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(0.5, 1.5, shape)
    label = (rng.random(shape) < truth).astype(np.float32)
    logits = 2.0 * (np.log(truth) - np.log1p(-truth))
    probs = 1 / (1 + np.exp(-logits))
    return probs.astype(np.float32), label, np.ones(shape, np.float32)


def _sorted_bins(probs, label, bins):
    order = np.argsort(probs, kind="stable")
    return (
        np.array_split(probs[order], bins),
        np.array_split(label[order], bins),
    )


def test_error_equals_sorting_all_pixels_into_15_equal_groups():
    tiles = [_planes(0), _planes(1)]
    histogram = sum(sum_histogram(*tile) for tile in tiles)
    probs, label = (
        np.concatenate([tile[i].ravel() for tile in tiles]) for i in (0, 1)
    )
    expected = np.mean(
        [
            abs(p.mean() - y.mean())
            for p, y in zip(*_sorted_bins(probs, label, 15), strict=True)
        ]
    )
    assert expected > 0.03
    # Within a step of 1/512 the order of pixels is lost.
    assert float(expected_calibration_error(histogram)) == pytest.approx(
        expected, abs=0.002
    )


def test_curve_equals_the_means_of_equal_groups():
    probs, label, weight = _planes(2)
    mean, share = reliability_curve(sum_histogram(probs, label, weight), 6)
    groups = _sorted_bins(probs.ravel(), label.ravel(), 6)
    np.testing.assert_allclose(
        mean, [p.mean() for p in groups[0]], atol=1 / STEPS
    )
    # A step holds some 50 of 500 pixels near 0, cut elsewhere than sorted.
    np.testing.assert_allclose(share, [y.mean() for y in groups[1]], atol=0.02)


def test_presence_that_is_its_own_frequency_has_no_error():
    probs = np.repeat([0.25, 0.75], 400).reshape(20, 40)
    label = (
        np.tile([1, 0, 0, 0], 100).tolist()
        + np.tile([1, 1, 1, 0], 100).tolist()
    )
    label = np.array(label, np.float32).reshape(20, 40)
    histogram = sum_histogram(probs, label, np.ones((20, 40)))
    assert float(expected_calibration_error(histogram)) == pytest.approx(0)


def test_a_constant_presence_is_off_by_its_distance_from_the_share():
    label = np.zeros((4, 25), np.float32)
    label[0, :10] = 1
    histogram = sum_histogram(np.full((4, 25), 0.7), label, np.ones((4, 25)))
    assert float(expected_calibration_error(histogram)) == pytest.approx(
        0.6, abs=1e-6
    )


def test_invalid_pixels_do_not_move_the_histogram():
    probs, label, weight = _planes(3)
    weight[:20] = 0
    before = sum_histogram(probs, label, weight)
    probs[:20], label[:20] = np.nan, 1
    np.testing.assert_array_equal(sum_histogram(probs, label, weight), before)


def test_presence_of_one_falls_into_the_last_step():
    one = np.ones((1, 1))
    assert sum_histogram(one, one, one)[:, -1].tolist() == [1, 1, 1]


def test_error_and_curve_without_pixels_are_undefined():
    empty = np.zeros((3, STEPS))
    assert np.isnan(expected_calibration_error(empty))
    assert np.isnan(reliability_curve(empty)[0]).all()


def test_error_keeps_leading_axes():
    stacked = np.stack([sum_histogram(*_planes(seed)) for seed in (4, 5)])
    errors = expected_calibration_error(stacked)
    assert errors.shape == (2,)
    assert errors[1] == expected_calibration_error(stacked[1])


def _move(planes, temperature, bias):
    """Planes whose presence a network would answer that is to be undone."""
    probs, label, weight = planes
    probs = probs.astype(np.float64)
    logits = np.log(probs) - np.log1p(-probs)
    moved = 1 / (1 + np.exp(-(logits - bias) * temperature))
    return moved.astype(np.float32), label, weight


@pytest.mark.parametrize(
    ("temperature", "bias"), [(1.0, 0.0), (0.7, -0.9), (0.5, 0.4)]
)
def test_temperature_and_bias_undo_what_was_done_to_logits(temperature, bias):
    planes = _move(_planes(6, (300, 400)), temperature, bias)
    found = fit_presence(sum_histogram(*planes))
    # The planes' own logits are doubled, before and with the bias; 120,000
    # labels scatter by some 0.02.
    assert found == (
        pytest.approx(2.0 * temperature, rel=0.05),
        pytest.approx(bias / 2, abs=0.05),
    )


def test_calibrated_presence_has_less_error_on_pixels_not_fitted_to():
    temperature, bias = fit_presence(
        sum_histogram(*_move(_planes(7, (200, 300)), 0.8, 0.6))
    )
    probs, label, weight = _move(_planes(8, (200, 300)), 0.8, 0.6)
    logits = np.log(probs.astype(np.float64)) - np.log1p(-probs)
    after = 1 / (1 + np.exp(-(logits / temperature + bias)))
    errors = [
        float(expected_calibration_error(sum_histogram(p, label, weight)))
        for p in (probs, after)
    ]
    assert errors[0] > 0.05
    assert errors[1] < 0.01


def test_calibration_needs_both_classes():
    one = np.ones((2, 3))
    assert fit_presence(sum_histogram(0.3 * one, one, one)) is None
    assert fit_presence(sum_histogram(0.3 * one, 0 * one, one)) is None
