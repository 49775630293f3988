import numpy as np
import pytest
import tensorflow as tf

from s2distill.data import augment

AXES = {"s2": 1, "label": 0, "rgb": 0}


def make_arrays(side=3, factor=4):
    """A label grid whose pixels name the coarse pixel they lie in."""
    rng = np.random.default_rng(0)
    coarse = rng.permutation(side * side).reshape(side, side)
    fine = coarse.repeat(factor, 0).repeat(factor, 1)
    return {
        "s2": np.stack([coarse, coarse + 100])[..., None].astype(np.uint16),
        "label": fine.astype(np.uint8),
        "rgb": np.stack([fine, fine + 20, fine + 40], -1).astype(np.uint8),
        "key": np.array(b"left alone"),
    }


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
@pytest.mark.parametrize("number", range(augment.SYMMETRIES))
def test_frames_and_labels_move_together_exactly(number, wrap):
    arrays = make_arrays()
    moved = wrap(augment.apply_symmetry)(
        {n: tf.constant(x) for n, x in arrays.items()},
        AXES,
        tf.constant(number),
    )
    # A block of the fine grid still names the coarse pixel above it.
    coarse = moved["s2"].numpy()[0, :, :, 0]
    fine = coarse.repeat(4, 0).repeat(4, 1)
    np.testing.assert_array_equal(moved["label"], fine)
    np.testing.assert_array_equal(moved["rgb"][..., 2], fine + 40)
    np.testing.assert_array_equal(moved["s2"][1, :, :, 0], coarse + 100)
    assert moved["key"].numpy() == b"left alone"


def test_the_eight_symmetries_are_those_of_the_square():
    label = make_arrays()["label"]
    turned = [np.rot90(label, k) for k in range(4)]
    expected = {x.tobytes() for x in [*turned, *(np.fliplr(x) for x in turned)]}
    found = {
        augment.apply_symmetry(
            {"label": tf.constant(label)}, {"label": 0}, tf.constant(number)
        )["label"]
        .numpy()
        .tobytes()
        for number in range(augment.SYMMETRIES)
    }
    assert found == expected
    assert len(found) == 8


def test_number_zero_changes_nothing():
    arrays = make_arrays()
    moved = augment.apply_symmetry(
        {n: tf.constant(x) for n, x in arrays.items()}, AXES, tf.constant(0)
    )
    for name, values in arrays.items():
        np.testing.assert_array_equal(moved[name], values)


def test_jitter_is_contrast_about_the_mean_and_a_shift():
    rng = np.random.default_rng(1)
    image = rng.uniform(-0.5, 0.5, (2, 5, 4, 3)).astype(np.float32)
    jitter = np.array([[1.2, 0.05], [0.8, -0.1]], np.float32)
    changed = augment.jitter_image(tf.constant(image), tf.constant(jitter))
    for x, y, (factor, shift) in zip(image, changed, jitter, strict=True):
        expected = (x - x.mean()) * factor + x.mean() + shift
        np.testing.assert_allclose(y, expected, atol=1e-6)


def test_jitter_stays_in_range_and_can_be_none():
    image = tf.constant([[[[-1.0, 0.0, 1.0]]]])
    wild = augment.jitter_image(image, tf.constant([[9.0, 0.5]]))
    np.testing.assert_array_equal(wild, [[[[-1, 0.5, 1]]]])
    still = augment.jitter_image(image, tf.constant([[1.0, 0.0]]))
    np.testing.assert_array_equal(still, image)
