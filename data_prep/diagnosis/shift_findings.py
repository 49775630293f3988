"""Frames that lie beside the others of their place.

Refined products agree to about 0.3 px, others to a pixel; the seven dates of
the real L2A place used in tests differ by up to one. More is a fault of
positions: of a file, or of the program that wrote it.
"""

from collections.abc import Iterator

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import count_frames
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.measured import MeasuredPlace

_FAR_PX = 1.5
# On small tiles a frame's own half pixel to either side counts for more.
_FAR_ON_SMALL_PX, _SMALL_PX = 2.0, 64
# The match at the shift must be good, and much better than without it.
_LEAST_CORRELATION = 0.4
_LEAST_GAIN = 0.15


def find_shifts(measured: Measured) -> Iterator[Finding]:
    """Frames that lie more than a pixel and a half beside the others."""
    names, texts, compared = [], [], 0
    for place in measured.places:
        alike = _alike(place)
        compared += len(alike)
        for look, row_px, col_px in shifted_looks(place):
            names.append(look.name)
            texts.append(
                f"{look.name} ({abs(row_px):.1f} px "
                f"{'down' if row_px > 0 else 'up'}, {abs(col_px):.1f} px "
                f"{'right' if col_px > 0 else 'left'})"
            )
    if names:
        yield Finding(
            "shifted_frame",
            "warning",
            f"{count_frames(names, compared)} beside the others of the same "
            f"place by more than a pixel and a half: {name_some(texts)}; "
            "check the transform of the file and the CRS it was warped from, "
            "or leave it out",
            tuple(names),
        )


def shifted_looks(place: MeasuredPlace) -> list[tuple[Look, float, float]]:
    """Frames that lie apart, with rows down and columns right, in pixels."""
    alike = _alike(place)
    if len(alike) < 2:
        return []
    shifts = np.array([[k.alignment.row_px, k.alignment.col_px] for k in alike])
    small = min(place.place.frames[0].shape) < _SMALL_PX
    far_px = _FAR_ON_SMALL_PX if small else _FAR_PX
    # Of two, nobody knows which is right: the second is named.
    middle = shifts[0] if len(alike) == 2 else np.median(shifts, axis=0)
    return [
        (look, float(row), float(col))
        for look, (row, col) in zip(alike, shifts - middle, strict=True)
        if max(abs(row), abs(col)) > far_px and _gains(look)
    ]


def _alike(place: MeasuredPlace) -> list[Look]:
    return [
        look
        for look in place.looks
        if look.alignment is not None
        and look.alignment.correlation >= _LEAST_CORRELATION
    ]


def _gains(look: Look) -> bool:
    return look.alignment.correlation - look.alignment.still >= _LEAST_GAIN
