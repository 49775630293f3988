"""The plain baseline: bicubic to a finer grid, then a small U-Net.

What most people try first: one Sentinel-2 picture (the masked mean of the
frames), enlarged by interpolation and segmented.
"""

import dataclasses

import keras

from s2distill.models.composite import mean_composite
from s2distill.models.enlargement import Enlargement
from s2distill.models.fusion import FoldFrames
from s2distill.models.heads import heads
from s2distill.models.student import fit_enlargement
from s2distill.models.unet import unet


@dataclasses.dataclass(frozen=True, kw_only=True)
class BicubicUnetConfig:
    """Size of the baseline.

    Attributes:
      enlargement: Interpolated pixels per Sentinel-2 pixel and axis, a power
        of two; halved until it divides the label factor.
      channels: Of each level, finest first.
      blocks: Residual blocks at each level, on the way down and up.
    """

    enlargement: int = 4
    channels: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1


# Near students' sizes, as those of `u_tae`.
BICUBIC_UNET_PRESETS = {
    "small": BicubicUnetConfig(),
    "base": BicubicUnetConfig(channels=(64, 128, 192)),
    "full": BicubicUnetConfig(channels=(96, 192, 256, 384), blocks=3),
}


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
      ValueError: If the label factor is below 1 or the enlargement no power of
        two.
    """
    enlargement = fit_enlargement(config.enlargement, label_factor)
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    x = FoldFrames(name="fold")(*mean_composite(s2, frame_valid))
    x = Enlargement(enlargement, name="enlarge")(x)
    x = keras.layers.Conv2D(
        config.channels[0], 3, padding="same", activation="relu", name="stem"
    )(x)
    x = unet(x, config.channels, blocks=config.blocks)
    answers = heads(x, label_factor // enlargement)
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid}, answers, name="bicubic_unet"
    )
