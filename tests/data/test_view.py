import numpy as np
import pytest
import tensorflow as tf

from data_prep.simulation.view import View
from s2distill.data.augment import SYMMETRIES
from s2distill.data.augment import apply_symmetry
from s2distill.data.view import VIEW_CHANNELS
from s2distill.data.view import make_view
from s2distill.data.view import turn_view

NAN = np.nan


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_the_lean_is_that_of_the_simulated_view(wrap):
    rng = np.random.default_rng(0)
    angle, azimuth = rng.uniform([[0], [0]], [[40], [360]], (2, 9))
    view = wrap(make_view)(
        tf.constant(angle, tf.float32), tf.constant(azimuth, tf.float32)
    )
    expected = [
        (*View(*one).lean_xy, 1) for one in zip(angle, azimuth, strict=True)
    ]
    assert view.shape == (9, VIEW_CHANNELS)
    np.testing.assert_allclose(view, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("angle_deg", "azimuth_deg", "expected"),
    [
        (45, 0, (0, -1, 1)),  # to the north is up
        (45, 90, (1, 0, 1)),
        (NAN, 90, (0, 0, 0)),
        (20, NAN, (0, 0, 0)),
        (NAN, NAN, (0, 0, 0)),
        (0, NAN, (0, 0, 1)),  # straight down there is no direction
        (-5, 90, (0, 0, 0)),
        (90, 90, (0, 0, 0)),
        (np.inf, 90, (0, 0, 0)),
    ],
)
def test_what_is_not_known_is_zero(angle_deg, azimuth_deg, expected):
    view = make_view(tf.constant(angle_deg, tf.float32), float(azimuth_deg))
    np.testing.assert_allclose(view, expected, atol=1e-6)


def _lean_drawn(picture):
    """From the one pixel of value 1 to that of value 2, (right, down)."""
    (foot,), (roof,) = (np.argwhere(picture == value) for value in (1, 2))
    return (roof - foot)[::-1]


@pytest.mark.parametrize("wrap", [lambda f: f, tf.function])
def test_the_view_turns_with_its_picture(wrap):
    picture = np.zeros((9, 9), np.uint8)
    picture[4, 3], picture[2, 8] = 1, 2
    views = np.tile(np.float32([5, -2, 1]), (SYMMETRIES, 1))
    np.testing.assert_array_equal(_lean_drawn(picture), views[0, :2])
    turned = wrap(turn_view)(
        tf.constant(views), tf.range(SYMMETRIES, dtype=tf.int32)
    )
    for number in range(SYMMETRIES):
        moved = apply_symmetry(
            {"x": tf.constant(picture)}, {"x": 0}, tf.constant(number)
        )["x"].numpy()
        np.testing.assert_array_equal(turned[number, :2], _lean_drawn(moved))
        assert turned[number, 2] == 1
    assert len({tuple(view) for view in turned.numpy()}) == SYMMETRIES
