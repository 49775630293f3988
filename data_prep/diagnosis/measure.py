"""The numbers of one frame that findings are made of.

Nothing here judges. Percentiles are of the pixels that are seen: where the
input says so, finite in every band, and not 0 in all of them.
"""

import dataclasses
import hashlib
from typing import Literal

import numpy as np

from data_prep.diagnosis.subject import Frame
from s2distill.data.bands import VISIBLE_BANDS

PERCENTILES = (1.0, 16.0, 50.0, 84.0, 99.0)
LOW, SIXTEENTH, MEDIAN, EIGHTY_FOURTH, HIGH = range(len(PERCENTILES))
# Fewer pixels say nothing of a distribution's ends.
LEAST_PX = 100
# Percentiles of more would cost time and change nothing.
_MOST_PX = 65_536
_MAX_8_BIT = 255
# Floats up to 255 are 8-bit pictures that were resampled, unless they may be
# percent, of which clouds reach a little more than 100.
_MAX_PERCENT = 120
# Below this, floats are reflectance: clouds and glint reach 1.5, no more.
MAX_REFLECTANCE = 2.0
# True DN stay below 255 over dark water alone, where the infrared is darkest.
# 8-bit pictures are stretched until every band uses a good part of the range,
# or are reflectance x 255, in which land is brightest in the infrared.
_LEAST_8_BIT_HIGH = 60.0
_INFRARED = ("B6", "B7", "B8", "B8A", "B11", "B12")

Scale = Literal["none", "dn", "reflectance", "8-bit"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FrameFacts:
    """What one frame holds.

    Attributes:
      name: Of the frame.
      bands: Of the frame.
      seen_px: Pixels that are seen.
      seen_share: Share of all pixels that are seen.
      nan_share: Share of all values that are not finite.
      black_share: Share of the pixels that are 0 in all bands.
      minimum: Of the seen values; NaN where none is seen.
      maximum: Likewise.
      is_constant: True if at least two pixels are seen and all of them are
        alike in every band.
      is_whole: True if all values are whole numbers.
      scale: What the numbers are: digital numbers, reflectance of 0 to 1 as
        floats, an 8-bit picture, or none where nothing is seen.
      percentiles: [C, 5] float64 of the seen values as they are stored, see
        `PERCENTILES`; NaN where fewer than `LEAST_PX` are seen.
      digest: Equal for equal pixels.
    """

    name: str
    bands: tuple[str, ...]
    seen_px: int
    seen_share: float
    nan_share: float
    black_share: float
    minimum: float
    maximum: float
    is_constant: bool
    is_whole: bool
    scale: Scale
    percentiles: np.ndarray
    digest: str

    @property
    def is_measured(self) -> bool:
        """True where enough is seen, and it varies."""
        return self.seen_px >= LEAST_PX and not self.is_constant

    def percentile(self, band: str, which: int) -> float:
        """One of `PERCENTILES` of a band, by its position there."""
        return float(self.percentiles[self.bands.index(band), which])


def seen_mask(frame: Frame) -> np.ndarray:
    """[H, W] bool: where a frame shows the ground."""
    values = frame.values
    return (
        frame.inside
        & np.isfinite(values).all(axis=-1)
        & (values != 0).any(axis=-1)
    )


def measure_frame(frame: Frame) -> FrameFacts:
    """The facts of one frame."""
    values = frame.values
    seen = seen_mask(frame)
    finite = np.isfinite(values)
    pixels = values[seen]
    percentiles = _percentiles(pixels, values.shape[-1])
    return FrameFacts(
        name=frame.name,
        bands=frame.bands,
        seen_px=len(pixels),
        seen_share=float(seen.mean()),
        nan_share=float(1 - finite.mean()),
        black_share=float((values == 0).all(axis=-1).mean()),
        minimum=float(pixels.min()) if len(pixels) else float("nan"),
        maximum=float(pixels.max()) if len(pixels) else float("nan"),
        is_constant=len(pixels) > 1 and bool((pixels == pixels[0]).all()),
        is_whole=is_whole(values[finite]),
        scale=_scale(frame, pixels, percentiles),
        percentiles=percentiles,
        digest=hashlib.sha256(
            np.ascontiguousarray(np.where(seen[..., None], values, 0))
        ).hexdigest(),
    )


def is_whole(values: np.ndarray) -> bool:
    """True if all of some finite values are whole numbers."""
    return np.issubdtype(values.dtype, np.integer) or bool(
        (values == np.rint(values)).all()
    )


def to_reflectance(
    values: np.ndarray, frame: Frame, facts: FrameFacts
) -> np.ndarray:
    """Stored values as reflectance, by what the input says of its scale.

    Args:
      values: Any shape, as stored.
      frame: Whose they are.
      facts: Of the frame.

    Returns:
      float32 of the same shape.
    """
    values = np.asarray(values, np.float32)
    if facts.scale == "reflectance":
        return values
    return (values + np.float32(frame.offset_dn)) / np.float32(
        frame.quantification_dn
    )


def thin(pixels: np.ndarray, most: int = _MOST_PX) -> np.ndarray:
    """At most so many of the rows of [N, C], evenly spread."""
    return pixels[:: max(1, -(-len(pixels) // most))]


def _percentiles(pixels: np.ndarray, bands: int) -> np.ndarray:
    if len(pixels) < LEAST_PX:
        return np.full((bands, len(PERCENTILES)), np.nan)
    return np.percentile(thin(pixels), PERCENTILES, axis=0).T


def _scale(frame: Frame, pixels: np.ndarray, percentiles: np.ndarray) -> Scale:
    if not len(pixels):
        return "none"
    if pixels.dtype == np.uint8:
        return "8-bit"
    known = not np.isnan(percentiles).any()
    high = percentiles[:, HIGH] if known else pixels.max(axis=0)
    whole = is_whole(pixels)
    # One pixel of glint above 2 makes no digital numbers of the others.
    if not whole and high.max() <= MAX_REFLECTANCE:
        return "reflectance"
    least = MAX_REFLECTANCE if whole else _MAX_PERCENT
    if not least < pixels.max() <= _MAX_8_BIT:
        return "dn"
    fills = bool((high >= _LEAST_8_BIT_HIGH).all())
    return "8-bit" if fills or shows_land(frame.bands, high) else "dn"


def shows_land(bands: tuple[str, ...], high: np.ndarray) -> bool:
    """True if the infrared is brighter than the visible, as water never is.

    Args:
      bands: Names of the C bands.
      high: [C] a high percentile of each.
    """
    values = dict(zip(bands, high, strict=True))
    infrared = [values[band] for band in _INFRARED if band in values]
    visible = [values[band] for band in VISIBLE_BANDS if band in values]
    return bool(infrared and visible) and max(infrared) > 1.2 * max(visible)
