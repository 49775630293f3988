"""What the name and the tags of a Sentinel-2 GeoTIFF say about it.

Bands come from band descriptions ("B2", "B02", "blue"), time and product
level from tags or from the file name. What files say in the wild: Earth
Engine writes B2, B8A; earth-search writes blue, nir08; SAFE names carry
MSIL2A, a time and the processing baseline N0400; most others a date only.
"""

import datetime
import pathlib
import re
from collections.abc import Mapping
from collections.abc import Sequence

from s2distill.data.bands import L2A_FILE_BANDS
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_OFFSET_DN
from s2distill.data.bands import ProductLevel
from s2distill.data.bands import check_product_level
from s2distill.data.clear_mask import MASK_BANDS
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import FrameError
from s2distill.errors import ProductLevelError

SKIPPED_BAND = "-"

# STAC electro-optical extension, common band names of Sentinel-2.
_COMMON_NAMES = {
    "coastal": "B1",
    "blue": "B2",
    "green": "B3",
    "red": "B4",
    "rededge1": "B5",
    "rededge2": "B6",
    "rededge3": "B7",
    "nir": "B8",
    "nir08": "B8A",
    "nir09": "B9",
    "cirrus": "B10",
    "swir16": "B11",
    "swir22": "B12",
}
_BAND = re.compile(r"(?<![a-z0-9])b0?(\d{1,2})(a?)(?![a-z0-9])", re.IGNORECASE)
_LEVEL = re.compile(r"(?<![A-Z0-9])(?:MSI)?L(1C|2A)(?![A-Z0-9])")
_BASELINE = re.compile(r"_N(\d{4})_")
_FIRST_BASELINE_WITH_OFFSET = 400  # 04.00; ESA, see bands.py
_DATE = re.compile(
    r"(?<!\d)(?P<y>20\d\d)(?P<s>[-_]?)(?P<m>[01]\d)(?P=s)(?P<d>[0-3]\d)"
    r"(?:T?(?P<H>[0-2]\d)(?P<M>[0-5]\d)(?P<S>[0-5]\d))?(?!\d)"
)
_TIME_TAGS = (
    "DATETIME_UTC",
    "ACQUISITIONDATETIME",
    "DATATAKE_1_DATATAKE_SENSING_START",
)
_LEVEL_TAGS = ("PRODUCT_LEVEL", "PROCESSING_LEVEL")


def find_file_bands(
    path: str,
    descriptions: Sequence[str | None],
    file_bands: Sequence[str] | None,
) -> dict[str, int]:
    """Which band of a file is which.

    Args:
      path: Of the file, for messages.
      descriptions: Of its bands, None where a band has none.
      file_bands: Names given by the user, one for each band of the file,
        "-" for a band to pass over; None reads the descriptions, and where
        there are none takes 12 bands for a whole L2A product, 13 for L1C.

    Returns:
      Position (from 0) of each Sentinel-2 or mask band.

    Raises:
      BandError: If the names do not fit the file, one stands twice, or
        there are none.
    """
    count = len(descriptions)
    if file_bands:
        return _given_bands(path, count, file_bands)
    if not any(descriptions):
        orders = {len(L2A_FILE_BANDS): L2A_FILE_BANDS, 13: tuple(S2_BANDS)}
        if count not in orders:
            raise BandError(
                f"{path} has {count} bands without names; give their order, "
                "for example --file_bands=B2,B3,B4,B8"
            )
        return {name: i for i, name in enumerate(orders[count])}
    found: dict[str, int] = {}
    for i, text in enumerate(descriptions):
        name = _band_of(text or "")
        if name in found:
            raise BandError(
                f"{path} holds band {name} twice ({descriptions[found[name]]} "
                f"and {text}), as a file of several dates does; write one "
                "file a date"
            )
        if name:
            found[name] = i
    if not any(name in S2_BANDS for name in found):
        shown = ", ".join(str(text) for text in descriptions[:6])
        raise BandError(
            f"{path} has no Sentinel-2 band among {shown}; give the order, "
            "for example --file_bands=B2,B3,B4,B8"
        )
    return found


def find_time_utc_s(path: str, tags: Mapping[str, str]) -> int:
    """When a frame was taken, seconds since 1970.

    Args:
      path: Of the file; its name may hold 2020-01-13, 20200113 or
        20200113T105421.
      tags: Of the file; DATETIME_UTC (ISO 8601) wins over the name.

    Raises:
      FrameError: If neither holds a date.
    """
    for tag in _TIME_TAGS:
        if tag in tags:
            return _parse_iso(path, tag, tags[tag])
    for match in _DATE.finditer(pathlib.Path(path).name):
        parts = [int(match[k] or 0) for k in "ymdHMS"]
        try:
            moment = datetime.datetime(*parts, tzinfo=datetime.UTC)
        except ValueError:
            continue
        return int(moment.timestamp())
    raise FrameError(
        f"no date in the name or tags of {path}; rename it, for example to "
        "2020-01-13.tif, or set its tag DATETIME_UTC"
    )


def find_product_level(
    path: str,
    tags: Mapping[str, str],
    bands: Sequence[str],
    given: str | None,
) -> ProductLevel:
    """The product level of a frame, from the surest source that has it.

    Args:
      path: Of the file; a SAFE-like name holds MSIL2A or L2A.
      tags: Of the file; PRODUCT_LEVEL wins over the name.
      bands: That the file holds: B10 is in L1C only, and a file with the
        other twelve and no B10 is a whole L2A product.
      given: By the user; must not contradict tags or name.

    Raises:
      ProductLevelError: If nothing tells, or two sources disagree.
    """
    said = _said_level(path, tags)
    if given and said and given != said:
        raise ProductLevelError(
            f"{path} says that it is {said}, --product_level={given}; drop "
            "the flag or correct the file's name or tag PRODUCT_LEVEL"
        )
    if given or said:
        return check_product_level(given or said)
    if "B10" in bands:
        return "L1C"
    if set(L2A_FILE_BANDS) <= set(bands):
        return "L2A"
    raise ProductLevelError(
        f"nothing says whether {path} is L1C or L2A; give --product_level"
    )


def find_offset_dn(
    path: str, tags: Mapping[str, str], given: float | None
) -> float:
    """The offset that must be added to digital numbers, 0 or -1000.

    Args:
      path: Of the file; the baseline in a SAFE name (N0400 and later) says
        that the offset was not taken out.
      tags: Of the file; OFFSET_DN wins over the name.
      given: By the user; wins over both, because services that harmonise
        (Earth Engine's HARMONIZED collections, Sentinel Hub) keep names.
    """
    if given is not None:
        return float(given)
    if "OFFSET_DN" in tags:
        return _parse_number(path, "OFFSET_DN", tags["OFFSET_DN"])
    baseline = _BASELINE.search(pathlib.Path(path).name)
    if baseline and int(baseline[1]) >= _FIRST_BASELINE_WITH_OFFSET:
        return float(S2_OFFSET_DN)
    return 0.0


def find_quantification_dn(
    path: str, tags: Mapping[str, str], default: float
) -> float:
    """Digital numbers per unit reflectance: the tag, or `default`."""
    if "QUANTIFICATION_DN" not in tags:
        return default
    return _parse_number(path, "QUANTIFICATION_DN", tags["QUANTIFICATION_DN"])


def _given_bands(
    path: str, count: int, file_bands: Sequence[str]
) -> dict[str, int]:
    shown = ",".join(file_bands)
    if len(file_bands) != count:
        raise BandError(
            f"--file_bands={shown} names {len(file_bands)} bands, {path} has "
            f"{count}; name each, - for one to pass over"
        )
    names = [
        name if name == SKIPPED_BAND else _band_of(name) for name in file_bands
    ]
    if None in names:
        raise ConfigError(
            f"--file_bands={shown}: {file_bands[names.index(None)]!r} is "
            f"neither a band ({', '.join(S2_BANDS)}) nor a mask "
            f"({', '.join(MASK_BANDS)}) nor {SKIPPED_BAND}"
        )
    used = [name for name in names if name != SKIPPED_BAND]
    if len(set(used)) != len(used):
        raise ConfigError(f"--file_bands={shown}: a band stands twice")
    return {name: names.index(name) for name in used}


def _band_of(text: str) -> str | None:
    """The band or mask that a description means, None if neither."""
    plain = text.strip().lower()
    if plain in _COMMON_NAMES:
        return _COMMON_NAMES[plain]
    for mask in MASK_BANDS:
        if plain == mask.lower():
            return mask
    match = _BAND.search(plain.replace("_", " "))
    name = f"B{int(match[1])}{match[2].upper()}" if match else None
    return name if name in S2_BANDS else None


def _said_level(path: str, tags: Mapping[str, str]) -> str | None:
    for tag in _LEVEL_TAGS:
        match = _LEVEL.search(tags.get(tag, "").replace("Level-", "L"))
        if match:
            return f"L{match[1]}"
    match = _LEVEL.search(pathlib.Path(path).name)
    return f"L{match[1]}" if match else None


def _parse_iso(path: str, tag: str, text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise FrameError(
            f"{path} has tag {tag}={text!r}, which is no ISO 8601 time; "
            "write for example 2020-01-13T10:54:21+00:00"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp())


def _parse_number(path: str, tag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise FrameError(
            f"{path} has tag {tag}={text!r}, which is no number; correct it "
            f"with gdal_edit.py -mo {tag}=VALUE"
        ) from error
