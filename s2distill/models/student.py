"""The student: a stack of Sentinel-2 frames -> buildings and roads at 50 cm.

One encoder, shared by all frames, sees each at 10 m; after every stage the
frames exchange what they know; at the end they are pooled, and a decoder
refines the one picture of the place to the label grid.
"""

import dataclasses
from collections.abc import Sequence

import keras

from s2distill.models import hrnet
from s2distill.models.blocks import ResidualBlock
from s2distill.models.decoder import decode
from s2distill.models.fusion import CoarsenMask
from s2distill.models.fusion import FoldFrames
from s2distill.models.fusion import MaskedExchange
from s2distill.models.fusion import MaskedPooling


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """Size of a student.

    Attributes:
      channels: Of each branch of the frame encoder, finest (10 m) first.
      stages: Stages of the encoder; fusion follows each.
      blocks: Residual blocks in a stage and branch.
      fused_channels: Of the pooled picture at 10 m.
      fused_blocks: Residual blocks on it; they cost nothing per frame.
      decoder_blocks: After each refinement.
      decoder_min_channels: Of the finest features.
    """

    channels: tuple[int, ...] = (40, 64)
    stages: int = 2
    blocks: int = 1
    fused_channels: int = 128
    fused_blocks: int = 2
    decoder_blocks: int = 1
    decoder_min_channels: int = 32


STUDENT_PRESETS = {"small": StudentConfig()}


def build_student(
    bands: int, label_factor: int, config: StudentConfig
) -> keras.Model:
    """The student network.

    Args:
      bands: C, number of Sentinel-2 bands.
      label_factor: Label pixels per Sentinel-2 pixel and axis, 20 for 0.5 m.
      config: Size.

    Returns:
      Model of {"s2": [B, T, H, W, C] normalised reflectance, "frame_valid":
      [B, T, H, W]} to the dictionary of `models.heads`, h = H label_factor.
      T, H and W are free.
    """
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    masks = [frame_valid]
    for i in range(1, len(config.channels)):
        masks.append(CoarsenMask(name=f"mask{i}")(masks[-1]))

    x = FoldFrames(name="fold")(s2, frame_valid)
    x = keras.layers.Conv2D(
        config.channels[0],
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    branches = [x]
    for i in range(config.stages):
        name = f"stage{i}"
        if 0 < i < len(config.channels):
            branches = hrnet.add_branch(branches, config.channels[i], name)
        branches = hrnet.stage(branches, config.blocks, name)
        branches = _exchange_across_time(branches, masks, name)

    pooled = [
        MaskedPooling(name=f"pool{i}")(branch, mask)
        for i, (branch, mask) in enumerate(zip(branches, masks, strict=False))
    ]
    x = hrnet.merge(pooled, config.fused_channels, "fused")
    for i in range(config.fused_blocks):
        x = ResidualBlock(config.fused_channels, name=f"fused_r{i}")(x)
    answers = decode(
        x,
        label_factor,
        blocks=config.decoder_blocks,
        min_channels=config.decoder_min_channels,
    )
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid}, answers, name="student"
    )


def _exchange_across_time(
    branches: Sequence[keras.KerasTensor],
    masks: Sequence[keras.KerasTensor],
    name: str,
) -> list[keras.KerasTensor]:
    return [
        MaskedExchange(branch.shape[-1], name=f"{name}_time{i}")(branch, mask)
        for i, (branch, mask) in enumerate(zip(branches, masks, strict=False))
    ]
