"""The teacher: a 50 cm image -> buildings and roads at 50 cm."""

import dataclasses

import keras
from keras import ops

from s2distill.models.blocks import CropLike
from s2distill.models.blocks import PadToMultiple
from s2distill.models.heads import heads
from s2distill.models.unet import unet


@dataclasses.dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Size of a teacher.

    Attributes:
      stem_factor: Image pixels per pixel of the finest level and axis; what
        they hold becomes channels, so that nothing of the image is lost.
      channels: Of each level, finest first; each is half as fine.
      blocks: Residual blocks of a level, on the way down and up.
      view: Whether it is told from where the image was taken: off nadir,
        roofs lean away from the footprints that it is to mark.
    """

    stem_factor: int = 4
    channels: tuple[int, ...] = (48, 96, 128)
    blocks: int = 1
    view: bool = False


TEACHER_PRESETS = {
    "small": TeacherConfig(),
    # At 1 m outlines are straight; worth its cost where bfloat16 is fast.
    "base": TeacherConfig(stem_factor=2, channels=(48, 96, 192, 256)),
}


def build_teacher(config: TeacherConfig) -> keras.Model:
    """The teacher network.

    Args:
      config: Size.

    Returns:
      Model of {"image": [B, h, w, 3] in [-1, 1]}, with a view also {"view":
      [B, 3]}, to the dictionary of `models.heads` on the same grid. h and w
      are free. A view is by how much a roof leans for each metre of its
      height, to the right and down, and 1; zeros where nobody knows.
    """
    image = keras.Input((None, None, 3), name="image")
    inputs = {"image": image}
    x = PadToMultiple(config.stem_factor, name="pad")(image)
    x = ops.space_to_depth(x, config.stem_factor)
    if config.view:
        inputs["view"] = keras.Input((3,), name="view")
        everywhere = ops.ones_like(x[..., :1])
        x = ops.concatenate(
            [x, everywhere * inputs["view"][:, None, None, :]], axis=-1
        )
    x = keras.layers.Conv2D(
        config.channels[0],
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name="stem",
    )(x)
    x = unet(x, config.channels, blocks=config.blocks)
    answers = {
        name: CropLike(name=f"{name}_crop", dtype="float32")(answer, image)
        for name, answer in heads(x, config.stem_factor).items()
    }
    return keras.Model(inputs, answers, name="teacher")
