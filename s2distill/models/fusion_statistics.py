"""Fusion by statistics over the valid frames: mean and maximum, or the mean.

Shapes and promises are those of `models.fusion`.
"""

from typing import Any

import keras
from keras import ops

from s2distill.models.blocks import NORM_EPSILON

# Lower than any feature, and finite in float16.
_LOWEST = -6e4


@keras.saving.register_keras_serializable(package="s2distill")
class MaskedMean(keras.layers.Layer):
    """Mean of the valid frames; a place without one gets 0.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B, H, W, C].
    """

    def call(self, x: Any, frame_valid: Any) -> Any:
        x, seen = _clean(x, frame_valid)
        return _mean(x, ops.sum(seen, axis=1))

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (frame_valid_shape[0], *x_shape[1:])


@keras.saving.register_keras_serializable(package="s2distill")
class MaskedPooling(keras.layers.Layer):
    """Masked mean and maximum of the frames, side by side.

    A place without a valid frame gets 0.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B, H, W, 2 C].
    """

    def call(self, x: Any, frame_valid: Any) -> Any:
        return _mean_and_max(x, frame_valid)

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
        self._build_projection((None, *x_shape[1:3], 2 * self.channels))
        self.built = True

    def _build_projection(self, shape: tuple[int | None, ...]) -> None:
        self.norm.build(shape)
        self.project.build(shape)

    def call(self, x: Any, frame_valid: Any) -> Any:
        shared = self.project(self.norm(self._summarise(x, frame_valid)))
        _, height, width, channels = ops.shape(x)
        return ops.reshape(
            _unfold(x, frame_valid) + shared[:, None],
            (-1, height, width, channels),
        )

    def _summarise(self, x: Any, frame_valid: Any) -> Any:
        return _mean_and_max(x, frame_valid)

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return x_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channels": self.channels}


def _unfold(x: Any, frame_valid: Any) -> Any:
    """[B T, H, W, C] as [B, T, H, W, C]."""
    _, height, width, channels = ops.shape(x)
    frames = ops.shape(frame_valid)[1]
    return ops.reshape(x, (-1, frames, height, width, channels))


def _clean(x: Any, frame_valid: Any) -> tuple[Any, Any]:
    """Frames [B, T, H, W, C], 0 where not valid, and mask [B, T, H, W, 1]."""
    x = _unfold(x, frame_valid)
    seen = ops.cast(frame_valid, x.dtype)[..., None]
    # `where`, not a product: 0 x NaN would be NaN.
    return ops.where(seen > 0, x, ops.zeros_like(x)), seen


def _mean(x: Any, count: Any) -> Any:
    return ops.sum(x, axis=1) / ops.maximum(count, 1.0)


def _mean_and_max(x: Any, frame_valid: Any) -> Any:
    """Over the valid frames, [B, H, W, 2 C]; 0 where there is none."""
    x, seen = _clean(x, frame_valid)
    count = ops.sum(seen, axis=1)
    # A sum, whose gradient costs nothing, unlike that of a second `where`.
    highest = ops.max(x + (1 - seen) * _LOWEST, axis=1)
    highest = ops.where(count > 0, highest, ops.zeros_like(highest))
    return ops.concatenate([_mean(x, count), highest], axis=-1)
