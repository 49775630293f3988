"""Attention over time, learnt where pixels are coarse and used at any scale.

Frames travel folded into the batch, [B T, H, W, C], and the mask
`frame_valid` [B, T, H, W] beside them, as in `models.fusion`.

Source:
  Garnot and Landrieu 2020, "Lightweight Temporal Self-Attention for
  Classifying Satellite Images Time Series", arXiv:2007.00586, section 3;
  Garnot and Landrieu 2021, "Panoptic Segmentation of Satellite Image Time
  Series with Convolutional Temporal Attention Networks", arXiv:2107.07933,
  section 3.1. Theirs knows the dates of the frames; ours is given none.
"""

from typing import Any

import keras
from keras import ops

from s2distill.models.blocks import NORM_EPSILON

# Lower than any score, and finite in float16.
_LOWEST = -6e4
# Added to each valid frame's weight: where cloud covers a part of what a
# coarse pixel preferred, the other frames share its place evenly.
_LEAST_WEIGHT = 1e-3


@keras.saving.register_keras_serializable(package="s2distill")
class TemporalAttention(keras.layers.Layer):
    """How much each head attends to each frame, place by place.

    A head's query is learnt and the same everywhere (a master query); keys
    are linear in the features.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B T, H, W, heads], at least 0; over
      the valid frames of a place they sum to 1, for invalid ones they are 0.

    Attributes:
      heads: Number of attention heads.
      key_channels: Length of a key.
    """

    def __init__(
        self, heads: int, key_channels: int = 4, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        self.key_channels = key_channels
        policy = self.dtype_policy
        self.norm = keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, dtype=policy, name="norm"
        )
        # No bias: it would add the same to the score of every frame.
        self.keys = keras.layers.Dense(
            heads * key_channels, use_bias=False, dtype=policy, name="keys"
        )

    def build(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> None:
        self.norm.build(x_shape)
        self.keys.build(x_shape)
        self.queries = self.add_weight(
            shape=(self.heads, self.key_channels),
            initializer=keras.initializers.RandomNormal(
                stddev=self.key_channels**-0.5
            ),
            name="queries",
        )
        self.built = True

    def call(self, x: Any, frame_valid: Any) -> Any:
        _, height, width, _ = ops.shape(x)
        frames = ops.shape(frame_valid)[1]
        keys = ops.reshape(
            self.keys(self.norm(x)),
            (-1, frames, height, width, self.heads, self.key_channels),
        )
        scores = ops.sum(keys * self.queries, axis=-1)
        scores = ops.cast(scores, "float32") / self.key_channels**0.5
        weights = _masked_softmax(scores, frame_valid)
        weights = ops.reshape(weights, (-1, height, width, self.heads))
        return ops.cast(weights, x.dtype)

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (*x_shape[:3], self.heads)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "heads": self.heads,
            "key_channels": self.key_channels,
        }


@keras.saving.register_keras_serializable(package="s2distill")
class AttentionPooling(keras.layers.Layer):
    """Mean of the valid frames, each group of channels weighted by a head.

    Weights that come from coarser pixels are brought to sum to 1 over the
    frames that are valid here. A place without a valid frame gets 0.

    Shapes:
      ([B T, H, W, C], weights [B T, H, W, heads], [B, T, H, W]) ->
      [B, H, W, C]; C a multiple of the heads.
    """

    def call(self, x: Any, weights: Any, frame_valid: Any) -> Any:
        _, height, width, channels = ops.shape(x)
        frames = ops.shape(frame_valid)[1]
        heads = weights.shape[-1]
        places = (-1, frames, height, width, heads)
        seen = ops.cast(frame_valid, x.dtype)[..., None]
        weights = _normalise(
            seen * (ops.reshape(weights, places) + _LEAST_WEIGHT)
        )
        groups = ops.reshape(x, (*places, channels // heads))
        pooled = ops.sum(groups * weights[..., None], axis=1)
        return ops.reshape(pooled, (-1, height, width, channels))

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        weights_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (frame_valid_shape[0], *x_shape[1:])


def _masked_softmax(scores: Any, frame_valid: Any) -> Any:
    """Over the frames, [B, T, ...]; 0 where no frame is valid."""
    seen = ops.cast(frame_valid, scores.dtype)[..., None]
    scores = ops.where(seen > 0, scores, _LOWEST)
    highest = ops.max(scores, axis=1, keepdims=True)
    return _normalise(seen * ops.exp(scores - ops.stop_gradient(highest)))


def _normalise(weights: Any) -> Any:
    total = ops.sum(weights, axis=1, keepdims=True)
    return weights / ops.where(total > 0, total, ops.ones_like(total))
