"""Frames as small PNGs, all stretched the same way, and what is seen of them.

One stretch for all frames, from the clearer half of them: a forgotten offset
looks pale beside the others, an 8-bit picture black, as they would to a model.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np

from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from s2distill.data.bands import RGB_BANDS

_LOW, _HIGH = 1.0, 98.0  # percentiles shown as black and white
_GAMMA = 0.8
_MOST_PX = 256
_UNSEEN = (122, 132, 152)  # a quiet colour that is neither black nor ground


def find_stretch(looks: Sequence[Look]) -> tuple[float, float]:
    """(low, high) of the numbers that are shown as black and white.

    Args:
      looks: All frames that will be shown.
    """
    # Tiles of a few pixels are too small to measure, not to look at.
    usable = [k for k in looks if k.facts.is_measured] or [
        k for k in looks if seen_mask(k.frame).any()
    ]
    usable.sort(key=lambda k: k.clear_share or 0.0, reverse=True)
    pixels = [
        _colours(k)[seen_mask(k.frame)].ravel()[::7]
        for k in usable[: (len(usable) + 1) // 2]
    ]
    if not pixels:
        return 0.0, 1.0
    joined = np.concatenate(pixels)
    low, high = np.percentile(joined[np.isfinite(joined)], (_LOW, _HIGH))
    return float(low), float(max(high, low + 1e-6))


def true_colour(look: Look, stretch: tuple[float, float]) -> np.ndarray:
    """[h, w, 3] uint8 picture of a frame; what is not seen is grey-blue.

    Frames without red, green and blue are shown by their first three bands,
    or as grey.
    """
    low, high = stretch
    colours = np.nan_to_num(_colours(look), nan=low)
    share = np.clip((colours - low) / (high - low), 0, 1) ** _GAMMA
    picture = np.rint(255 * share).astype(np.uint8)
    picture[~seen_mask(look.frame)] = _UNSEEN
    return _thin(picture)


def mask_picture(look: Look) -> np.ndarray:
    """[h, w, 3] uint8: white where the ground is seen, dark where not."""
    seen = seen_mask(look.frame)
    grey = np.where(seen, 235, 60).astype(np.uint8)
    return _thin(np.repeat(grey[..., None], 3, axis=2))


def to_data_uri(picture: np.ndarray) -> str:
    """A picture as a PNG within a page.

    Args:
      picture: [h, w, 3] uint8.
    """
    import matplotlib.image

    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, picture, format="png")
    return encode_png(buffer.getvalue())


def encode_png(content: bytes) -> str:
    """Bytes of a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def shown_bands(measured: Measured) -> str:
    """Which bands the pictures show, for their caption."""
    bands = measured.subject.bands
    if all(band in bands for band in RGB_BANDS):
        return "true colour (B4, B3, B2)"
    if len(bands) < 3:
        return f"{bands[0]}, shown as grey" if bands else ""
    return f"{', '.join(bands[:3])} as red, green, blue"


def _colours(look: Look) -> np.ndarray:
    """[H, W, 3] float32, as stored."""
    bands = look.frame.bands
    columns = [0, 0, 0]
    if all(band in bands for band in RGB_BANDS):
        columns = [bands.index(band) for band in RGB_BANDS]
    elif len(bands) >= 3:
        columns = [0, 1, 2]
    return look.frame.values[..., columns].astype(np.float32)


def _thin(picture: np.ndarray) -> np.ndarray:
    step = max(1, -(-max(picture.shape[:2]) // _MOST_PX))
    return np.ascontiguousarray(picture[::step, ::step])
