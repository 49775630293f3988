"""First super-resolve, then segment: two networks, the second sees a picture.

What many build from published parts: a network that makes the mean composite
four times finer, trained on images alone, and one that segments what it gives.
Nothing flows back from the second to the first.

Source:
  Lim et al. 2017, "Enhanced Deep Residual Networks for Single Image
  Super-Resolution", arXiv:1707.02921, section 3: residual blocks on the coarse
  grid, a pixel shuffle to the fine one.
"""

import dataclasses
from typing import Any

import keras
from keras import ops

from s2distill.models.composite import mean_composite
from s2distill.models.enlargement import Enlargement
from s2distill.models.fusion import FoldFrames
from s2distill.models.heads import heads
from s2distill.models.student import fit_enlargement
from s2distill.models.unet import residual_blocks
from s2distill.models.unet import unet


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuperResolutionUnetConfig:
    """Size of both networks.

    Attributes:
      enlargement: Super-resolved pixels per Sentinel-2 pixel and axis, a
        power of two; halved until it divides the label factor.
      image_channels: Of the first network, at 10 m.
      image_blocks: Residual blocks of the first network, at 10 m.
      fine_channels: Of the first network on the super-resolved grid.
      channels: Of each level of the U-Net, finest first.
      blocks: Residual blocks of the U-Net at each level, down and up.
    """

    enlargement: int = 4
    image_channels: int = 48
    image_blocks: int = 4
    fine_channels: int = 16
    channels: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1


# Near students' sizes, as those of `u_tae`, both networks together.
SUPER_RESOLUTION_UNET_PRESETS = {
    "small": SuperResolutionUnetConfig(),
    "base": SuperResolutionUnetConfig(channels=(64, 128, 192)),
    "full": SuperResolutionUnetConfig(
        image_channels=192,
        image_blocks=16,
        fine_channels=64,
        channels=(64, 128, 192, 256),
        blocks=3,
    ),
}


def build_super_resolution_unet(
    bands: int, label_factor: int, config: SuperResolutionUnetConfig
) -> keras.Model:
    """Both networks in one, with the inputs and outputs of the student.

    The super-resolved image is the answer `image_grey`, and its loss is all
    that teaches the first network. The second sees that image and, for its
    colours, the bands interpolated to the same grid, as they reach whoever
    sharpens images: it has all that `bicubic_unet` has, so a gap between the
    two is what super-resolving gives.

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
    fine = fit_enlargement(config.enlargement, label_factor)
    factor = label_factor // fine
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    composite = FoldFrames(name="fold")(*mean_composite(s2, frame_valid))
    enlarged = Enlargement(fine, name="enlarge")(composite)
    features = _sharpen(composite, fine, config)
    grey = _draw(features, enlarged, factor)

    x = keras.layers.Concatenate(name="picture")(
        [enlarged, ops.stop_gradient(grey)]
    )
    x = keras.layers.Conv2D(
        config.channels[0], 3, padding="same", activation="relu", name="stem"
    )(x)
    x = unet(x, config.channels, blocks=config.blocks)
    answers = heads(x, factor)
    answers["image_grey"] = _shuffle(grey, factor)
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid},
        answers,
        name="super_resolution_unet",
    )


def _sharpen(
    composite: Any, fine: int, config: SuperResolutionUnetConfig
) -> Any:
    """[B, H, W, C] -> features [B, H fine, W fine, fine_channels]."""
    x = keras.layers.Conv2D(
        config.image_channels, 3, padding="same", name="image_stem"
    )(composite)
    x = residual_blocks(x, config.image_blocks, "image")
    x = keras.layers.Conv2D(
        config.fine_channels * fine * fine, 1, name="image_shuffle"
    )(x)
    return keras.layers.Conv2D(
        config.fine_channels,
        3,
        padding="same",
        activation="relu",
        name="image_fine",
    )(_shuffle(x, fine))


def _draw(features: Any, enlarged: Any, factor: int) -> Any:
    """The grey image, the label pixels of a fine pixel as its channels.

    Args:
      features: [B, H fine, W fine, any].
      enlarged: [B, H fine, W fine, C], the interpolated bands.
      factor: Label pixels per fine pixel and axis.

    Returns:
      [B, H fine, W fine, factor^2] float32, 0 to 1.
    """
    # Interpolation gives one grey for all; the network adds the detail.
    smooth = keras.layers.Conv2D(1, 1, name="image_smooth")(enlarged)
    detail = keras.layers.Conv2D(
        factor * factor,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name="image_detail",
    )(features)
    return keras.layers.Activation("sigmoid", dtype="float32", name="image")(
        smooth + detail
    )


def _shuffle(x: Any, factor: int) -> Any:
    return ops.depth_to_space(x, factor) if factor > 1 else x
