"""The six answers, at the label grid: one convolution, one pixel shuffle.

building_logits   [N, h, w, 1], any real number
road_logits       [N, h, w, 1], any real number
centroid_density  [N, h, w, 1], buildings per pixel, >= 0
height_m          [N, h, w, 1], metres above ground, >= 0
height_scale_m    [N, h, w, 1], metres, >= 0.1: mean absolute error to expect
                  of height_m, the scale of a Laplace distribution around it
image_grey        [N, h, w, 1], the 50 cm image in grey, 0 to 1

Density and height have long tails: the peak of a centroid is 50 times the
mean of a suburb, a tower 10 times a house. They are the square of a
softplus. As the softplus itself, the last layer would have to grow as far as
the tail reaches, and trainings of a few hundred steps ended with tall
buildings squashed; an exponential gets there as fast and explodes on what no
network has seen.
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
    "height_scale_m",
    "image_grey",
)
# Name of the layer whose output the heads read; hints compare it.
FEATURES = "features"

# Where training starts: shares and sizes of a suburb, so that the first
# steps are not spent on learning the means.
_BUILDING_SHARE = 0.2
_ROAD_SHARE = 0.15
_BUILDINGS_PER_PX = 4e-4  # 16 buildings a hectare at 0.5 m
_HEIGHT_M = 6.0
_HEIGHT_SCALE_M = 2.0
# Unit of the raw height output: one unit is a few storeys.
_HEIGHT_UNIT_M = 5.0
# Below it a likelihood would reward fitting the rounding of labels.
_LEAST_HEIGHT_SCALE_M = 0.1


@keras.saving.register_keras_serializable(package="s2distill")
class Answers(keras.layers.Layer):
    """Raw numbers to the six outputs, float32 whatever the policy.

    Shapes:
      [N, h, w, 6] -> dictionary of [N, h, w, 1] float32, see the module.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def call(self, x: Any) -> dict[str, Any]:
        # Not slices: the gradient of each would be a whole array of zeros.
        building, road, density, height, scale, grey = ops.split(
            x, len(OUTPUTS), axis=-1
        )
        return {
            "building_logits": building + _logit(_BUILDING_SHARE),
            "road_logits": road + _logit(_ROAD_SHARE),
            "centroid_density": _squared_softplus(
                density, _BUILDINGS_PER_PX, 1.0
            ),
            "height_m": _squared_softplus(
                height, _HEIGHT_UNIT_M, _HEIGHT_M / _HEIGHT_UNIT_M
            ),
            "height_scale_m": _LEAST_HEIGHT_SCALE_M
            + ops.softplus(
                scale
                + _inverse_softplus(_HEIGHT_SCALE_M - _LEAST_HEIGHT_SCALE_M)
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
      x: [N, H, W, C] features; a layer named `FEATURES` passes them on.
      factor: Label pixels per feature pixel and axis.
      name: Prefix of the layers; another than "heads" prefixes `FEATURES`
        too.

    Returns:
      Dictionary of [N, H factor, W factor, 1] float32, keys `OUTPUTS`.
    """
    features = FEATURES if name == "heads" else f"{name}_{FEATURES}"
    x = keras.layers.Identity(name=features)(x)
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


def _squared_softplus(x: Any, unit: float, units_at_0: float) -> Any:
    """From 0, `units_at_0` units at x = 0, then growing as x squared."""
    shift = _inverse_softplus(math.sqrt(units_at_0))
    return unit * ops.square(ops.softplus(x + shift))


def _inverse_softplus(y: float) -> float:
    return math.log(math.expm1(y))
