"""Which frames of a stack the network meets.

Frames are an unordered set: a draw shuffles them. A network that is to work
on whatever dates a place has must not see the same number every time, so a
draw may leave some out. Stacks of fewer frames are padded with frames that
show nothing, which the validity mask says.
"""

import tensorflow as tf


def draw_frames(
    valid: tf.Tensor, frames: int, frame_drop: float, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """A random choice among the frames that show something, in random order.

    Args:
      valid: [T, H, W] uint8, above 0 where the ground is seen.
      frames: How many to take at most.
      frame_drop: Chance in 0..1 that a chosen frame is left out; one always
        stays.
      seed: [2] int64; the same seed draws the same frames.

    Returns:
      ([N] int32 positions along T, N <= frames; [N] bool, False where the
      frame is left out). N is 0 where no frame shows anything.
    """
    seeds = tf.random.split(seed, 2)
    seen = tf.where(tf.reduce_any(valid > 0, axis=(1, 2)))[:, 0]
    order = tf.random.experimental.stateless_shuffle(seen, seed=seeds[0])
    chosen = tf.cast(order[:frames], tf.int32)
    lots = tf.random.stateless_uniform(tf.shape(chosen), seed=seeds[1])
    # The one with the highest lot always stays; ties have no probability.
    kept = tf.logical_or(
        lots >= frame_drop, lots >= tf.reduce_max(lots, keepdims=True)
    )
    return chosen, kept


def pick_clearest(valid: tf.Tensor, frames: int) -> tf.Tensor:
    """The frames with most valid pixels, in the order of the stack.

    Args:
      valid: [T, H, W] uint8, above 0 where the ground is seen.
      frames: How many to take at most.

    Returns:
      [min(T, frames)] int32 positions along T, rising. Of equally clear
      frames the earlier are taken.
    """
    clear_px = tf.math.count_nonzero(valid, axis=(1, 2), dtype=tf.int32)
    order = tf.argsort(clear_px, direction="DESCENDING", stable=True)
    return tf.sort(order[:frames])


def pad_frames(stack: tf.Tensor, frames: int) -> tf.Tensor:
    """[N, ...] with zeros after it to make [frames, ...]; N <= frames."""
    missing = frames - tf.shape(stack)[0]
    rest = [[0, 0]] * (stack.shape.rank - 1)
    padded = tf.pad(stack, [[0, missing], *rest])
    return tf.ensure_shape(padded, [frames, *stack.shape[1:]])
