"""The teacher: a 50 cm image -> buildings and roads at 50 cm."""

import dataclasses

import keras
from keras import ops

from s2distill.models import hrnet
from s2distill.models.blocks import CropLike
from s2distill.models.blocks import PadToMultiple
from s2distill.models.heads import heads


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Size of a teacher.

    Attributes:
      stem_factor: Image pixels per pixel of the finest branch and axis; what
        they hold becomes channels, so that nothing of the image is lost.
      channels: Of each branch, finest first; each is half as fine.
      blocks: Residual blocks in a stage and branch.
      stages_after: Further stages once every branch is there.
      merged_channels: Of all branches together, before the heads.
    """

    stem_factor: int = 4
    channels: tuple[int, ...] = (32, 64, 96)
    blocks: int = 1
    stages_after: int = 0
    merged_channels: int = 64


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
    x = PadToMultiple(config.stem_factor, name="pad")(image)
    x = ops.space_to_depth(x, config.stem_factor)
    x = keras.layers.Conv2D(
        config.channels[0],
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    branches = hrnet.stage([x], config.blocks, "stage0")
    for i, channels in enumerate(config.channels[1:], start=1):
        branches = hrnet.add_branch(branches, channels, f"stage{i}")
        branches = hrnet.stage(branches, config.blocks, f"stage{i}")
    for i in range(config.stages_after):
        branches = hrnet.stage(branches, config.blocks, f"after{i}")

    x = hrnet.merge(branches, config.merged_channels, "merge")
    answers = {
        name: CropLike(name=f"{name}_crop")(answer, image)
        for name, answer in heads(x, config.stem_factor).items()
    }
    return keras.Model({"image": image}, answers, name="teacher")
