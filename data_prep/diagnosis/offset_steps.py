"""By how much each frame of a place stands above the others, band by band.

A forgotten offset raises every band by the same 1000 DN. Clouds and haze
raise bands too, but blue more than short-wave infrared and the dark more than
the bright, and they hide the fine structure that frames of a place share.
Season changes bands by a part of themselves. So a step is an offset if what
1000 DN leave unexplained is small against natural differences, which grow
with brightness; three ways of looking, because water, cloud and haze each
spoil one of them:

    pixel   each pixel against the darker dates of the same pixel
    dark    the dark end of the frame against that of the others
    floor   several bands that end just above 1000 DN, where nothing is lower

Measured on 297 natural frames (real L2A, real L1C, simulated tiles of 32 px)
and the same with +1000 DN on one frame at a time: with ten bands 285 of these
are found and one natural frame, in flat dust haze, looks like one; with B9
and B10 none does. Overcast frames cannot be judged, and are passed over.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from data_prep.diagnosis.measure import LEAST_PX
from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.measured import Look
from s2distill.data.bands import S2_OFFSET_DN

STEP_DN = -float(S2_OFFSET_DN)
# Natural differences between dates: so many DN, and so large a part.
_NATURAL_DN = 100.0
_NATURAL_SHARE = 0.3
_PIXEL_MISFIT, _DARK_MISFIT = 1.0, 1.2  # in natural differences
_LEAST_DARK_DN = 500.0  # no band's dark end may stay below
_QUARTILE = 0.25  # of the other dates: what is dark is true ground
_LOW_PERCENT, _DARK_PERCENT, _FLOOR_PERCENT = 10, 1, 0.1
_FLOOR_DN = (960.0, 1150.0)
_OTHERS_BELOW_DN = 800.0
_FLOOR_BANDS = 3
_ALIKE = 0.25  # correlation of fine structure that no overcast frame has
# Haze leaves the short-wave infrared alone, as it raises the rest.
_INFRARED = ("B11", "B12")
_SURE_DN = 250.0
# Follows the water vapour of the day, not the ground.
_ODD_BANDS = ("B9",)
_MOST_PX = 4096

Direction = Literal[1, -1]


@dataclasses.dataclass(frozen=True, eq=False)
class Raised:
    """A frame that carries 1000 DN more than others of its place.

    Attributes:
      look: The frame.
      is_sure: False where haze could look alike.
    """

    look: Look
    is_sure: bool


def find_raised(looks: Sequence[Look]) -> list[Raised]:
    """The frames of one place that stand +1000 DN above others.

    Where most are raised, the few that are not are found, and all others
    are given.

    Args:
      looks: Frames of one place, of which enough is seen.
    """
    bands = _compared_bands(looks)
    if len(looks) < 2 or not bands:
        return []
    frames = _Frames.of(looks, bands)
    above = _find(looks, frames, 1)
    if above:
        return [
            Raised(looks[i], _is_sure(frames, i, bands)) for i in sorted(above)
        ]
    below = _find(looks, frames, -1)
    if not below:
        return []
    return [
        Raised(look, False) for i, look in enumerate(looks) if i not in below
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class _Frames:
    """The pixels of all frames of a place, and where their values end.

    Attributes:
      dn: [T, N, C] float32 without the declared offsets, NaN where not seen.
      dark: [T, C] dark end; NaN where too little is seen.
      floor: [T, C] least values; NaN where too little is seen.
    """

    dn: np.ndarray
    dark: np.ndarray
    floor: np.ndarray

    @classmethod
    def of(cls, looks: Sequence[Look], bands: Sequence[str]) -> "_Frames":
        dn = np.stack([_sample(look, bands) for look in looks])
        ends = np.stack([_ends(frame) for frame in dn])
        return cls(dn, ends[:, 0], ends[:, 1])


def _find(looks: Sequence[Look], frames: _Frames, sign: Direction) -> set[int]:
    """Numbers of the frames that stand `sign` x 1000 DN above the others."""
    found = set()
    for i, look in enumerate(looks):
        if sign > 0 and _on_floor(frames, i):
            found.add(i)
        if not _is_like_others(look):
            continue
        by_pixel = _pixel_misfit(frames.dn, i, sign) < _PIXEL_MISFIT
        if by_pixel or _dark_misfit(frames, i, sign) < _DARK_MISFIT:
            found.add(i)
    return found


def _compared_bands(looks: Sequence[Look]) -> list[str]:
    """Bands of the ground that all frames have."""
    return [
        band
        for band in (looks[0].frame.bands if looks else ())
        if band not in _ODD_BANDS and all(band in k.frame.bands for k in looks)
    ]


def _sample(look: Look, bands: Sequence[str]) -> np.ndarray:
    """[N, C] float32 DN without the declared offset, NaN where not seen.

    The pixels are the same for all frames of a place.
    """
    frame = look.frame
    columns = [frame.bands.index(band) for band in bands]
    values = frame.values.reshape(-1, frame.values.shape[-1])
    seen = seen_mask(frame).ravel()
    step = max(1, len(values) // _MOST_PX)
    dn = values[::step, columns].astype(np.float32) + frame.offset_dn
    return np.where(seen[::step, None], dn, np.float32("nan"))


def _is_like_others(look: Look) -> bool:
    return look.alignment is None or look.alignment.correlation >= _ALIKE


def _pixel_misfit(stack: np.ndarray, i: int, sign: Direction) -> float:
    """How badly the pixels of a frame fit the others +-1000 DN."""
    others = np.sort(np.delete(stack, i, axis=0), axis=0)  # NaN comes last
    count = np.isfinite(others[..., 0]).sum(axis=0)
    place = np.floor(_QUARTILE * np.maximum(count - 1, 0)).astype(int)
    dark = np.take_along_axis(others, place[None, :, None], axis=0)[0]
    both = np.isfinite(stack[i, :, 0]) & np.isfinite(dark[:, 0])
    if both.sum() < LEAST_PX:
        return float("inf")
    steps = stack[i][both] - dark[both]
    step = np.percentile(steps, _LOW_PERCENT if sign > 0 else 50, axis=0)
    ground = np.median(dark[both], axis=0) - (STEP_DN if sign < 0 else 0)
    explained = _misfit(step, ground, sign * STEP_DN)
    if _misfit(step, ground, 0.0) <= explained:
        return float("inf")
    return explained


def _dark_misfit(frames: _Frames, i: int, sign: Direction) -> float:
    """How badly its dark end fits that of the others +-1000 DN."""
    step, reference = _dark_step(frames, i)
    if not len(step) or (sign * step).min() < _LEAST_DARK_DN:
        return float("inf")
    ground = reference - (STEP_DN if sign < 0 else 0)
    return _misfit(step, ground, sign * STEP_DN)


def _dark_step(frames: _Frames, i: int) -> tuple[np.ndarray, np.ndarray]:
    """([C] step of the dark end, [C] dark end of the others); empty if none."""
    own, others = frames.dark[i], np.delete(frames.dark, i, axis=0)
    others = others[np.isfinite(others[:, 0])]
    if not np.isfinite(own[0]) or not len(others):
        return np.zeros(0), np.zeros(0)
    place = int(_QUARTILE * (len(others) - 1))
    reference = np.sort(others, axis=0)[place]
    return own - reference, reference


def _on_floor(frames: _Frames, i: int) -> bool:
    """True if several bands end just above 1000 DN, and none below."""
    own, others = frames.floor[i], np.delete(frames.floor, i, axis=0)
    if not np.isfinite(own[0]) or not np.isfinite(others[:, 0]).any():
        return False
    near = (own >= _FLOOR_DN[0]) & (own <= _FLOOR_DN[1])
    return bool(
        near.sum() >= _FLOOR_BANDS
        and own.min() >= _FLOOR_DN[0]
        and np.nanmin(others) < _OTHERS_BELOW_DN
    )


def _is_sure(frames: _Frames, i: int, bands: Sequence[str]) -> bool:
    """True if the short-wave infrared is raised as much as the rest."""
    step, _ = _dark_step(frames, i)
    infrared = [bands.index(band) for band in _INFRARED if band in bands]
    if not infrared or not len(step):
        return False
    return bool((np.abs(step[infrared] - STEP_DN) < _SURE_DN).all())


def _ends(dn: np.ndarray) -> np.ndarray:
    """[2, C] dark end and floor of [N, C]; NaN where too little is seen."""
    seen = dn[np.isfinite(dn[:, 0])]
    if len(seen) < LEAST_PX:
        return np.full((2, dn.shape[1]), np.nan)
    return np.percentile(seen, (_DARK_PERCENT, _FLOOR_PERCENT), axis=0)


def _misfit(step: np.ndarray, ground: np.ndarray, wanted_dn: float) -> float:
    """Distance of a step from the one wanted, in natural differences."""
    natural = _NATURAL_DN + _NATURAL_SHARE * np.maximum(ground, 0)
    return float(np.sqrt(np.mean(((step - wanted_dn) / natural) ** 2)))
