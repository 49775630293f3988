"""Builds a network by its name; the one door into this package."""

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import keras

from s2distill.errors import ConfigError
from s2distill.models.bicubic_unet import BICUBIC_UNET_PRESETS
from s2distill.models.bicubic_unet import build_bicubic_unet
from s2distill.models.composite_student import COMPOSITE_STUDENT_PRESETS
from s2distill.models.composite_student import build_composite_student
from s2distill.models.student import STUDENT_PRESETS
from s2distill.models.student import build_student
from s2distill.models.super_resolution_unet import SUPER_RESOLUTION_UNET_PRESETS
from s2distill.models.super_resolution_unet import build_super_resolution_unet
from s2distill.models.teacher import TEACHER_PRESETS
from s2distill.models.teacher import build_teacher
from s2distill.models.u_tae import U_TAE_PRESETS
from s2distill.models.u_tae import build_u_tae

TEACHER, STUDENT = "teacher", "student"

# Of those that take frames: presets by name, and
# build(bands, label_factor, config).
FRAME_NETWORKS: dict[
    str, tuple[Mapping[str, Any], Callable[[int, int, Any], keras.Model]]
] = {
    STUDENT: (STUDENT_PRESETS, build_student),
    "bicubic_unet": (BICUBIC_UNET_PRESETS, build_bicubic_unet),
    "super_resolution_unet": (
        SUPER_RESOLUTION_UNET_PRESETS,
        build_super_resolution_unet,
    ),
    "composite_student": (COMPOSITE_STUDENT_PRESETS, build_composite_student),
    "u_tae": (U_TAE_PRESETS, build_u_tae),
}


def build_network(
    name: str,
    *,
    preset: str,
    bands: int,
    label_factor: int,
    fusion: str | None = None,
    view: bool = False,
) -> keras.Model:
    """A network, freshly initialised.

    Args:
      name: "teacher" sees {"image"}, with `view` also {"view"}; those of
        `FRAME_NETWORKS` see {"s2", "frame_valid"}.
      preset: Size, for example "small".
      bands: Number of Sentinel-2 bands; the teacher has no use for it.
      label_factor: Label pixels per Sentinel-2 pixel and axis; likewise.
      fusion: How a student's frames exchange what they know; None leaves it
        to the preset.
      view: Whether a teacher is told from where its image was taken.

    Returns:
      Model whose outputs are those of `models.heads`.

    Raises:
      ConfigError: If there is no such network or preset, or if fusion or view
        are asked of a network that has none.
    """
    config = _find_config(name, preset)
    if fusion is not None:
        if name != STUDENT:
            raise ConfigError(
                f"--fusion={fusion} is a choice of --network=student; drop it "
                f"for {name}"
            )
        config = dataclasses.replace(config, fusion=fusion)
    if view:
        if name != TEACHER:
            raise ConfigError(
                f"--view is for --network=teacher, which sees the 50 cm image;"
                f" drop it for {name}"
            )
        config = dataclasses.replace(config, view=True)
    if name == TEACHER:
        network = build_teacher(config)
    else:
        _, build = FRAME_NETWORKS[name]
        network = build(bands, label_factor, config)
    # Its layers keep the policy; the model itself would cast what it is fed,
    # and shifts of frames are not found in 8 bits.
    network.dtype_policy = keras.DTypePolicy("float32")
    return network


def _find_config(name: str, preset: str) -> Any:
    presets = {TEACHER: TEACHER_PRESETS} | {
        network: presets for network, (presets, _) in FRAME_NETWORKS.items()
    }
    if name not in presets:
        raise ConfigError(f"no network {name!r}; there are {list(presets)}")
    if preset not in presets[name]:
        raise ConfigError(
            f"{name} has no preset {preset!r}; there are {list(presets[name])}"
        )
    return presets[name][preset]
