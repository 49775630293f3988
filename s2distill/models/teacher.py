"""The teacher: a 50 cm image -> buildings and roads at 50 cm."""

import dataclasses

import keras
from keras import ops

from s2distill.models import hrnet
from s2distill.models.blocks import CropLike
from s2distill.models.blocks import PadToMultiple
from s2distill.models.blocks import ResidualBlock
from s2distill.models.heads import heads


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Size of a teacher.

    Attributes:
      stem_factor: Image pixels per pixel of the finest branch; even.
      channels: Of each branch, finest first; each is half as fine.
      blocks: Residual blocks in a stage and branch.
      stages_after: Further stages once every branch is there.
      detail_channels: Of the features at twice the finest branch, where
        outlines are drawn.
    """

    stem_factor: int = 4
    channels: tuple[int, ...] = (32, 48, 64)
    blocks: int = 1
    stages_after: int = 1
    detail_channels: int = 24


TEACHER_PRESETS = {"small": TeacherConfig()}


def build_teacher(config: TeacherConfig) -> keras.Model:
    """The teacher network.

    Args:
      config: Size.

    Returns:
      Model of {"image": [B, h, w, 3] in [-1, 1]} to the dictionary of
      `models.heads` on the same grid. h and w are free.
    """
    image = keras.Input((None, None, 3), name="image")
    half = config.stem_factor // 2
    detail = PadToMultiple(half, name="pad")(image)
    detail = ops.space_to_depth(detail, half)
    detail = keras.layers.Conv2D(
        config.detail_channels,
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="detail",
    )(detail)
    x = keras.layers.Conv2D(
        config.channels[0],
        3,
        strides=2,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="stem",
    )(detail)
    branches = hrnet.stage([x], config.blocks, "stage0")
    for i, channels in enumerate(config.channels[1:], start=1):
        branches = hrnet.add_branch(branches, channels, f"stage{i}")
        branches = hrnet.stage(branches, config.blocks, f"stage{i}")
    for i in range(config.stages_after):
        branches = hrnet.stage(branches, config.blocks, f"after{i}")

    x = hrnet.merge(branches, 4 * config.detail_channels, "merge")
    x = ops.depth_to_space(x, 2)
    x = CropLike(name="refine_crop")(x, detail)
    x = keras.layers.Concatenate(name="with_detail")([x, detail])
    x = keras.layers.Conv2D(
        config.detail_channels,
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="outline",
    )(x)
    x = ResidualBlock(config.detail_channels, name="outline_r0")(x)
    answers = {
        name: CropLike(name=f"{name}_crop")(answer, image)
        for name, answer in heads(x, half).items()
    }
    return keras.Model({"image": image}, answers, name="teacher")
