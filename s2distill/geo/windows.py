"""Windows over a scene with overlap, and weights that blend them unseen.

Along each axis the weights of all windows over a pixel sum to 1, so their
products do in two dimensions: constants stay constant and sums are kept. At
an inner edge the outer 3/8 of the overlap has weight 0, because there a
network saw the window's edge instead of the ground; the middle quarter fades
from one window to the next. At the edge of the scene nothing fades.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from s2distill.errors import ConfigError

# Part of the overlap, at each side, that is thrown away.
_DISCARDED = 3 / 8


@dataclasses.dataclass(frozen=True)
class AxisPlan:
    """The windows along one axis of a scene.

    Attributes:
      length: Of the scene, px.
      size: Of each window, px; the scene's where that is smaller.
      starts: First pixel of each window, ascending; the last window ends
        where the scene does.
      overlap: Of neighbours, px, at least.
    """

    length: int
    size: int
    starts: tuple[int, ...]
    overlap: int

    def weights(self, factor: int) -> list[np.ndarray]:
        """Blend weights on a grid `factor` times finer.

        Returns:
          For each window [size * factor] float32, in [0, 1]; over each pixel
          of the scene they sum to 1.
        """
        raw = [self._raw_weights(start, factor) for start in self.starts]
        total = np.zeros(self.length * factor)
        for start, weight in zip(self.starts, raw, strict=True):
            total[start * factor : (start + self.size) * factor] += weight
        return [
            (
                weight / total[start * factor : (start + self.size) * factor]
            ).astype(np.float32)
            for start, weight in zip(self.starts, raw, strict=True)
        ]

    def _raw_weights(self, start: int, factor: int) -> np.ndarray:
        centre = (np.arange(self.size * factor) + 0.5) / factor
        weight = np.ones(self.size * factor)
        if start > 0:
            weight *= self._fade(centre)
        if start + self.size < self.length:
            weight *= self._fade(self.size - centre)
        return weight

    def _fade(self, distance_px: np.ndarray) -> np.ndarray:
        """0 near the window's edge, 1 in its inner part, smooth between."""
        discarded = _DISCARDED * self.overlap
        ramp = self.overlap - 2 * discarded
        x = np.clip((distance_px - discarded) / ramp, 0, 1)
        return x * x * (3 - 2 * x)


def plan_axis(length: int, *, window_px: int, overlap_px: int) -> AxisPlan:
    """Spreads windows evenly over one axis.

    Args:
      length: Of the scene, px.
      window_px: Side of a window.
      overlap_px: Least overlap of neighbours.

    Returns:
      As few windows as cover the scene; one if it is no longer than that.

    Raises:
      ConfigError: If the overlap is below 1 or above half a window.
    """
    if not 1 <= overlap_px <= window_px // 2:
        raise ConfigError(
            f"--overlap_px={overlap_px} does not fit --window_px={window_px}; "
            "take from 1 to half the window"
        )
    if length <= window_px:
        return AxisPlan(length, length, (0,), overlap_px)
    stride = window_px - overlap_px
    count = -(-(length - overlap_px) // stride)
    starts = np.linspace(0, length - window_px, count).astype(int)
    return AxisPlan(length, window_px, _as_ints(starts), overlap_px)


def _as_ints(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(v) for v in values)
