"""Bicubic or linear interpolation to a finer grid, of images of any size.

`keras.ops.image.resize` (so also `UpSampling2D`) compares the new size with
0 in Python, which fails where TensorFlow traces a graph for any size: a
SavedModel could not be made of a network with it (Keras 3.15).
"""

from typing import Any
from typing import Literal

import keras
from keras import ops

_REACH_PX = 2  # pixels on either side that a fine pixel is made of
# Keys 1981, "Cubic convolution interpolation", eq. (15): exact to 2nd order.
_KEYS_A = -0.5

Kernel = Literal["cubic", "linear"]


@keras.saving.register_keras_serializable(package="s2distill")
class Enlargement(keras.layers.Layer):
    """Interpolates between pixel centres; the edge is repeated outwards.

    Shapes:
      [N, H, W, C] -> [N, H factor, W factor, C].

    Attributes:
      factor: Fine pixels per pixel and axis.
      kernel: "cubic" keeps what is sharp; "linear" keeps what is positive.
    """

    def __init__(
        self, factor: int, kernel: Kernel = "cubic", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.factor = factor
        self.kernel = kernel
        self._weights_by_phase = phase_weights(factor, kernel)

    def call(self, x: Any) -> Any:
        _, height, width, channels = ops.shape(x)
        fine_height, fine_width = height * self.factor, width * self.factor
        rows = self._phases(x, axis=1, size=height)
        x = ops.reshape(
            ops.stack(rows, axis=2), (-1, fine_height, width, channels)
        )
        cols = self._phases(x, axis=2, size=width)
        return ops.reshape(
            ops.stack(cols, axis=3), (-1, fine_height, fine_width, channels)
        )

    def _phases(self, x: Any, *, axis: int, size: Any) -> list[Any]:
        """For each place between two pixels, the image interpolated there."""

        def cut(image: Any, start: Any, stop: Any) -> Any:
            if axis == 1:
                return image[:, start:stop]
            return image[:, :, start:stop]

        reach = _REACH_PX
        first, last = cut(x, 0, 1), cut(x, size - 1, size)
        padded = ops.concatenate(
            [first] * reach + [x] + [last] * reach, axis=axis
        )
        shifted = [cut(padded, k, k + size) for k in range(2 * reach + 1)]
        return [
            sum(w * s for w, s in zip(weights, shifted, strict=True) if w)
            for weights in self._weights_by_phase
        ]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        batch, height, width, channels = input_shape
        return (
            batch,
            None if height is None else height * self.factor,
            None if width is None else width * self.factor,
            channels,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "factor": self.factor,
            "kernel": self.kernel,
        }


def phase_weights(factor: int, kernel: Kernel = "cubic") -> list[list[float]]:
    """Weights of the pixels around, for each fine pixel inside a pixel.

    Args:
      factor: Fine pixels per pixel.
      kernel: Of the interpolation.

    Returns:
      `factor` lists over the offsets -2 to 2; each sums to 1.
    """
    weight = _keys if kernel == "cubic" else _tent
    offsets = range(-_REACH_PX, _REACH_PX + 1)
    return [
        [
            weight(abs((phase + 0.5) / factor - 0.5 - offset))
            for offset in offsets
        ]
        for phase in range(factor)
    ]


def _tent(distance_px: float) -> float:
    return max(0.0, 1.0 - distance_px)


def _keys(distance_px: float) -> float:
    d, a = distance_px, _KEYS_A
    if d < 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    if d < 2:
        return a * (d**3 - 5 * d**2 + 8 * d - 4)
    return 0.0
