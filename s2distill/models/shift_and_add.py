"""Frames with known sub-pixel shifts, added up on a finer grid."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from s2distill.models.frame_shifts import frame_shifts_px
from s2distill.models.frame_shifts import neighbours

# Share of the widest kernel's weight below which a narrow one gives way to
# it: where no sample lies near, only a smooth answer is known.
_LEAST_SHARE = 0.02


@keras.saving.register_keras_serializable(package="s2distill")
class ShiftAndAdd(keras.layers.Layer):
    """Mean of the samples around each place of a finer grid.

    Each pixel of each frame is a sample at the place on the ground that its
    frame's shift gives it (bands of 20 m, which come repeated at 10 m, are
    taken as they come). Around each fine pixel the samples are averaged
    with Gaussian weights, once for each width: a narrow kernel keeps the
    detail that differing shifts reveal, a wide one fills the gaps between.
    Frames may be given in any order; one frame gives an interpolation.

    Shapes:
      ([B, T, H, W, C], [B, T, H, W]) -> [B, H factor, W factor, K (C + 1)]
      float32 whatever the policy: the mean for each width, widest first; 1
      where a sample lies within reach, else 0; then for each narrower width
      the logarithm of its share of the widest kernel's weight.

    Attributes:
      factor: Fine pixels per pixel and axis.
      sigmas_px: Standard deviations of the K kernels, in pixels.

    Raises:
      ValueError: If there is no kernel, or one without width.

    Source:
      Knutsson and Westin 1993, "Normalized and Differential Convolution";
      Farsiu et al. 2004, "Fast and Robust Multiframe Super Resolution", where
      it is called shift and add.
    """

    def __init__(
        self, factor: int, sigmas_px: Sequence[float], **kwargs: Any
    ) -> None:
        if not sigmas_px or min(sigmas_px) <= 0:
            raise ValueError(f"kernels need widths above 0, got {sigmas_px}")
        kwargs["dtype"] = "float32"  # sums over frames, squares of differences
        super().__init__(**kwargs)
        self.factor = factor
        self.sigmas_px = tuple(sorted(sigmas_px, reverse=True))
        fine = (np.arange(factor) + 0.5) / factor - 0.5
        # A sample is added to the pixels beside its own, and no farther.
        steps = np.arange(-1, 2)
        # [step, fine pixel]: from a fine pixel to the centre of the pixel so
        # many steps away.
        self._distance_px = (steps[:, None] - fine).astype("float32")

    def call(self, frames: Any, frame_valid: Any) -> Any:
        seen = ops.cast(frame_valid, frames.dtype)
        # `where`, not a product: 0 x NaN would be NaN.
        clean = ops.where(seen[..., None] > 0, frames, 0.0)
        shifts = frame_shifts_px(clean, seen)
        samples = ops.concatenate([clean, seen[..., None]], axis=-1)
        sums = [
            self._add_up(samples, shifts, sigma) for sigma in self.sigmas_px
        ]
        return self._divide(sums)

    def _add_up(self, samples: Any, shifts: Any, sigma_px: float) -> Any:
        """[B, H factor, W factor, C + 1]: weighted sums of the samples.

        Columns first, then rows, which costs far less than both at once.
        """
        _, _, height, width, channels = ops.shape(samples)
        weights = self._weights(shifts[..., 0], sigma_px)
        columns = sum(
            weight[..., step, :, None] * sample[..., None, :]
            for step, (weight, sample) in enumerate(
                zip(
                    neighbours(weights, axis=3),
                    neighbours(samples, axis=3),
                    strict=True,
                )
            )
        )
        columns = ops.reshape(
            columns, (*ops.shape(samples)[:4], self.factor * channels)
        )
        # Shifts vary slowly: the sample's own, and that of the pixel in its
        # row which is above or below the fine pixel, are the same.
        weights = self._weights(shifts[..., 1], sigma_px)
        rows = ops.concatenate(
            [
                weight[..., step, :]
                for step, weight in enumerate(neighbours(weights, axis=2))
            ],
            axis=1,
        )
        columns = ops.concatenate(neighbours(columns, axis=2), axis=1)
        added = ops.einsum("bthwk,bthwn->bhkwn", rows, columns)
        return ops.reshape(
            added,
            (-1, height * self.factor, width * self.factor, channels),
        )

    def _weights(self, shifts_px: Any, sigma_px: float) -> Any:
        """[B, T, H, W, steps, factor], of a sample for fine pixels around.

        The fine pixel lies in the pixel from which so many steps lead to
        the sample's; the ground of a frame displaced by s was sampled at -s.
        """
        distance = ops.convert_to_tensor(self._distance_px)
        distance = distance - shifts_px[..., None, None]
        return ops.exp(-ops.square(distance / sigma_px) / 2)

    def _divide(self, sums: Sequence[Any]) -> Any:
        """Means of the samples; where few are near, the wider kernel's."""
        near = sums[0][..., -1:]
        found = near > 0
        # Ratios alone: T in use may differ from T in training.
        sums = [added / ops.where(found, near, 1.0) for added in sums]
        widest = sums[0][..., :-1]
        means = [widest]
        weights = [ops.cast(found, near.dtype)]
        for added in sums[1:]:
            share = added[..., -1:] + _LEAST_SHARE
            means.append((added[..., :-1] + _LEAST_SHARE * widest) / share)
            weights.append(ops.log(share))
        return ops.concatenate([*means, *weights], axis=-1)

    def compute_output_shape(
        self,
        frames_shape: tuple[int | None, ...],
        frame_valid_shape: tuple[int | None, ...],
    ) -> tuple[int | None, ...]:
        batch, _, height, width, channels = frames_shape
        return (
            batch,
            None if height is None else height * self.factor,
            None if width is None else width * self.factor,
            len(self.sigmas_px) * (channels + 1),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "factor": self.factor,
            "sigmas_px": self.sigmas_px,
        }
