"""The five answers, at the label grid: one convolution, one pixel shuffle.

building_logits   [N, h, w, 1], any real number
road_logits       [N, h, w, 1], any real number
centroid_density  [N, h, w, 1], buildings per pixel, >= 0
height_m          [N, h, w, 1], metres above ground, >= 0
image_grey        [N, h, w, 1], the 50 cm image in grey, 0 to 1
"""

import math
from typing import Any

import keras
from keras import ops

OUTPUTS = (
    "building_logits",
    "road_logits",
    "centroid_density",
    "height_m",
    "image_grey",
)

# Where training starts: shares and sizes of a suburb, so that the first
# steps are not spent on learning the means.
_BUILDING_SHARE = 0.2
_ROAD_SHARE = 0.15
_BUILDINGS_PER_PX = 4e-4  # 16 buildings a hectare at 0.5 m
_HEIGHT_M = 6.0
# Unit of the raw height output: one unit is a few storeys.
_HEIGHT_UNIT_M = 5.0


@keras.saving.register_keras_serializable(package="s2distill")
class Answers(keras.layers.Layer):
    """Raw numbers to the five outputs, float32 whatever the policy.

    Shapes:
      [N, h, w, 5] -> dictionary of [N, h, w, 1] float32, see the module.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def call(self, x: Any) -> dict[str, Any]:
        # Not slices: the gradient of each would be a whole array of zeros.
        building, road, density, height, grey = ops.split(
            x, len(OUTPUTS), axis=-1
        )
        return {
            "building_logits": building + _logit(_BUILDING_SHARE),
            "road_logits": road + _logit(_ROAD_SHARE),
            "centroid_density": _BUILDINGS_PER_PX
            * ops.softplus(density + _inverse_softplus(1.0)),
            "height_m": _HEIGHT_UNIT_M
            * ops.softplus(
                height + _inverse_softplus(_HEIGHT_M / _HEIGHT_UNIT_M)
            ),
            "image_grey": ops.sigmoid(grey),
        }

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> dict[str, tuple[int | None, ...]]:
        return dict.fromkeys(OUTPUTS, (*input_shape[:3], 1))


def heads(x: Any, factor: int, name: str = "heads") -> dict[str, Any]:
    """Answers on a grid `factor` times finer than the features.

    Args:
      x: [N, H, W, C] features.
      factor: Label pixels per feature pixel and axis.
      name: Prefix of the layers.

    Returns:
      Dictionary of [N, H factor, W factor, 1] float32, keys `OUTPUTS`.
    """
    raw = keras.layers.Conv2D(
        len(OUTPUTS) * factor * factor,
        1,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name=f"{name}_raw",
    )(x)
    if factor > 1:
        raw = ops.depth_to_space(raw, factor)
    return Answers(name=name)(raw)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _inverse_softplus(y: float) -> float:
    return math.log(math.expm1(y))
