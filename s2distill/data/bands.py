"""The Sentinel-2 band table: the one place that knows bands and levels.

Sources: ESA, Sentinel-2 User Handbook (issue 1 rev 2, 2015), table 1: centre
wavelength, ground sampling distance, signal-to-noise ratio at the reference
radiance. Product offset: ESA, Sentinel-2 Products Specification Document,
processing baseline 04.00 of 2022-01-25: RADIO_ADD_OFFSET and
BOA_ADD_OFFSET of -1000 DN.
"""

import dataclasses
import re
from collections.abc import Sequence
from typing import Literal

from s2distill.errors import BandError
from s2distill.errors import ProductLevelError

ProductLevel = Literal["L1C", "L2A"]
PRODUCT_LEVELS: tuple[ProductLevel, ...] = ("L1C", "L2A")

S2_QUANTIFICATION_DN = 10_000  # DN per unit reflectance; ESA PSD
S2_OFFSET_DN = -1_000  # added to DN since baseline 04.00; ESA PSD
S2_NODATA_DN = 0  # ESA PSD, SPECIAL_VALUE_TEXT NODATA


@dataclasses.dataclass(frozen=True)
class Band:
    """One band of the MultiSpectral Instrument.

    Attributes:
      name: "B2", ..., "B8A", ..., "B12".
      wavelength_nm: Centre.
      gsd_m: Native ground sampling distance.
      snr: Signal-to-noise ratio at the reference radiance.
    """

    name: str
    wavelength_nm: int
    gsd_m: int
    snr: int


S2_BANDS: dict[str, Band] = {
    band.name: band
    for band in (
        Band("B1", 443, 60, 129),
        Band("B2", 490, 10, 154),
        Band("B3", 560, 10, 168),
        Band("B4", 665, 10, 142),
        Band("B5", 705, 20, 117),
        Band("B6", 740, 20, 89),
        Band("B7", 783, 20, 105),
        Band("B8", 842, 10, 174),
        Band("B8A", 865, 20, 72),
        Band("B9", 945, 60, 114),
        Band("B10", 1375, 60, 50),
        Band("B11", 1610, 20, 100),
        Band("B12", 2190, 20, 100),
    )
}

DEFAULT_BANDS = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
VISIBLE_BANDS = ("B2", "B3", "B4")
# Red, green, blue, for pictures.
RGB_BANDS = ("B4", "B3", "B2")
# Band order of files that hold a whole L2A product, which has no B10.
L2A_FILE_BANDS = tuple(name for name in S2_BANDS if name != "B10")

_NAME_PATTERN = re.compile(r"^B0?(\d{1,2})(A?)$", re.IGNORECASE)


def parse_band_name(text: str) -> str:
    """The table's name of "B02", "b2", "B8a"; BandError if there is none."""
    match = _NAME_PATTERN.match(text.strip())
    name = f"B{int(match[1])}{match[2].upper()}" if match else None
    if name not in S2_BANDS:
        raise BandError(
            f"no Sentinel-2 band {text!r}; the bands are {', '.join(S2_BANDS)}"
        )
    return name


def parse_band_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Names in the given order; BandError if one is unknown or stands twice."""
    names = tuple(parse_band_name(text) for text in texts)
    if not names or len(set(names)) != len(names):
        raise BandError(f"bands {', '.join(texts) or '(none)'}: each once")
    return names


def find_bands(wanted: Sequence[str], present: Sequence[str]) -> list[int]:
    """Position in `present` of each wanted band; BandError names both."""
    missing = [name for name in wanted if name not in present]
    if missing:
        raise BandError(
            f"no band {', '.join(missing)} among {', '.join(present)}"
        )
    return [list(present).index(name) for name in wanted]


def check_product_level(level: str) -> ProductLevel:
    """Returns `level` if it is L1C or L2A; ProductLevelError otherwise."""
    if level not in PRODUCT_LEVELS:
        raise ProductLevelError(
            f"product level {level!r}; expected one of {PRODUCT_LEVELS}"
        )
    return level
