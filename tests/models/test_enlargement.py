import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.models.enlargement import Enlargement
from s2distill.models.enlargement import phase_weights


def _random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("kernel", ["cubic", "linear"])
def test_it_holds_the_layer_contract(kernel, check_layer):
    config = {"factor": 3, "kernel": kernel}
    out, _ = check_layer(Enlargement, config, _random(2, 5, 7, 3))
    assert out.shape == (2, 15, 21, 3)


@pytest.mark.parametrize("factor", [2, 3])
def test_linear_is_that_of_tensorflow_up_to_the_edge(factor):
    x = _random(2, 5, 4, 3)
    want = tf.image.resize(x, (5 * factor, 4 * factor), "bilinear")
    got = ops.convert_to_numpy(Enlargement(factor, "linear")(x))
    np.testing.assert_allclose(got, want, atol=1e-5)


# TensorFlow reads its cubic from a table of 1024 steps: thirds are not in it.
@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_is_that_of_tensorflow_away_from_the_edge(factor):
    x = _random(2, 9, 8, 3)
    want = tf.image.resize(x, (9 * factor, 8 * factor), "bicubic")
    got = ops.convert_to_numpy(Enlargement(factor)(x))
    inner = (slice(None), *[slice(2 * factor, -2 * factor)] * 2)
    np.testing.assert_allclose(got[inner], want.numpy()[inner], atol=1e-5)


def test_a_slope_goes_through_the_pixel_centres():
    rows, cols = np.mgrid[0:8, 0:9].astype("float32")
    slope = (2 * rows + 3 * cols)[None, ..., None]
    out = ops.convert_to_numpy(Enlargement(2)(slope))
    # Fine pixel i lies at (i + 0.5) / 2 - 0.5.
    fine_rows, fine_cols = np.mgrid[0:16, 0:18] / 2 - 0.25
    want = 2 * fine_rows + 3 * fine_cols
    inner = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(out[0, ..., 0][inner], want[inner], atol=1e-4)


def test_a_constant_stays_constant_up_to_the_edge():
    x = np.full((1, 1, 3, 1), 2.5, "float32")
    got = ops.convert_to_numpy(Enlargement(4)(x))
    np.testing.assert_allclose(got, np.full((1, 4, 12, 1), 2.5), rtol=1e-6)


@pytest.mark.parametrize("kernel", ["cubic", "linear"])
def test_weights_of_every_phase_sum_to_one(kernel):
    for factor in range(1, 7):
        weights = phase_weights(factor, kernel)
        assert len(weights) == factor
        np.testing.assert_allclose(np.sum(weights, axis=1), 1, rtol=1e-12)


def test_a_graph_for_any_size_gives_the_same_numbers():
    layer = Enlargement(2)
    traced = tf.function(
        lambda x: layer(x),
        input_signature=[tf.TensorSpec((None, None, None, 3))],
    )
    for shape in ((2, 5, 7, 3), (1, 1, 2, 3)):
        x = _random(*shape)
        np.testing.assert_array_equal(traced(x), layer(x))
