"""A map of any size from frames, by windows, a few rows at a time.

Memory holds one row of windows: window_px * scene width * label_factor^2
pixels of 5 floats, 0.2 GB for a scene of 380 px and windows of 64 px.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from s2distill.data.frame_stack import FrameStack
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.geo.windows import AxisPlan
from s2distill.geo.windows import plan_axis

# Bright in blue: cloud and snow; see `RegionOptions.cloud_dn`.
CLOUD_BAND = "B2"
# Networks halve their input a few times; a window is padded until that works.
_MULTIPLE_PX = 8

Predict = Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RegionOptions:
    """How a region is cut, and which pixels a frame may show.

    Attributes:
      window_px: Side of a window, Sentinel-2 pixels.
      overlap_px: Least overlap of windows, Sentinel-2 pixels.
      max_frames: A window is given its clearest frames, no more than these.
      cloud_dn: Pixels whose B2 is above are not shown to the network. A
        simple test: it takes snow and bright roofs for cloud, and lets thin
        cloud and every shadow pass. None leaves all pixels.
    """

    window_px: int = 64
    overlap_px: int = 16
    max_frames: int = 16
    cloud_dn: float | None = None

    def __post_init__(self) -> None:
        if self.max_frames < 1:
            raise ConfigError(
                f"--max_frames={self.max_frames}: a map needs 1 or more"
            )


def map_region(
    stack: FrameStack,
    predict: Predict,
    *,
    bands: tuple[str, ...],
    label_factor: int,
    outputs: Sequence[str],
    options: RegionOptions,
    on_window: Callable[[int], object] = lambda windows: None,
) -> Iterator[np.ndarray]:
    """Maps the whole grid of a stack, from the top down.

    Args:
      stack: T frames on a grid of H x W pixels.
      predict: Takes {"s2_dn": uint16 [1, t, y, x, C], "frame_valid": uint8
        [1, t, y, x]}, t >= 1, answers float32 [1, y * label_factor,
        x * label_factor, 1] under each name of `outputs`.
      bands: The C bands that it takes, in order.
      label_factor: Map pixels per frame pixel and axis.
      outputs: Names of the K answers to map.
      options: Windows and frames.
      on_window: Called with 1 after each window.

    Yields:
      float32 [n, W * label_factor, K] in the order of `outputs`; n add up to
      H * label_factor. NaN where no frame shows the ground.

    Raises:
      FrameError: If no frame shows anything anywhere, after the last window.
      BandError, RasterError: If a frame lacks a band or cannot be read.
    """
    rows, cols = plan_axes(stack, options)
    row_weights = rows.weights(label_factor)
    col_weights = cols.weights(label_factor)
    canvas = _Canvas(
        rows.size * label_factor, cols.length * label_factor, len(outputs)
    )
    seen_any = False
    for i, top in enumerate(rows.starts):
        for j, left in enumerate(cols.starts):
            dn, valid = _read_window(
                stack, bands, options, corner=(top, left), axes=(rows, cols)
            )
            if len(dn):
                seen_any = True
                seen = _enlarged(valid.any(axis=0), label_factor)
                weight = row_weights[i][:, None] * col_weights[j] * seen
                answers = _predict_padded(predict, dn, valid, label_factor)
                maps = np.stack([answers[name] for name in outputs], axis=-1)
                canvas.add(maps, weight, left * label_factor)
            on_window(1)
        end = (*rows.starts[1:], rows.length)[i]
        yield canvas.take_rows((end - top) * label_factor)
    if not seen_any:
        raise FrameError(
            f"none of {len(stack.paths)} frames has a usable pixel (first: "
            f"{stack.paths[0]}): all are nodata or masked; add clearer dates "
            "or mask less"
        )


def plan_axes(
    stack: FrameStack, options: RegionOptions
) -> tuple[AxisPlan, AxisPlan]:
    """The windows along rows and columns."""
    sizes = {
        "window_px": options.window_px,
        "overlap_px": options.overlap_px,
    }
    return (
        plan_axis(stack.grid.height, **sizes),
        plan_axis(stack.grid.width, **sizes),
    )


class _Canvas:
    """Weighted sums of the rows that windows still add to."""

    def __init__(self, rows: int, cols: int, depth: int) -> None:
        self._sums = np.zeros((rows, cols, depth), np.float32)
        self._weights = np.zeros((rows, cols), np.float32)

    def add(self, answer: np.ndarray, weight: np.ndarray, left: int) -> None:
        """Adds a window at the top of the canvas."""
        right = left + weight.shape[1]
        self._sums[:, left:right] += answer * weight[..., None]
        self._weights[:, left:right] += weight

    def take_rows(self, count: int) -> np.ndarray:
        """Means of the first rows, which leave the canvas."""
        sums, weights = self._sums, self._weights
        # Weights sum to 1, but for windows that did not see the pixel.
        share = np.where(weights[:count] > 0, weights[:count], np.nan)
        means = sums[:count] / share[..., None]
        kept = len(sums) - count
        for plane in (sums, weights):
            plane[:kept] = plane[count:].copy()
            plane[kept:] = 0
        return means


def _read_window(
    stack: FrameStack,
    bands: tuple[str, ...],
    options: RegionOptions,
    *,
    corner: tuple[int, int],
    axes: tuple[AxisPlan, AxisPlan],
) -> tuple[np.ndarray, np.ndarray]:
    """The clearest frames of a window, none without a usable pixel."""
    grid = stack.grid.cropped(*corner, axes[0].size, axes[1].size)
    if options.cloud_dn is None:
        dn, valid = stack.read(bands, grid)
    else:
        others = tuple(name for name in bands if name != CLOUD_BAND)
        dn, valid = stack.read((CLOUD_BAND, *others), grid)
        valid &= (dn[..., 0] <= options.cloud_dn).astype(np.uint8)
        dn *= valid[..., None]
        order = [(CLOUD_BAND, *others).index(name) for name in bands]
        dn = dn[..., order]
    chosen = _choose_frames(valid, options.max_frames)
    return dn[chosen], valid[chosen]


def _choose_frames(valid: np.ndarray, max_frames: int) -> list[int]:
    """Numbers of the clearest frames of [T, h, w], in the order of time.

    Ground that no chosen frame shows comes first: at the edge of a swath the
    clearest frames may all show the same side.
    """
    clear_px = valid.sum(axis=(1, 2), dtype=np.int64)
    left = [int(t) for t in np.argsort(-clear_px, kind="stable") if clear_px[t]]
    if len(left) <= max_frames:
        return sorted(left)
    unseen = np.ones(valid.shape[1:], bool)
    chosen: list[int] = []
    while len(chosen) < max_frames:
        # The first of equals is the clearest: `max` keeps the order of `left`.
        best = max(left, key=lambda t: int(np.sum(valid[t], where=unseen)))
        left.remove(best)
        chosen.append(best)
        unseen &= valid[best] == 0
    return sorted(chosen)


def _predict_padded(
    predict: Predict, dn: np.ndarray, valid: np.ndarray, label_factor: int
) -> dict[str, np.ndarray]:
    """The answers for one window, each [h, w]."""
    height, width = valid.shape[1:]
    pad = ((0, 0), (0, -height % _MULTIPLE_PX), (0, -width % _MULTIPLE_PX))
    answers = predict(
        {
            "s2_dn": np.pad(dn, (*pad, (0, 0)))[None],
            "frame_valid": np.pad(valid, pad)[None],
        }
    )
    inside = np.s_[0, : height * label_factor, : width * label_factor, 0]
    return {name: answer[inside] for name, answer in answers.items()}


def _enlarged(mask: np.ndarray, factor: int) -> np.ndarray:
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)
