"""How alike the frames of a place are, and how far they lie apart.

Fine structure is compared: what a band's high-pass keeps of edges and blocks,
cut off at three spreads, so that a cloud's edge weighs no more than a roof.
Correlations at all shifts come from Fourier transforms, with each frame's
invalid pixels left out (Padfield 2012, "Masked Object Registration in the
Fourier Domain", doi:10.1109/TIP.2011.2181402).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import fft
from scipy import ndimage

from data_prep.diagnosis.measure import FrameFacts
from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place

_REACH_PX = 8
_SIGMA_PX = 2.0
_CUT = 3.0  # spreads
_SIDE_PX = 320  # a larger window would say no more
_LEAST_SIDE_PX = 24  # smaller tiles have rivals at every shift
_LEAST_OVERLAP = 0.4
_ANCHORS = 3
# 10 m bands, and of 20 m what is sharpest; the visible alone is hazy.
_STRUCTURE_BANDS = ("B3", "B4", "B8")


@dataclasses.dataclass(frozen=True)
class Alignment:
    """How one frame lies on the others of its place.

    Attributes:
      row_px: Pixels that it lies below the anchor frame.
      col_px: Pixels that it lies right of the anchor frame.
      correlation: With the frame that it is most alike, at the best shift;
        near 0 for clouds.
      still: The same correlation without a shift.
    """

    row_px: float
    col_px: float
    correlation: float
    still: float


def align_place(
    place: Place, facts: Sequence[FrameFacts]
) -> tuple[Alignment | None, ...]:
    """Compares each frame of a place with those most like the others.

    Args:
      place: Its frames have one grid.
      facts: Of each frame.

    Returns:
      For each frame, or None where there is nothing to compare.
    """
    usable = [i for i, fact in enumerate(facts) if fact.is_measured]
    window = _window(place)
    answers: list[Alignment | None] = [None] * len(place.frames)
    if len(usable) < 2 or window is None:
        return tuple(answers)
    planes = {i: _Plane.of(place.frames[i], window) for i in usable}
    anchors = _anchors(planes)
    offsets = {anchors[0]: (0.0, 0.0)}
    for other in anchors[1:]:
        peak = _peak(planes[other], planes[anchors[0]])
        offsets[other] = (peak.row_px, peak.col_px)
    for i in usable:
        peaks = [
            (_peak(planes[i], planes[anchor]), offsets[anchor])
            for anchor in anchors
            if anchor != i
        ]
        best, (row, col) = max(peaks, key=lambda pair: pair[0].correlation)
        answers[i] = dataclasses.replace(
            best, row_px=best.row_px + row, col_px=best.col_px + col
        )
    return tuple(answers)


@dataclasses.dataclass(frozen=True, eq=False)
class _Plane:
    """Fine structure of a frame, and the transforms that correlate it."""

    edges: np.ndarray
    shape: tuple[int, int]
    seen: np.ndarray
    of_edges: np.ndarray
    of_squares: np.ndarray
    of_seen: np.ndarray

    @classmethod
    def of(cls, frame: Frame, window: tuple[slice, slice]) -> "_Plane":
        edges, seen = _structure(frame, window)
        rows, cols = (fft.next_fast_len(n + _REACH_PX) for n in seen.shape)
        shape = (rows, cols)

        def transform(plane: np.ndarray) -> np.ndarray:
            return fft.rfft2(plane.astype(np.float64), shape)

        return cls(
            edges,
            shape,
            seen,
            transform(edges),
            transform(edges**2),
            transform(seen),
        )


def _window(place: Place) -> tuple[slice, slice] | None:
    """The middle of the place, or of its middle window; None if too small."""
    height, width = place.frames[0].shape
    start = [0, 0]
    if place.block_px is not None:
        blocks = [height // place.block_px, width // place.block_px]
        start = [count // 2 * place.block_px for count in blocks]
        height = width = place.block_px
    if min(height, width) < _LEAST_SIDE_PX:
        return None
    parts = []
    for begin, size in zip(start, (height, width), strict=True):
        side = min(size, _SIDE_PX)
        first = begin + (size - side) // 2
        parts.append(slice(first, first + side))
    return parts[0], parts[1]


def _structure(
    frame: Frame, window: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """([H, W] float32 high-pass, 0 where not seen; [H, W] bool seen)."""
    bands = [
        frame.bands.index(b) for b in _STRUCTURE_BANDS if b in frame.bands
    ] or list(range(len(frame.bands)))
    seen = seen_mask(frame)[window]
    grey = frame.values[window][..., bands].mean(axis=-1, dtype=np.float32)
    weight = ndimage.gaussian_filter(seen.astype(np.float32), _SIGMA_PX)
    level = ndimage.gaussian_filter(
        np.where(seen, grey, 0).astype(np.float32), _SIGMA_PX
    )
    edges = np.where(seen, grey - level / np.maximum(weight, 1e-3), 0)
    if not seen.any():
        return edges, seen
    spread = 1.48 * float(np.median(np.abs(edges[seen])))  # of a Gaussian
    if spread <= 0:
        return np.zeros_like(edges), seen
    return np.clip(edges / spread, -_CUT, _CUT) * seen, seen


def _anchors(planes: dict[int, _Plane]) -> list[int]:
    """The frames that are most like all others, most alike first."""
    stack = np.stack([plane.edges.ravel() for plane in planes.values()])
    norms = np.linalg.norm(stack, axis=1)
    unit = stack / np.where(norms > 0, norms, 1)[:, None]
    alike = (unit @ unit.T).sum(axis=1)
    ranked = sorted(zip(planes, alike, strict=True), key=lambda p: -p[1])
    return [i for i, _ in ranked[:_ANCHORS]]


def _peak(moved: _Plane, still: _Plane) -> Alignment:
    """Where `moved` lies on `still`; correlation 0 if they share too little."""
    correlation = _correlate(still, moved)
    row, col = np.unravel_index(correlation.argmax(), correlation.shape)
    best = float(correlation[row, col])
    return Alignment(
        row_px=row - _REACH_PX + _vertex(correlation[:, col], row),
        col_px=col - _REACH_PX + _vertex(correlation[row], col),
        correlation=max(best, 0.0),
        still=float(correlation[_REACH_PX, _REACH_PX]),
    )


def _correlate(a: _Plane, b: _Plane) -> np.ndarray:
    """[2 R + 1, 2 R + 1] correlation of b, moved back, with a.

    Entry (R + r, R + c) compares pixel (i, j) of a with (i + r, j + c) of b;
    0 where they share less than `_LEAST_OVERLAP` of what the scarcer sees.
    """

    def cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        full = fft.irfft2(np.conj(first) * second, a.shape)
        rolled = np.roll(full, (_REACH_PX, _REACH_PX), (0, 1))
        return rolled[: 2 * _REACH_PX + 1, : 2 * _REACH_PX + 1]

    count = np.maximum(cross(a.of_seen, b.of_seen), 1.0)
    sum_a, sum_b = cross(a.of_edges, b.of_seen), cross(a.of_seen, b.of_edges)
    product = cross(a.of_edges, b.of_edges) - sum_a * sum_b / count
    square_a = cross(a.of_squares, b.of_seen) - sum_a**2 / count
    square_b = cross(a.of_seen, b.of_squares) - sum_b**2 / count
    scale = np.sqrt(np.maximum(square_a * square_b, 1e-6))
    shared = count >= _LEAST_OVERLAP * min(a.seen.sum(), b.seen.sum())
    return np.where(shared, product / scale, 0.0)


def _vertex(line: np.ndarray, place: int) -> float:
    """Where between its neighbours a maximum truly lies, by a parabola."""
    if not 0 < place < len(line) - 1:
        return 0.0
    low, mid, high = line[place - 1 : place + 2]
    curve = low - 2 * mid + high
    return float(np.clip(0.5 * (low - high) / curve, -0.5, 0.5)) if curve else 0
