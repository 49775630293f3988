"""Augmentation that is exact at any scale: symmetries, not resampling.

The same symmetry on a coarse grid and on one `label_factor` times finer
moves the same ground, because a pixel of the coarse grid is a whole block of
the fine one. Shifts and crops are exact for the same reason when they count
in coarse pixels.
"""

import tensorflow as tf

SYMMETRIES = 8  # of the square: 4 quarter turns, each with its mirror image


def apply_symmetry(
    planes: dict[str, tf.Tensor], number: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Turns or mirrors square arrays, all of them in the same way.

    Args:
      planes: Arrays of any names, [..., H, W, C] with H = W; grids of
        different sizes may be among them.
      number: Scalar int32, 0..7. Bit 0 exchanges rows and columns, bit 1
        reverses rows, bit 2 reverses columns; 0 changes nothing.

    Returns:
      The same names, shapes and types.
    """

    def transposed(x: tf.Tensor) -> tf.Tensor:
        rank = x.shape.rank
        order = [*range(rank - 3), rank - 2, rank - 3, rank - 1]
        return tf.transpose(x, order)

    for bit, change in enumerate(
        (
            transposed,
            lambda x: tf.reverse(x, axis=[-3]),
            lambda x: tf.reverse(x, axis=[-2]),
        )
    ):
        is_set = tf.bitwise.bitwise_and(number, 1 << bit) > 0
        planes = tf.cond(
            is_set,
            lambda planes=planes, change=change: {
                name: change(x) for name, x in planes.items()
            },
            lambda planes=planes: {
                name: tf.identity(x) for name, x in planes.items()
            },
        )
    return planes


def jitter_image(image: tf.Tensor, jitter: tf.Tensor) -> tf.Tensor:
    """Changes the contrast about each image's mean, and the brightness.

    Args:
      image: [B, h, w, 3] float32 in [-1, 1].
      jitter: [B, 2] float32: factor of contrast, shift of brightness.

    Returns:
      [B, h, w, 3] float32, clipped to [-1, 1].
    """
    factor, shift = tf.unstack(jitter[:, tf.newaxis, tf.newaxis, :], axis=-1)
    mean = tf.reduce_mean(image, axis=(1, 2, 3), keepdims=True)
    changed = (image - mean) * factor[..., tf.newaxis] + mean
    return tf.clip_by_value(changed + shift[..., tf.newaxis], -1.0, 1.0)
