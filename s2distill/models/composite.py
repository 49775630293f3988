"""The mean of all frames as one frame: what most maps are made from."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="s2distill")
class MeanComposite(keras.layers.Layer):
    """Masked mean of the frames, as a stack of one frame.

    A place without a valid frame gets 0.

    Shapes:
      ([B, T, H, W, C], [B, T, H, W]) -> [B, 1, H, W, C], float32 whatever the
      policy: what lowers the noise of a mean would be lost in 8 bits.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def call(self, frames: Any, frame_valid: Any) -> Any:
        seen = ops.cast(frame_valid, frames.dtype)[..., None]
        # `where`, not a product: 0 x NaN would be NaN.
        clean = ops.where(seen > 0, frames, ops.zeros_like(frames))
        count = ops.sum(seen, axis=1, keepdims=True)
        total = ops.sum(clean, axis=1, keepdims=True)
        return total / ops.maximum(count, 1.0)

    def compute_output_shape(
        self,
        frames_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        return (frames_shape[0], 1, *frames_shape[2:])


def mean_composite(s2: Any, frame_valid: Any) -> tuple[Any, Any]:
    """The composite of a stack, and its mask.

    Args:
      s2: [B, T, H, W, C].
      frame_valid: [B, T, H, W], 1 where a frame shows the ground.

    Returns:
      [B, 1, H, W, C] float32, and [B, 1, H, W]: 1 where any frame is valid.
    """
    return (
        MeanComposite(name="composite")(s2, frame_valid),
        ops.max(frame_valid, axis=1, keepdims=True),
    )
