"""Fusion by attention over the valid frames, after L-TAE.

Shapes and promises are those of `models.fusion`. Frames are told apart by
their features alone: no date is given, so their order cannot matter.

Source:
  Garnot and Landrieu 2020, "Lightweight Temporal Self-Attention for
  Classifying Satellite Images Time Series", arXiv:2007.00586, section 3.
"""

from typing import Any

import keras
from keras import ops

from s2distill.models.fusion_statistics import MaskedExchange
from s2distill.models.temporal_attention import AttentionPooling
from s2distill.models.temporal_attention import TemporalAttention

# As published: 16 heads, of 8 channels each in the smaller networks.
MAX_HEADS = 16
LEAST_HEAD_CHANNELS = 8


@keras.saving.register_keras_serializable(package="s2distill")
class AttentionSummary(keras.layers.Layer):
    """Mean of the valid frames, as much of each as its heads attend to it.

    Each head weighs its own group of the channels, and each place on its
    own. A place without a valid frame gets 0, one with a single frame that.

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B, H, W, C].

    Attributes:
      heads: Number of attention heads, divides C.
    """

    def __init__(self, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads = heads
        policy = self.dtype_policy
        self.attention = TemporalAttention(
            heads, dtype=policy, name="attention"
        )
        self.pool = AttentionPooling(dtype=policy, name="pool")

    def build(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> None:
        self.attention.build(x_shape, frame_valid_shape)
        self.built = True

    def call(self, x: Any, frame_valid: Any) -> Any:
        _, height, width, _ = ops.shape(x)
        seen = ops.reshape(frame_valid, (-1, height, width, 1))
        # Weights of 0 are not enough: 0 x NaN would be NaN.
        x = ops.where(seen > 0, x, ops.zeros_like(x))
        weights = self.attention(x, frame_valid)
        return self.pool(x, weights, frame_valid)

    def compute_output_shape(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (frame_valid_shape[0], *x_shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable(package="s2distill")
class AttentionExchange(MaskedExchange):
    """Gives each frame what all attend to: x + project(summary).

    Shapes:
      ([B T, H, W, C], [B, T, H, W]) -> [B T, H, W, C].

    Attributes:
      channels: C.
    """

    def __init__(self, channels: int, **kwargs: Any) -> None:
        super().__init__(channels, **kwargs)
        self.summary = AttentionSummary(
            count_heads(channels), dtype=self.dtype_policy, name="summary"
        )

    def build(
        self,
        x_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> None:
        """The weights of the summary, and of what frames are given of it."""
        self.summary.build(x_shape, frame_valid_shape)
        self._build_projection((None, *x_shape[1:]))
        self.built = True

    def _summarise(self, x: Any, frame_valid: Any) -> Any:
        return self.summary(x, frame_valid)


def count_heads(channels: int) -> int:
    """As many heads as divide the channels; `MAX_HEADS` at most.

    Each has `LEAST_HEAD_CHANNELS` or more, unless there is but one.
    """
    most = max(1, min(MAX_HEADS, channels // LEAST_HEAD_CHANNELS))
    return max(n for n in range(1, most + 1) if not channels % n)
