"""Building blocks on images [N, H, W, C], for any Keras backend.

N is a batch, or a batch of frames folded together: a block never looks
across images, so it may be used on either.
"""

from typing import Any

import keras
from keras import ops

_NARROW_SCALE = 0.3  # variance of a block's output, of that of its input
NORM_EPSILON = 1e-5  # float16 keeps it; 1e-6 would vanish beside 1


@keras.saving.register_keras_serializable(package="s2distill")
class ResidualBlock(keras.layers.Layer):
    """x + conv(relu(conv(norm(x)))), channels kept.

    The norm is over the channels of each pixel: unlike batch statistics it
    is the same in training and in use, for one frame or thirty, and on any
    number of replicas. The last kernel starts small, so that a deep stack
    begins near the identity, and not at zero, which costs the first steps.

    Shapes:
      [N, H, W, C] float -> the same.

    Attributes:
      channels: C.
      expansion: Channels between the two convolutions, as a multiple of C.
    """

    def __init__(
        self, channels: int, *, expansion: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.expansion = expansion
        policy = self.dtype_policy
        self.norm = keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, dtype=policy, name="norm"
        )
        self.widen = keras.layers.Conv2D(
            round(channels * expansion),
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            dtype=policy,
            name="widen",
        )
        self.narrow = keras.layers.Conv2D(
            channels,
            3,
            padding="same",
            kernel_initializer=keras.initializers.VarianceScaling(
                _NARROW_SCALE
            ),
            dtype=policy,
            name="narrow",
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.norm.build(input_shape)
        self.widen.build(input_shape)
        self.narrow.build(self.widen.compute_output_shape(input_shape))
        self.built = True

    def call(self, x: Any) -> Any:
        return x + self.narrow(self.widen(self.norm(x)))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "channels": self.channels,
            "expansion": self.expansion,
        }


@keras.saving.register_keras_serializable(package="s2distill")
class PadToMultiple(keras.layers.Layer):
    """Zeros at the bottom and right until both sides divide by `factor`.

    Shapes:
      [N, H, W, C] -> [N, H', W', C], H' and W' multiples of `factor`.

    Attributes:
      factor: What both sides will divide by.
    """

    def __init__(self, factor: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Any) -> Any:
        _, height, width, _ = ops.shape(x)
        rows, cols = -height % self.factor, -width % self.factor
        return ops.pad(x, ((0, 0), (0, rows), (0, cols), (0, 0)))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height + -height % self.factor,
            None if width is None else width + -width % self.factor,
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="s2distill")
class CropLike(keras.layers.Layer):
    """The top left of one image, cut to the size of another.

    Undoes the rounding up of a halving, so that any image size works.

    Shapes:
      ([N, H', W', C], [N, H, W, any]) -> [N, H, W, C], H' >= H, W' >= W.
    """

    def call(self, x: Any, reference: Any) -> Any:
        _, height, width, _ = ops.shape(reference)
        return x[:, :height, :width, :]

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        reference_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (x_shape[0], *reference_shape[1:3], x_shape[3])
