"""From features on the Sentinel-2 grid to answers on any finer grid.

The grid is refined in steps (20 = 2 x 2 x 5), with residual blocks between
them and half the channels after each; the last step is the heads' own pixel
shuffle, so that no convolution runs on the label grid itself: at 10 m input
there is nothing to compute from below a few metres.
"""

from typing import Any

import keras
from keras import ops

from s2distill.models.blocks import ResidualBlock
from s2distill.models.heads import heads


def refinement_steps(factor: int) -> tuple[int, ...]:
    """Prime factors in rising order, the largest last: 20 -> (2, 2, 5).

    Raises:
      ValueError: If `factor` is below 1.
    """
    if factor < 1:
        raise ValueError(f"label factor must be at least 1, got {factor}")
    steps, rest, prime = [], factor, 2
    while rest > 1:
        while rest % prime == 0:
            steps.append(prime)
            rest //= prime
        prime += 1
    return tuple(steps) or (1,)


def decode(
    x: Any, factor: int, *, blocks: int, min_channels: int
) -> dict[str, Any]:
    """Answers on a grid `factor` times finer than `x`.

    Args:
      x: [N, H, W, C] features.
      factor: Label pixels per feature pixel and axis; any number >= 1.
      blocks: Residual blocks after each refinement.
      min_channels: Channels never fall below this.

    Returns:
      Dictionary of [N, H factor, W factor, 1] float32.
    """
    *inner, last = refinement_steps(factor)
    for i, step in enumerate(inner):
        channels = max(x.shape[-1] // 2, min_channels)
        x = keras.layers.Conv2D(
            channels * step * step,
            3 if i == 0 else 1,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"decoder{i}_widen",
        )(x)
        x = ops.depth_to_space(x, step)
        for j in range(blocks):
            x = ResidualBlock(channels, name=f"decoder{i}_r{j}")(x)
    return heads(x, last)
