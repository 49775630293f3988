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
# Weight of all samples around a place below which none is within reach; what
# is divided by it stays far from the least number of float32.
_LEAST_WEIGHT = 1e-30


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
        seen = ops.cast(frame_valid, frames.dtype)[..., None]
        # `where`, not a product: 0 x NaN would be NaN.
        clean = ops.where(seen > 0, frames, 0.0)
        # Frames last but for the channels: what was seen of a place is one
        # matrix, and sums over frames are products of matrices.
        samples = ops.transpose(
            ops.concatenate([clean, seen], axis=-1), (0, 2, 3, 1, 4)
        )
        shifts = frame_shifts_px(samples[..., :-1], samples[..., -1])
        return self._lay_out(self._divide(self._add_up(samples, shifts)))

    def _add_up(self, samples: Any, shifts_px: Any) -> list[Any]:
        """[B, H, W, factor, factor, C + 1] for each width: weighted sums.

        Columns first, then rows, which costs far less than both at once. The
        fine pixel lies in the pixel from which so many steps lead to the
        sample's; the ground of a frame displaced by s was sampled at -s.
        """
        _, height, width, frames, channels = ops.shape(samples)
        distance_px = ops.convert_to_tensor(self._distance_px)
        beside = ops.stack(neighbours(samples, axis=2), axis=4)
        across_px = ops.stack(neighbours(shifts_px[..., 0], axis=2), axis=4)
        # [B, H, W, T, fine pixel, step]
        across = ops.square(
            ops.transpose(distance_px) - across_px[..., None, :]
        )
        # Shifts vary slowly: the sample's own, and that of the pixel in its
        # row which is above or below the fine pixel, are the same.
        # [B, H, W, step fine pixel, T]
        along = ops.square(
            ops.reshape(distance_px, (-1, 1)) - shifts_px[:, :, :, None, :, 1]
        )
        sums = []
        for sigma_px in self.sigmas_px:
            scale = -1 / (2 * sigma_px**2)
            columns = ops.matmul(ops.exp(scale * across), beside)
            columns = ops.reshape(
                columns, (-1, height, width, frames, self.factor * channels)
            )
            rows = ops.matmul(ops.exp(scale * along), columns)
            sums.append(self._add_rows(rows))
        return sums

    def _add_rows(self, rows: Any) -> Any:
        """What each pixel's samples give it, and give those above and below.

        Shapes:
          [B, H, W, 3 factor, factor (C + 1)] ->
          [B, H, W, factor, factor, C + 1].
        """
        _, height, width, _, values = ops.shape(rows)
        rows = ops.reshape(rows, (-1, height, width, 3, self.factor * values))
        rows = ops.pad(rows, ((0, 0), (1, 1), (0, 0), (0, 0), (0, 0)))
        added = sum(rows[:, k : k + height, :, k] for k in range(3))
        channels = values // self.factor
        return ops.reshape(
            added, (-1, height, width, self.factor, self.factor, channels)
        )

    def _divide(self, sums: Sequence[Any]) -> Any:
        """Means of the samples; where few are near, the wider kernel's."""
        widest = sums[0]
        near = widest[..., -1:]
        found = near > _LEAST_WEIGHT
        # Ratios alone: T in use may differ from T in training.
        per_near = 1 / ops.where(found, near, 1.0)
        means = [widest[..., :-1] * per_near]
        weights = [ops.cast(found, near.dtype)]
        for added in sums[1:]:
            added = added + _LEAST_SHARE * widest
            near = added[..., -1:]
            means.append(added[..., :-1] * (1 / ops.where(found, near, 1.0)))
            share = ops.where(found, near * per_near, _LEAST_SHARE)
            weights.append(ops.log(share))
        return ops.concatenate([*means, *weights], axis=-1)

    def _lay_out(self, x: Any) -> Any:
        """[B, H, W, factor, factor, C] -> [B, H factor, W factor, C]."""
        _, height, width, _, _, channels = ops.shape(x)
        return ops.reshape(
            ops.transpose(x, (0, 1, 3, 2, 4, 5)),
            (-1, height * self.factor, width * self.factor, channels),
        )

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
