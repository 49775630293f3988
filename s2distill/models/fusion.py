"""Fusion across time: masked, order-free, for any number of frames.

Frames travel folded into the batch, [B T, H, W, C]; the mask `frame_valid`
[B, T, H, W] travels beside them and tells B and T. Every layer here obeys

* the order of the frames does not matter,
* what stands in an invalid pixel of a frame has no influence,
* T may differ from call to call, and one frame works.
"""

from typing import Any

import keras
from keras import ops

from s2distill.models.blocks import NORM_EPSILON

# Lower than any feature, and finite in float16.
_LOWEST = -6e4


@keras.saving.register_keras_serializable(package="s2distill")
class FoldFrames(keras.layers.Layer):
    """[B, T, H, W, C] and mask [B, T, H, W] -> [B T, H, W, C + 1].

    Invalid pixels become 0; the mask is the last channel, so that a zero
    reflectance and a missing one differ.
    """

    def call(self, frames: Any, frame_valid: Any) -> Any:
        seen = ops.cast(frame_valid, frames.dtype)[..., None]
        # `where`, not a product: 0 x NaN would be NaN.
        clean = ops.where(seen > 0, frames, ops.zeros_like(frames))
        x = ops.concatenate([clean, seen], axis=-1)
        _, _, height, width, channels = ops.shape(x)
        return ops.reshape(x, (-1, height, width, channels))

    def compute_output_shape(
        self,
        frames_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (None, *frames_shape[2:4], frames_shape[4] + 1)


@keras.saving.register_keras_serializable(package="s2distill")
class MaskedPooling(keras.layers.Layer):
    """Masked mean and maximum of the frames, side by side.

    A place without a valid frame gets 0.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B, H, W, 2 C].
    """

    def call(self, x: Any, frame_valid: Any) -> Any:
        return ops.concatenate(_mean_and_max(x, frame_valid), axis=-1)

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (frame_valid_shape[0], *x_shape[1:3], 2 * x_shape[3])


@keras.saving.register_keras_serializable(package="s2distill")
class MaskedExchange(keras.layers.Layer):
    """Gives each frame what all frames know: x + project(mean, max).

    This is how a frame learns in what it differs from the others. It costs
    one 1 x 1 convolution for each place, whatever T.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B T, H, W, C].

    Attributes:
      channels: C.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        policy = self.dtype_policy
        self.norm = keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, dtype=policy, name="norm"
        )
        self.project = keras.layers.Conv2D(
            channels, 1, dtype=policy, name="project"
        )

    def build(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> None:
        pooled = (None, *x_shape[1:3], 2 * self.channels)
        self.norm.build(pooled)
        self.project.build(pooled)
        self.built = True

    def call(self, x: Any, frame_valid: Any) -> Any:
        pooled = ops.concatenate(_mean_and_max(x, frame_valid), axis=-1)
        shared = self.project(self.norm(pooled))
        _, height, width, channels = ops.shape(x)
        frames = ops.shape(frame_valid)[1]
        by_place = ops.reshape(x, (-1, frames, height, width, channels))
        return ops.reshape(
            by_place + shared[:, None], (-1, height, width, channels)
        )

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return x_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="s2distill")
class CoarsenMask(keras.layers.Layer):
    """A frame mask on a grid half as fine: valid if any of its pixels is.

    Shapes:
      [B, T, H, W] -> [B, T, ceil(H / 2), ceil(W / 2)].
    """

    def call(self, frame_valid: Any) -> Any:
        _, frames, height, width = ops.shape(frame_valid)
        images = ops.reshape(frame_valid, (-1, height, width, 1))
        coarse = ops.max_pool(images, 2, 2, padding="same")
        return ops.reshape(
            coarse, (-1, frames, -(-height // 2), -(-width // 2))
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return (
            *input_shape[:2],
            *(None if n is None else -(-n // 2) for n in input_shape[2:]),
        )


def _mean_and_max(x: Any, frame_valid: Any) -> tuple[Any, Any]:
    """Over the valid frames: two arrays [B, H, W, C], 0 where there is none."""
    _, height, width, channels = ops.shape(x)
    frames = ops.shape(frame_valid)[1]
    x = ops.reshape(x, (-1, frames, height, width, channels))
    weight = ops.cast(frame_valid, x.dtype)[..., None]
    count = ops.sum(weight, axis=1)
    mean = ops.sum(x * weight, axis=1) / ops.maximum(count, 1.0)
    highest = ops.max(ops.where(weight > 0, x, _LOWEST), axis=1)
    return mean, ops.where(count > 0, highest, ops.zeros_like(highest))
