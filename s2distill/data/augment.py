"""Augmentation that is exact at any scale: symmetries, not resampling.

The same symmetry on a coarse grid and on one `label_factor` times finer
moves the same ground, because a pixel of the coarse grid is a whole block of
the fine one. Shifts and crops are exact for the same reason when they count
in coarse pixels.
"""

import tensorflow as tf

SYMMETRIES = 8  # of the square: 4 quarter turns, each with its mirror image


def apply_symmetry(
    arrays: dict[str, tf.Tensor],
    row_axes: dict[str, int],
    number: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Turns or mirrors square arrays, all of them in the same way.

    Args:
      arrays: By name; grids of different sizes may be among them.
      row_axes: For each name the axis of its rows; columns follow. The two
        are of one length. Names left out are not changed.
      number: Scalar int32, 0..7. Bit 0 exchanges rows and columns, then bit
        1 reverses rows and bit 2 reverses columns; 0 changes nothing.

    Returns:
      The same names, shapes and types.
    """
    fixed = {n: x for n, x in arrays.items() if n not in row_axes}
    moved = {n: arrays[n] for n in row_axes}
    for bit, change in enumerate((_exchange, _reverse_rows, _reverse_cols)):
        moved = tf.cond(
            tf.bitwise.bitwise_and(number, 1 << bit) > 0,
            lambda moved=moved, change=change: {
                name: change(x, row_axes[name]) for name, x in moved.items()
            },
            lambda moved=moved: dict(moved),
        )
    return {**fixed, **moved}


def _exchange(x: tf.Tensor, row_axis: int) -> tf.Tensor:
    order = list(range(x.shape.rank))
    order[row_axis], order[row_axis + 1] = row_axis + 1, row_axis
    return tf.transpose(x, order)


def _reverse_rows(x: tf.Tensor, row_axis: int) -> tf.Tensor:
    return tf.reverse(x, axis=[row_axis])


def _reverse_cols(x: tf.Tensor, row_axis: int) -> tf.Tensor:
    return tf.reverse(x, axis=[row_axis + 1])


def jitter_image(image: tf.Tensor, jitter: tf.Tensor) -> tf.Tensor:
    """Changes the contrast about each image's mean, and the brightness.

    Args:
      image: [B, h, w, 3] float32 in [-1, 1].
      jitter: [B, 2] float32: factor of contrast, shift of brightness.

    Returns:
      [B, h, w, 3] float32, clipped to [-1, 1].
    """
    factor, shift = tf.split(jitter[:, tf.newaxis, tf.newaxis, :], 2, axis=-1)
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    # (image - mean) * factor + mean + shift, in one pass less.
    changed = image * factor + (mean * (1.0 - factor) + shift)
    return tf.clip_by_value(changed, -1.0, 1.0)
