"""Values against the statistics that a model, or its records, were made of."""

import dataclasses
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from data_prep.diagnosis.band_order import pool_pixels
from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.measured import Measured

if TYPE_CHECKING:
    from s2distill.data.normalize import BandStatistics

# In scales, one of which is about a standard deviation of training pixels.
_UNLIKE, _FOREIGN = 1.5, 3.0
_CLIPPED = 0.05  # share of the values past the clip of `normalize_s2`
_LIMIT = 6.0  # as `s2distill.data.normalize.LIMIT`
_MANY = 0.5


@dataclasses.dataclass(frozen=True)
class BandDistance:
    """How far the values of a band lie from its statistics.

    Attributes:
      band: Name.
      centre_scales: Median less the centre, in scales.
      spread_ratio: Spread over the scale.
      clipped_share: Share of the values that normalisation cuts off.
    """

    band: str
    centre_scales: float
    spread_ratio: float
    clipped_share: float


def measure_distance(
    measured: Measured, statistics: "BandStatistics"
) -> tuple[BandDistance, ...]:
    """The distance of each band that the statistics know.

    Args:
      measured: The input; all seen pixels take part, as in the statistics.
      statistics: Centre and scale of reflectance.
    """
    bands = measured.subject.bands
    pixels = pool_pixels(measured, bands, clearest_share=1.0)
    if not len(pixels):
        return ()
    found = []
    for i, band in enumerate(bands):
        if band not in statistics.bands:
            continue
        place = statistics.bands.index(band)
        scales = (pixels[:, i] - statistics.centre[place]) / (
            statistics.scale[place]
        )
        low, middle, high = np.percentile(scales, (16, 50, 84))
        found.append(
            BandDistance(
                band=band,
                centre_scales=float(middle),
                spread_ratio=float(high - low) / 2,
                clipped_share=float((np.abs(scales) > _LIMIT).mean()),
            )
        )
    return tuple(found)


def find_statistics_faults(
    measured: Measured, statistics: "BandStatistics | None", whose: str
) -> Iterator[Finding]:
    """Values that lie far from what training saw.

    Args:
      measured: The input.
      statistics: None if there are none to compare with.
      whose: What the statistics are of, for the message.
    """
    if statistics is None or measured.subject.kind == "image":
        return
    distances = measure_distance(measured, statistics)
    if not distances:
        return
    far = [d for d in distances if abs(d.centre_scales) > _UNLIKE]
    if far:
        yield _far(distances, far, whose)
        return
    worst = max(distances, key=lambda d: d.clipped_share)
    if worst.clipped_share > _CLIPPED:
        yield Finding(
            "clipped_values",
            "note",
            f"{percent(worst.clipped_share)} of the values of {worst.band} "
            f"lie more than {_LIMIT:g} scales from {whose} and are cut off, "
            "as bright cloud and snow are; masked, they would do no harm",
            (worst.band,),
        )


def _far(
    distances: Sequence[BandDistance], far: Sequence[BandDistance], whose: str
) -> Finding:
    worst = max(far, key=lambda d: abs(d.centre_scales))
    side = "above" if worst.centre_scales > 0 else "below"
    grave = (
        len(far) > _MANY * len(distances) or abs(worst.centre_scales) > _FOREIGN
    )
    return Finding(
        "unlike_statistics",
        "warning" if grave else "note",
        f"the values differ from {whose}: {len(far)} of {len(distances)} "
        f"bands have their median more than {_UNLIKE:g} scales off, most "
        f"{worst.band}, {abs(worst.centre_scales):.1f} scales {side}; another "
        "season, climate or kind of ground, or another scale or offset: "
        "expect worse answers, or train on such ground too",
        tuple(d.band for d in far),
    )
