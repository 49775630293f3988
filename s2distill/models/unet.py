"""U-Net: down to coarse grids for context, up again for outlines.

Source:
  Ronneberger et al. 2015, "U-Net: Convolutional Networks for Biomedical Image
  Segmentation", arXiv:1505.04597, with residual blocks.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras

from s2distill.models.blocks import CropLike
from s2distill.models.blocks import ResidualBlock

# Name of the layer that passes on the features of the coarsest level.
BOTTLENECK = "bottleneck"


def unet(
    x: Any,
    channels: Sequence[int],
    *,
    blocks: int,
    joined: Mapping[int, Any] | None = None,
) -> Any:
    """Features of an image on its own grid.

    Args:
      x: [N, H, W, channels[0]].
      channels: Of each level, finest first; each is half as fine.
      blocks: Residual blocks of a level, on the way down and on the way up;
        the finest has them on the way up alone, where outlines are drawn:
        they cost most there. One level alone has none.
      joined: Further features, [N, H', W', any], by the level whose grid they
        are on.

    Returns:
      [N, H, W, channels[0]].

    Raises:
      ValueError: If there is no level for some of the joined features.
    """
    joined = dict(joined or {})
    if any(not 0 <= level < len(channels) for level in joined):
        raise ValueError(
            f"a U-Net of {len(channels)} levels cannot join features at "
            f"levels {sorted(joined)}"
        )
    skips = []
    for i, width in enumerate(channels):
        if i:
            x = keras.layers.Conv2D(
                width, 3, strides=2, padding="same", name=f"down{i}"
            )(x)
        if i in joined:
            x = _mix([x, joined[i]], width, f"down{i}_frames")
        if i:
            x = residual_blocks(x, blocks, f"down{i}")
        skips.append(x)
    return ascend(skips, blocks=[blocks] * len(channels))


def ascend(levels: Sequence[Any], *, blocks: Sequence[int]) -> Any:
    """The way up alone: the features of all levels, joined on the finest grid.

    Args:
      levels: [N, H, W, any] each, finest first; each is half as fine,
        rounded up. A layer named `BOTTLENECK` passes the coarsest on.
      blocks: Residual blocks after each level has joined; the coarsest joins
        nothing.

    Returns:
      Features of the finest level, as many channels.
    """
    x = keras.layers.Identity(name=BOTTLENECK)(levels[-1])
    for i in reversed(range(len(levels) - 1)):
        x = keras.layers.UpSampling2D(2, name=f"up{i}")(x)
        x = CropLike(name=f"up{i}_crop")(x, levels[i])
        x = _mix([x, levels[i]], levels[i].shape[-1], f"up{i}")
        x = residual_blocks(x, blocks[i], f"up{i}")
    return x


def residual_blocks(x: Any, count: int, name: str) -> Any:
    """`count` residual blocks, one after the other."""
    for j in range(count):
        x = ResidualBlock(x.shape[-1], name=f"{name}_r{j}")(x)
    return x


def _mix(parts: Sequence[Any], channels: int, name: str) -> Any:
    x = keras.layers.Concatenate(name=f"{name}_join")(list(parts))
    return keras.layers.Conv2D(
        channels, 1, activation="relu", name=f"{name}_mix"
    )(x)
