"""Fusion across time: masked, order-free, for any number of frames.

Frames travel folded into the batch, [B T, H, W, C]; the mask `frame_valid`
[B, T, H, W] travels beside them and tells B and T. There are three kinds:

mean_max   after each stage every frame is given the mean and maximum of all;
           they are also what remains of the frames at the end
attention  the same with what heads attend to, place by place
late_mean  frames meet at the end alone, in their mean

Each obeys

* the order of the frames does not matter,
* what stands in an invalid pixel of a frame has no influence on any other
  pixel, even if it is NaN,
* T may differ from call to call, one frame works, and none gives 0,
* its cost grows with T and no faster.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from s2distill.models.fusion_attention import AttentionExchange
from s2distill.models.fusion_attention import AttentionSummary
from s2distill.models.fusion_attention import count_heads
from s2distill.models.fusion_statistics import MaskedExchange
from s2distill.models.fusion_statistics import MaskedMean
from s2distill.models.fusion_statistics import MaskedPooling

FUSIONS = ("mean_max", "attention", "late_mean")


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


def make_exchange(
    kind: str, channels: int, name: str
) -> Callable[[Any, Any], Any]:
    """What gives each frame what all frames know, after a stage.

    Args:
      kind: One of `FUSIONS`.
      channels: C of the frames.
      name: Of the layer.

    Returns:
      Layer of ([B T, H, W, C], [B, T, H, W]) -> [B T, H, W, C]; for a kind
      without exchange a function that returns the frames.

    Raises:
      ValueError: If there is no such kind.
    """
    _check_kind(kind)
    if kind == "mean_max":
        return MaskedExchange(channels, name=name)
    if kind == "attention":
        return AttentionExchange(channels, name=name)
    return lambda x, frame_valid: x


def make_pooling(kind: str, channels: int, name: str) -> keras.layers.Layer:
    """What makes one image of all frames, at the end of the encoder.

    Args:
      kind: One of `FUSIONS`.
      channels: C of the frames.
      name: Of the layer.

    Returns:
      Layer of ([B T, H, W, C], [B, T, H, W]) -> [B, H, W, C], or 2 C for
      "mean_max"; 0 where no frame is valid.

    Raises:
      ValueError: If there is no such kind.
    """
    _check_kind(kind)
    if kind == "mean_max":
        return MaskedPooling(name=name)
    if kind == "attention":
        return AttentionSummary(count_heads(channels), name=name)
    return MaskedMean(name=name)


def _check_kind(kind: str) -> None:
    if kind not in FUSIONS:
        raise ValueError(
            f"fusion across time must be one of {', '.join(FUSIONS)}, got "
            f"{kind!r}"
        )
