"""The plain baseline: bicubic to a finer grid, then a small U-Net.

What most people try first: one Sentinel-2 picture (the masked mean of the
frames), enlarged by interpolation and segmented.
"""

import dataclasses
from typing import Any

import keras

from s2distill.models.blocks import CropLike
from s2distill.models.blocks import ResidualBlock
from s2distill.models.enlargement import Enlargement
from s2distill.models.fusion import FoldFrames
from s2distill.models.fusion import MaskedPooling
from s2distill.models.heads import heads


@dataclasses.dataclass(frozen=True, kw_only=True)
class BicubicUnetConfig:
    """Size of the baseline.

    Attributes:
      enlargement: Interpolated pixels per Sentinel-2 pixel and axis; must
        divide the label factor.
      channels: Of each level, finest first.
      blocks: Residual blocks at each level, on the way down and up.
    """

    enlargement: int = 4
    channels: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1


BICUBIC_UNET_PRESETS = {"small": BicubicUnetConfig()}


def build_bicubic_unet(
    bands: int, label_factor: int, config: BicubicUnetConfig
) -> keras.Model:
    """The baseline network, with the inputs and outputs of the student.

    Args:
      bands: C, number of Sentinel-2 bands.
      label_factor: Label pixels per Sentinel-2 pixel and axis.
      config: Size.

    Returns:
      Model with the inputs and outputs of `student.build_student`.

    Raises:
      ValueError: If the enlargement does not divide the label factor.
    """
    if label_factor % config.enlargement:
        raise ValueError(
            f"enlargement {config.enlargement} does not divide the label "
            f"factor {label_factor}"
        )
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    x = FoldFrames(name="fold")(s2, frame_valid)
    x = MaskedPooling(name="composite")(x, frame_valid)[..., : bands + 1]
    x = Enlargement(config.enlargement, kernel="bicubic", name="enlarge")(x)
    x = keras.layers.Conv2D(
        config.channels[0], 3, padding="same", activation="relu", name="stem"
    )(x)
    x = _unet(x, config)
    answers = heads(x, label_factor // config.enlargement)
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid}, answers, name="bicubic_unet"
    )


def _unet(x: Any, config: BicubicUnetConfig) -> Any:
    skips = []
    for i, channels in enumerate(config.channels):
        if i:
            x = keras.layers.Conv2D(
                channels, 3, strides=2, padding="same", name=f"down{i}"
            )(x)
        x = _blocks(x, config.blocks, f"down{i}")
        skips.append(x)
    for i in reversed(range(len(config.channels) - 1)):
        x = keras.layers.UpSampling2D(2, name=f"up{i}")(x)
        x = CropLike(name=f"up{i}_crop")(x, skips[i])
        x = keras.layers.Concatenate(name=f"up{i}_join")([x, skips[i]])
        x = keras.layers.Conv2D(
            config.channels[i], 1, activation="relu", name=f"up{i}_mix"
        )(x)
        x = _blocks(x, config.blocks, f"up{i}")
    return x


def _blocks(x: Any, count: int, name: str) -> Any:
    for j in range(count):
        x = ResidualBlock(x.shape[-1], name=f"{name}_r{j}")(x)
    return x
