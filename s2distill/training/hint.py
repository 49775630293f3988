"""Hints: the student's last features are led towards the teacher's.

Source:
  Romero et al. 2015, "FitNets: Hints for Thin Deep Nets", arXiv:1412.6550,
  with one 1x1 convolution between the two, as their grids differ by no more
  than their size.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from s2distill.errors import ConfigError

FEATURES = "features"  # layer of every network, see `models.heads`
_EPSILON = 1e-6


def answer_with_features(network: keras.Model) -> keras.Model:
    """The same network, with "features" beside its answers.

    Args:
      network: Its weights are shared, not copied.

    Raises:
      ConfigError: If it was saved before networks had that layer.
    """
    try:
        features = network.get_layer(FEATURES).output
    except ValueError as error:
        raise ConfigError(
            f"{network.name} has no layer {FEATURES!r}, so it gives no hints: "
            "train it again with this version, or drop --hint_weight"
        ) from error
    model = keras.Model(
        network.input, {**network.output, FEATURES: features}, name=network.name
    )
    model.dtype_policy = network.dtype_policy
    return model


class FeatureHint(keras.layers.Layer):
    """How far a projection of the student's features is from the teacher's.

    Both are brought to the coarser of the two grids by area-weighted means. The
    teacher's are measured in standard deviations of each channel over the
    batch, so that none outweighs the others and the size of the loss says
    something: 1 is what their mean would cost.

    Shapes (static height and width; the grids cover the same ground):
      student's [B, H, W, C], teacher's [B, H', W', C'], seen [B, h, w, 1], 1
      where the teacher saw the ground -> (sum, weight), scalars.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.channels = channels
        self.project = keras.layers.Conv2D(
            channels, 1, dtype=self.dtype_policy, name="project"
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.project.build(input_shape)

    def call(self, student: Any, teacher: Any, seen: Any) -> tuple[Any, Any]:
        side = tuple(map(min, student.shape[1:3], teacher.shape[1:3]))
        found = self.project(resample(ops.cast(student, "float32"), side))
        wanted = ops.stop_gradient(resample(ops.cast(teacher, "float32"), side))
        weight = resample(seen, side)
        total = ops.sum(weight)
        axes = (0, 1, 2)
        least = ops.maximum(total, _EPSILON)
        mean = ops.sum(wanted * weight, axes) / least
        variance = ops.sum(ops.square(wanted - mean) * weight, axes) / least
        # A channel that never changes asks for nothing.
        wanted = (wanted - mean) / ops.sqrt(variance + _EPSILON)
        error = ops.mean(ops.square(found - wanted), axis=-1, keepdims=True)
        return ops.sum(error * weight), total


def resample(x: Any, side: tuple[int, int]) -> Any:
    """Area-weighted means of an image's pixels on a coarser grid.

    Args:
      x: [B, H, W, C], height and width static.
      side: Height and width of the result, at most H and W, of any ratio.

    Returns:
      [B, *side, C].
    """
    rows, cols = (
        area_weights(old, new)
        for old, new in zip(x.shape[1:3], side, strict=True)
    )
    if rows.shape[0] != rows.shape[1]:
        x = ops.einsum("oh,bhwc->bowc", ops.convert_to_tensor(rows), x)
    if cols.shape[0] != cols.shape[1]:
        x = ops.einsum("ow,bhwc->bhoc", ops.convert_to_tensor(cols), x)
    return x


def area_weights(old: int, new: int) -> np.ndarray:
    """[new, old] float32: the share of each old pixel in each new one."""
    edges = np.arange(new + 1)[:, None] * (old / new)
    pixels = np.arange(old)[None]
    covered = np.clip(edges - pixels, 0, 1)  # of each pixel, up to an edge
    return (np.diff(covered, axis=0) * (new / old)).astype(np.float32)
