"""The student: a stack of Sentinel-2 frames -> buildings and roads at 50 cm.

Frames err in place by a part of a pixel, so together they sample the ground
more finely than 10 m. A fixed layer finds their shifts and adds them up on a
finer grid, where a U-Net draws the one picture of the place. Beside that, one
encoder, shared by all frames, sees each at 10 m; after every stage the frames
exchange what they know, and the U-Net joins what they pool: how places change
from date to date. The last step to the label grid is the heads' own pixel
shuffle, so that no convolution runs at 50 cm: from 10 m frames there is
nothing to compute there.

Layers named "bottleneck", the U-Net's coarsest level, and "features", its
finest, from which the heads answer, tell what the network makes of a place.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from s2distill.models import hrnet
from s2distill.models.enlargement import Enlargement
from s2distill.models.fusion import CoarsenMask
from s2distill.models.fusion import FoldFrames
from s2distill.models.fusion import make_exchange
from s2distill.models.fusion import make_pooling
from s2distill.models.heads import heads
from s2distill.models.shift_and_add import ShiftAndAdd
from s2distill.models.unet import unet


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """Size of a student.

    Attributes:
      channels: Of each branch of the frame encoder, finest (10 m) first; each
        stage but the first adds one.
      stages: Stages of the encoder, at least one for each branch; fusion
        follows each.
      blocks: Residual blocks in a stage and branch.
      fusion: Kind of fusion across time, one of `models.fusion.FUSIONS`.
      frame_enlargement: Pixels of the encoder's finest branch per Sentinel-2
        pixel and axis, a power of two; at most the U-Net's.
      enlargement: Pixels of the U-Net's finest grid per Sentinel-2 pixel and
        axis, a power of two; halved until it divides the label factor.
      sigmas_px: Widths of the kernels by which frames are added up on that
        grid, in Sentinel-2 pixels.
      unet_channels: Of each level of the U-Net, finest first.
      unet_blocks: Residual blocks of a level, on the way down and up.
    """

    channels: tuple[int, ...] = (32,)
    stages: int = 1
    blocks: int = 1
    fusion: str = "mean_max"
    frame_enlargement: int = 1
    enlargement: int = 4
    sigmas_px: tuple[float, ...] = (0.1, 0.3)
    unet_channels: tuple[int, ...] = (32, 64, 96)
    unet_blocks: int = 1


STUDENT_PRESETS = {
    "small": StudentConfig(),
    "base": StudentConfig(channels=(48,), unet_channels=(64, 128, 192)),
    # Branches as wide as the published networks', blocks of a stage too.
    "hrnet_w18": StudentConfig(
        channels=(18, 36, 72, 144),
        stages=4,
        blocks=4,
        unet_channels=(48, 96, 144, 144, 144, 144),
    ),
    "hrnet_w32": StudentConfig(
        channels=(32, 64, 128, 256),
        stages=4,
        blocks=4,
        unet_channels=(64, 128, 256, 256, 256, 256),
    ),
}


def build_student(
    bands: int, label_factor: int, config: StudentConfig
) -> keras.Model:
    """The student network.

    Args:
      bands: C, number of Sentinel-2 bands.
      label_factor: Label pixels per Sentinel-2 pixel and axis, 20 for 0.5 m;
        any number from 1.
      config: Size.

    Returns:
      Model of {"s2": [B, T, H, W, C] normalised reflectance, "frame_valid":
      [B, T, H, W]} to the dictionary of `models.heads`, h = H label_factor.
      T, H and W are free.

    Raises:
      ValueError: If the label factor is below 1, an enlargement no power of
        two, a branch has no stage, the U-Net has too few levels to reach the
        frames' grids, or there is no such fusion.
    """
    if len(config.channels) > config.stages:
        raise ValueError(
            f"{len(config.channels)} branches of frames need as many stages, "
            f"got {config.stages}"
        )
    enlargement = fit_enlargement(config.enlargement, label_factor)
    frame_enlargement = fit_enlargement(config.frame_enlargement, enlargement)
    s2 = keras.Input((None, None, None, bands), name="s2")
    frame_valid = keras.Input((None, None, None), name="frame_valid")
    frames, seen = FoldFrames(name="fold")(s2, frame_valid), frame_valid
    if frame_enlargement > 1:
        frames = Enlargement(frame_enlargement, name="frame_enlarge")(frames)
        for axis in (2, 3):
            seen = ops.repeat(seen, frame_enlargement, axis=axis)
    pooled = _encode(frames, seen, config)

    x = ShiftAndAdd(enlargement, config.sigmas_px, name="shift_and_add")(
        s2, frame_valid
    )
    x = _stem(config.unet_channels[0], "stem")(x)
    # Halving brings the U-Net back to the frames' grid; their coarser branches
    # follow level by level.
    level = (enlargement // frame_enlargement).bit_length() - 1
    x = unet(
        x,
        config.unet_channels,
        blocks=config.unet_blocks,
        joined=dict(enumerate(pooled, start=level)),
    )
    return keras.Model(
        {"s2": s2, "frame_valid": frame_valid},
        heads(x, label_factor // enlargement),
        name="student",
    )


def fit_enlargement(wanted: int, label_factor: int) -> int:
    """The largest power of two, at most `wanted`, that divides the factor.

    Raises:
      ValueError: If the label factor is below 1 or `wanted` no power of two.
    """
    if label_factor < 1:
        raise ValueError(f"label factor must be at least 1, got {label_factor}")
    if wanted < 1 or wanted & (wanted - 1):
        raise ValueError(f"enlargement must be a power of two, got {wanted}")
    while label_factor % wanted:
        wanted //= 2
    return wanted


def _encode(
    frames: keras.KerasTensor,
    frame_valid: keras.KerasTensor,
    config: StudentConfig,
) -> list[keras.KerasTensor]:
    """Each branch of the frames [B T, H, W, C], pooled over the frames."""
    masks = [frame_valid]
    for i in range(1, len(config.channels)):
        masks.append(CoarsenMask(name=f"mask{i}")(masks[-1]))
    branches = [_stem(config.channels[0], "frame_stem")(frames)]
    for i in range(config.stages):
        name = f"stage{i}"
        if 0 < i < len(config.channels):
            branches = hrnet.add_branch(branches, config.channels[i], name)
        branches = hrnet.stage(branches, config.blocks, name)
        branches = _fuse(make_exchange, config, branches, masks, f"{name}_time")
    return _fuse(make_pooling, config, branches, masks, "pool")


def _fuse(
    make: Callable[[str, int, str], Callable[[Any, Any], Any]],
    config: StudentConfig,
    branches: Sequence[Any],
    masks: Sequence[Any],
    name: str,
) -> list[Any]:
    """Each branch across time; masks of branches to come are left over."""
    return [
        make(config.fusion, x.shape[-1], f"{name}{i}")(x, seen)
        for i, (x, seen) in enumerate(zip(branches, masks, strict=False))
    ]


def _stem(channels: int, name: str) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        channels,
        3,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=name,
    )
