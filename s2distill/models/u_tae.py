"""U-TAE, the plain network for satellite image time series, at the label grid.

A U-Net encoder shared by all frames, at 10 m and coarser; attention over time
learnt on the coarsest grid, whose weights, brought to every finer one, say how
much of each frame's features the decoder is given. Frames meet nowhere else,
and nothing runs on a grid finer than theirs: the last step to the label grid
is the heads' pixel shuffle.

Source:
  Garnot and Landrieu 2021, "Panoptic Segmentation of Satellite Image Time
  Series with Convolutional Temporal Attention Networks", arXiv:2107.07933,
  section 3.1. Ours is made of the student's residual blocks, so that the two
  differ in their plan and not in their parts, and is given no dates.
"""

import dataclasses
from typing import Any

import keras

from s2distill.models.blocks import CropLike
from s2distill.models.enlargement import Enlargement
from s2distill.models.fusion import CoarsenMask
from s2distill.models.fusion import FoldFrames
from s2distill.models.heads import heads
from s2distill.models.temporal_attention import AttentionPooling
from s2distill.models.temporal_attention import TemporalAttention
from s2distill.models.unet import ascend
from s2distill.models.unet import residual_blocks


@dataclasses.dataclass(frozen=True, kw_only=True)
class UTaeConfig:
    """Size of a U-TAE.

    Attributes:
      channels: Of each level, finest (10 m) first; each is half as fine.
      blocks: Residual blocks of each level, on the way down (each frame) and
        on the way up.
      heads: Attention heads; each weighs an equal group of every level's
        channels.
      key_channels: Length of an attention key.
    """

    channels: tuple[int, ...] = (48, 48, 64)
    blocks: tuple[int, ...] = (3, 1, 1)
    heads: int = 16
    key_channels: int = 4


# Each near a student's in multiply-adds and parameters: "small" and "base" near
# those of the same names at 8 frames, "full" near "hrnet_w32" at 32.
U_TAE_PRESETS = {
    "small": UTaeConfig(),
    "base": UTaeConfig(channels=(96, 96, 128)),
    "full": UTaeConfig(channels=(64, 128, 256, 512), blocks=(3, 3, 3, 3)),
}


def build_u_tae(
    bands: int, label_factor: int, config: UTaeConfig
) -> keras.Model:
    """The U-TAE, with the inputs and outputs of the student.

    Args:
      bands: C, number of Sentinel-2 bands.
      label_factor: Label pixels per Sentinel-2 pixel and axis.
      config: Size.

    Returns:
      Model with the inputs and outputs of `student.build_student`.

    Raises:
      ValueError: If the heads do not divide the channels of a level, or the
        levels have no number of blocks each.
    """
    if len(config.blocks) != len(config.channels):
        raise ValueError(
            f"{len(config.channels)} levels need a number of blocks each, got "
            f"{config.blocks}"
        )
    if any(channels % config.heads for channels in config.channels):
        raise ValueError(
            f"{config.heads} heads do not divide the channels "
            f"{config.channels} of every level"
        )
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    masks = [frame_valid]
    for i in range(1, len(config.channels)):
        masks.append(CoarsenMask(name=f"mask{i}")(masks[-1]))
    frames = FoldFrames(name="fold")(s2, frame_valid)
    levels = _encode(frames, config)
    x = ascend(_pool(levels, masks, config), blocks=config.blocks)
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid},
        heads(x, label_factor),
        name="u_tae",
    )


def _encode(x: Any, config: UTaeConfig) -> list[Any]:
    """Each level of the frames, [B T, H, W, C], finest first."""
    levels = []
    for i, channels in enumerate(config.channels):
        x = keras.layers.Conv2D(
            channels,
            3,
            strides=2 if i else 1,
            padding="same",
            activation=None if i else "relu",
            kernel_initializer="he_normal",
            name=f"down{i}",
        )(x)
        x = residual_blocks(x, config.blocks[i], f"down{i}")
        levels.append(x)
    return levels


def _pool(levels: list[Any], masks: list[Any], config: UTaeConfig) -> list[Any]:
    """Each level without its frames, [B, H, W, C]: by attention, then mixed."""
    weights = TemporalAttention(
        config.heads, config.key_channels, name="attention"
    )(levels[-1], masks[-1])
    pooled = []
    for i in reversed(range(len(levels))):
        if pooled:
            # Linear, not cubic: no frame may count less than nothing.
            weights = Enlargement(2, "linear", name=f"weights{i}")(weights)
            weights = CropLike(name=f"weights{i}_crop")(weights, levels[i])
        x = AttentionPooling(name=f"pool{i}")(levels[i], weights, masks[i])
        x = keras.layers.Conv2D(
            config.channels[i], 1, activation="relu", name=f"pool{i}_mix"
        )(x)
        pooled.insert(0, x)
    return pooled
