"""The view of a 50 cm image as a vector: how far a roof leans in its array.

A view that is off nadir moves a roof by height x tan(angle). As a vector on
the grid it turns with the picture, and no angle jumps from 360 to 0. Row 0 of
a record is the northern one.
"""

import math

import tensorflow as tf

VIEW_CHANNELS = 3  # lean to the right, lean down, 1 where they are known
_HORIZON_DEG = 90.0


def make_view(angle_deg: tf.Tensor, azimuth_deg: tf.Tensor) -> tf.Tensor:
    """The input `view` of a teacher.

    Args:
      angle_deg: [...] float32, off nadir, at the ground; NaN = unknown.
      azimuth_deg: [...] float32, direction in which roofs lean, clockwise
        from north; NaN = unknown, which at nadir says no less.

    Returns:
      [..., 3] float32: displacement of a roof per metre of its height, to
      the right and down, and 1; all 0 where it is not known.
    """
    slope = tf.tan(angle_deg * (math.pi / 180))
    azimuth = tf.where(slope == 0, 0.0, azimuth_deg * (math.pi / 180))
    known = (angle_deg >= 0) & (angle_deg < _HORIZON_DEG)
    known &= tf.math.is_finite(azimuth)
    view = [
        slope * tf.sin(azimuth),
        -slope * tf.cos(azimuth),
        tf.ones_like(slope),
    ]
    return tf.where(known[..., tf.newaxis], tf.stack(view, axis=-1), 0.0)


def turn_view(view: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """What the view is once `augment.apply_symmetry` has turned its image.

    Args:
      view: [..., 3] float32, as `make_view` returns.
      number: [...] int32, 0..7, of the symmetry.

    Returns:
      [..., 3] float32.
    """
    exchanged, rows, cols = (
        tf.bitwise.bitwise_and(number, 1 << bit) > 0 for bit in range(3)
    )
    right, down, known = tf.unstack(view, axis=-1)
    right, down = (
        tf.where(exchanged, down, right),
        tf.where(exchanged, right, down),
    )
    right = tf.where(cols, -right, right)
    down = tf.where(rows, -down, down)
    return tf.stack([right, down, known], axis=-1)
