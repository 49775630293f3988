"""Builds a network by its name; the one door into this package."""

from typing import Literal

import keras

from s2distill.errors import ConfigError
from s2distill.models.bicubic_unet import BICUBIC_UNET_PRESETS
from s2distill.models.bicubic_unet import build_bicubic_unet
from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import build_student
from s2distill.models.teacher import TEACHER_PRESETS
from s2distill.models.teacher import build_teacher

NetworkName = Literal["teacher", "student", "bicubic_unet"]


def build_network(
    name: NetworkName, *, preset: str, bands: int, label_factor: int
) -> keras.Model:
    """A network, freshly initialised.

    Args:
      name: "teacher" sees {"image"}; the others {"s2", "frame_valid"}.
      preset: Size, for example "small".
      bands: Number of Sentinel-2 bands; the teacher has no use for it.
      label_factor: Label pixels per Sentinel-2 pixel and axis; likewise.

    Returns:
      Model whose outputs are those of `models.heads`.

    Raises:
      ConfigError: If there is no such network or preset.
    """
    presets = {
        "teacher": TEACHER_PRESETS,
        "student": STUDENT_PRESETS,
        "bicubic_unet": BICUBIC_UNET_PRESETS,
    }
    if name not in presets:
        raise ConfigError(f"no network {name!r}; there are {list(presets)}")
    if preset not in presets[name]:
        raise ConfigError(
            f"{name} has no preset {preset!r}; there are {list(presets[name])}"
        )
    config = presets[name][preset]
    if name == "teacher":
        network = build_teacher(config)
    elif name == "student":
        network = build_student(bands, label_factor, config)
    else:
        network = build_bicubic_unet(bands, label_factor, config)
    # Its layers keep the policy; the model itself would cast what it is fed,
    # and shifts of frames are not found in 8 bits.
    network.dtype_policy = keras.DTypePolicy("float32")
    return network
