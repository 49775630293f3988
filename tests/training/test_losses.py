"""Closed forms and invariances of the losses."""

import math

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.training import losses

SHAPE = (2, 3, 5, 1)


def _random(seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=SHAPE).astype("float32")
    probs = rng.random(SHAPE).astype("float32")
    weight = (rng.random(SHAPE) < 0.7).astype("float32")
    return logits, probs, weight


def _mean(pair):
    total, weight = pair
    return float(total) / float(weight)


def test_an_undecided_network_pays_log_two():
    _, probs, weight = _random()
    zeros = np.zeros(SHAPE, "float32")
    got = losses.binary_cross_entropy(zeros, probs, weight)
    assert _mean(got) == pytest.approx(math.log(2), rel=1e-6)


def test_cross_entropy_equals_its_definition_on_the_valid_pixels():
    logits, probs, weight = _random()
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    nats = -(probs * np.log(p) + (1 - probs) * np.log(1 - p))
    want = nats[weight > 0].mean()
    got = losses.binary_cross_entropy(logits, probs, weight)
    assert _mean(got) == pytest.approx(want, rel=1e-5)


def test_huge_logits_stay_finite():
    logits = np.array([1e4, -1e4], "float32").reshape(1, 2, 1, 1)
    probs = np.array([1, 0], "float32").reshape(1, 2, 1, 1)
    total, _ = losses.binary_cross_entropy(logits, probs, np.ones_like(probs))
    assert float(total) == 0


def test_temperature_has_its_minimum_at_the_teacher_too():
    _, probs, _ = _random()
    probs = 0.1 + 0.8 * probs
    weight = np.ones(SHAPE, "float32")
    at = np.log(probs / (1 - probs)).astype("float32")
    values = [
        float(
            losses.binary_cross_entropy(
                at + shift, probs, weight, temperature=3.0
            )[0]
        )
        for shift in (-0.5, 0.0, 0.5)
    ]
    assert values[1] < min(values[0], values[2])


def test_temperature_keeps_the_curvature():
    # Second derivative at the minimum for p = 0.5: T^2 / (4 T^2) = 1 / 4.
    half = np.full((1, 1, 1, 1), 0.5, "float32")
    weight = np.ones_like(half)
    for temperature in (1.0, 4.0):
        low, mid, high = (
            float(
                losses.binary_cross_entropy(
                    half * 0 + x, half, weight, temperature=temperature
                )[0]
            )
            for x in (-0.5, 0.0, 0.5)
        )
        assert (low - 2 * mid + high) / 0.25 == pytest.approx(0.25, rel=0.03)


def test_density_divergence_is_zero_only_at_the_target():
    _, target, weight = _random()
    target = target * 0.02
    same, _ = losses.density_divergence(target, target, weight)
    more, _ = losses.density_divergence(target * 1.5, target, weight)
    less, _ = losses.density_divergence(target * 0.5, target, weight)
    assert float(same) == pytest.approx(0, abs=1e-6)
    assert float(more) > 1e-3
    assert float(less) > 1e-3


def test_the_best_constant_density_is_the_mean_so_sums_are_unbiased():
    rng = np.random.default_rng(1)
    target = rng.poisson(0.4, (1, 40, 50, 1)).astype("float32")
    weight = np.ones_like(target)

    def cost(c):
        return float(
            losses.density_divergence(target * 0 + c, target, weight)[0]
        )

    mean = float(target.mean())
    assert cost(mean) < min(cost(mean * 0.98), cost(mean * 1.02))


def test_a_tall_building_weighs_more():
    target = np.array([0.0, 30.0], "float32").reshape(1, 2, 1, 1)
    ones = np.ones_like(target)
    low = np.array([1.0, 30.0], "float32").reshape(1, 2, 1, 1)
    tall = np.array([0.0, 31.0], "float32").reshape(1, 2, 1, 1)
    low_cost, _ = losses.height_error(low, target, ones)
    tall_cost, _ = losses.height_error(tall, target, ones)
    assert float(tall_cost) == pytest.approx(4 * float(low_cost))


def test_the_best_scale_is_that_of_the_errors():
    rng = np.random.default_rng(0)
    # A heavy share of large errors, as of tall buildings.
    error_m = np.abs(rng.laplace(0, rng.choice([1.0, 9.0], 4000)))
    error_m = error_m.astype("float32").reshape(2, 40, 50, 1)
    weight = (rng.random(error_m.shape) < 0.8).astype("float32")

    def cost(scale_m):
        scale_m = np.full_like(error_m, scale_m)
        return _mean(losses.height_scale_nats(scale_m, error_m, weight))

    best_m = float(error_m[weight > 0].mean())
    assert cost(best_m) < min(cost(best_m * 0.97), cost(best_m * 1.03))
    assert cost(best_m) == pytest.approx(1 + math.log(2 * best_m), rel=1e-5)


def test_a_scale_learnt_from_laplace_errors_recovers_it_and_its_interval():
    rng = np.random.default_rng(1)
    true_m = 2.5
    target_m = rng.laplace(8, true_m, (1, 200, 100, 1)).astype("float32")
    height_m = np.full_like(target_m, 8)
    scale = tf.Variable(0.0)  # logarithm of it
    for _ in range(60):
        with tf.GradientTape() as tape:
            error_m = losses.absolute_error_m(height_m, target_m)
            nats, number = losses.height_scale_nats(
                tf.exp(scale) * np.ones_like(target_m),
                error_m,
                np.ones_like(target_m),
            )
            loss = nats / number
        scale.assign_sub(0.3 * tape.gradient(loss, scale))
    found_m = math.exp(float(scale))
    # The mean of 20,000 errors errs by 1 %.
    assert found_m == pytest.approx(true_m, rel=0.03)
    for share in (0.5, 0.9):
        half_width_m = -found_m * math.log(1 - share)
        inside = np.mean(np.abs(target_m - height_m) < half_width_m)
        assert inside == pytest.approx(share, abs=0.01)


def test_the_error_that_a_scale_is_learnt_from_gets_no_gradient():
    height_m = tf.Variable(tf.ones(SHAPE))
    scale_m = tf.Variable(tf.ones(SHAPE))
    with tf.GradientTape() as tape:
        error_m = losses.absolute_error_m(height_m, 5 * tf.ones(SHAPE))
        loss, _ = losses.height_scale_nats(scale_m, error_m, tf.ones(SHAPE))
    of_height, of_scale = tape.gradient(loss, [height_m, scale_m])
    assert of_height is None
    # 1 / b - |e| / b^2
    np.testing.assert_allclose(of_scale, 1 - 4, rtol=1e-5)


@pytest.mark.parametrize("apart_m", [0.0, 0.7, 6.0])
def test_an_error_is_expected_over_where_a_teacher_thinks_the_truth_is(
    apart_m,
):
    draws_m = np.random.default_rng(0).laplace(10, 1.5, 400_000)
    want = np.abs(10 + apart_m - draws_m).mean()
    found = losses.absolute_error_m(
        *(np.array([v], "float32") for v in (10 + apart_m, 10, 1.5))
    )
    assert float(found[0]) == pytest.approx(want, rel=0.01)


def test_a_label_is_a_target_without_spread():
    heights = np.array([3.0, 8.0, 8.0], "float32")
    label = np.array([8.0, 8.0, 7.999], "float32")
    want = np.abs(heights - label)
    for spread in ((), (np.zeros(3, "float32"),)):
        found = losses.absolute_error_m(heights, label, *spread)
        np.testing.assert_allclose(found, want, atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        losses.binary_cross_entropy,
        losses.overlap_loss,
        losses.density_divergence,
        losses.height_error,
        losses.image_error,
    ],
)
def test_pixels_without_weight_have_no_influence_not_even_nan(loss):
    _, predicted, weight = _random(1)
    _, target, _ = _random(2)
    before = [float(v) for v in loss(predicted, target, weight)]
    assert before[0] > 0
    dirty = np.where(weight > 0, predicted, np.nan)
    after = [float(v) for v in loss(dirty.astype("float32"), target, weight)]
    assert before == after


@pytest.mark.parametrize(
    "loss",
    [
        losses.binary_cross_entropy,
        losses.overlap_loss,
        losses.height_error,
        losses.image_error,
    ],
)
def test_nothing_valid_gives_zero_weight(loss):
    a, b, weight = _random()
    total, number = loss(a, b, np.zeros_like(weight))
    assert float(total) == 0
    assert float(ops.convert_to_numpy(number)) == 0


def test_overlap_of_hard_masks_is_one_minus_iou():
    truth = np.array([1, 1, 1, 0, 0, 0], "float32").reshape(1, 2, 3, 1)
    found = np.array([1, 1, 0, 1, 0, 0], "float32").reshape(1, 2, 3, 1)
    # With one pixel of grace: (2 + 1) / (4 + 1).
    total, weight = losses.overlap_loss(
        60 * (found - 0.5), truth, np.ones_like(truth)
    )
    assert float(total) / float(weight) == pytest.approx(1 - 3 / 5, abs=1e-5)


def test_overlap_is_least_at_a_soft_target():
    _, probs, weight = _random()
    at = np.log(probs / (1 - probs)).astype("float32")
    values = [
        float(losses.overlap_loss(at + shift, probs, weight)[0])
        for shift in (-0.3, 0.0, 0.3)
    ]
    assert values[1] == pytest.approx(0, abs=1e-5)
    assert min(values[0], values[2]) > 0.01
