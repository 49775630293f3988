"""Numbers of another kind than digital numbers of reflectance.

Sentinel-2 products hold reflectance x 10,000. Ground reflects 0.02 to 0.7,
clouds up to about 1.5; what lies far outside was scaled otherwise.
"""

from collections.abc import Iterator

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import count_frames
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.measure import EIGHTY_FOURTH
from data_prep.diagnosis.measure import HIGH
from data_prep.diagnosis.measure import MAX_REFLECTANCE
from data_prep.diagnosis.measure import MEDIAN
from data_prep.diagnosis.measure import shows_land
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from s2distill.data.bands import S2_BANDS

# Of the brightest band's 84th percentile: even dark water reaches it.
_DARKEST = 0.005
# Of its 99th, where the infrared says that land is shown: a tenth of what
# vegetation and soil reflect.
_DARKEST_LAND = 0.06
# Of its median: cloud and snow reach 1.2, all dates of a place seldom 0.9.
_BRIGHTEST, _SUSPECT = 1.6, 0.9
# B1, B9 and B10 see the air, and are corrected to odd numbers over cloud.
_BE, _HOLD = ("is", "are"), ("holds", "hold")
# Corrected reflectance falls a little below 0, never so far.
_NEGATIVE_DN, _NEGATIVE_REFLECTANCE = -1000.0, -0.1
_ODD_BANDS = ("B1", "B9", "B10")


def find_scale_faults(measured: Measured) -> Iterator[Finding]:
    """8-bit pictures, reflectance as floats, and scales of no product."""
    if measured.subject.kind == "image":
        return
    looks = [k for k in measured.looks() if k.facts.seen_px]
    eight_bit = [k for k in looks if k.facts.scale == "8-bit"]
    reflectance = [k for k in looks if k.facts.scale == "reflectance"]
    numbers = [k for k in looks if k.facts.scale == "dn"]
    if eight_bit:
        yield _eight_bit(eight_bit, looks)
    if reflectance and numbers:
        yield Finding(
            "mixed_scale",
            "error",
            f"{len(reflectance)} of {len(looks)} frames hold reflectance of "
            f"0 to 1 ({name_some(_names(reflectance))}), the others digital "
            f"numbers ({name_some(_names(numbers))}); write all in one scale",
            _names(reflectance),
        )
    elif reflectance:
        yield Finding(
            "reflectance",
            "note",
            "the values are reflectance of 0 to 1, not digital numbers; "
            "GeoTIFFs are scaled by 10,000 when read, anything else must be "
            "before a model that wants digital numbers sees it",
        )
    yield from _find_negative(looks)
    yield from _find_outliers(measured, reflectance)
    yield from _find_rounded(numbers, looks)
    yield from _find_wrong_scale(numbers, looks)


def _eight_bit(eight_bit: list[Look], looks: list[Look]) -> Finding:
    highest = max(k.facts.maximum for k in eight_bit)
    stored = {str(k.frame.values.dtype) for k in eight_bit}
    return Finding(
        "eight_bit",
        "error",
        f"{count_frames(_names(eight_bit), len(looks), _BE)} 8-bit, not "
        f"reflectance: no value above {highest:.0f} "
        f"({', '.join(sorted(stored))}), where ground reaches thousands of "
        f"DN: {name_some(_names(eight_bit))}; take the bands of the product "
        "itself, not its preview (TCI, thumbnail)",
        _names(eight_bit),
    )


def _find_negative(looks: list[Look]) -> Iterator[Finding]:
    """Nodata that the file does not declare, such as -9999."""
    odd = [
        k
        for k in looks
        if k.facts.minimum
        <= (
            _NEGATIVE_REFLECTANCE
            if k.facts.scale == "reflectance"
            else _NEGATIVE_DN
        )
    ]
    if odd:
        lowest = min(k.facts.minimum for k in odd)
        gone = all(k.facts.maximum < 0 for k in odd)
        yield Finding(
            "negative_values",
            "error" if gone else "warning",
            f"{count_frames(_names(odd), len(looks), _HOLD)} values down to "
            f"{lowest:g}: {name_some(_names(odd))}; is that nodata? The file "
            "does not say so: declare it (gdal_edit.py -a_nodata)",
            _names(odd),
        )


def _find_outliers(
    measured: Measured, reflectance: list[Look]
) -> Iterator[Finding]:
    """Floats of 0 to 1 with a few above 2, which are then taken for DN."""
    if measured.subject.kind != "geotiff_frames":
        return
    odd = [k for k in reflectance if k.facts.maximum > MAX_REFLECTANCE]
    if odd:
        worst = max(odd, key=lambda k: k.facts.maximum)
        yield Finding(
            "reflectance_outliers",
            "error",
            f"{name_some(_names(odd))}: reflectance with values up to "
            f"{worst.facts.maximum:g}; above {MAX_REFLECTANCE:g} the file is "
            "taken for digital numbers, and its ground for black; cut such "
            "values off, or write digital numbers",
            _names(odd),
        )


def _find_rounded(numbers: list[Look], looks: list[Look]) -> Iterator[Finding]:
    rounded = [
        k
        for k in numbers
        if k.facts.maximum <= MAX_REFLECTANCE and k.facts.minimum >= 0
    ]
    if rounded:
        yield Finding(
            "reflectance_as_dn",
            "error",
            f"{count_frames(_names(rounded), len(looks), _HOLD)} nothing but "
            "0, 1 and 2: reflectance of 0 to 1 was written as whole numbers, "
            f"{name_some(_names(rounded))}; multiply by 10,000 before writing",
            _names(rounded),
        )


def _find_wrong_scale(
    numbers: list[Look], looks: list[Look]
) -> Iterator[Finding]:
    measured = [
        k
        for k in numbers
        if k.facts.is_measured
        and k.facts.maximum > MAX_REFLECTANCE
        and set(k.frame.bands) <= set(S2_BANDS)
    ]
    dark = [k for k in measured if _is_dark(k)]
    bright = [k for k in measured if _brightest(k, MEDIAN) > _BRIGHTEST]
    suspect = [k for k in measured if _brightest(k, MEDIAN) > _SUSPECT]
    # One dark lake or one bright cloud among others is no scale.
    for odd, what in ((dark, "dark"), (bright, "bright"), (suspect, "bright")):
        if len(odd) <= len(measured) / 2:
            continue
        middle = float(np.median([_brightest(k, MEDIAN) for k in odd]))
        yield Finding(
            "wrong_scale",
            "warning" if odd is suspect else "error",
            f"{count_frames(_names(odd), len(looks), _BE)} far too {what}: "
            f"the brightest band has a median reflectance of {middle:.2g} by "
            f"the scale of {odd[0].frame.quantification_dn:g} DN per unit, "
            f"ground has 0.02 to 0.7 ({name_some(_names(odd))}); say what the "
            "numbers are, or write them again as reflectance x 10,000"
            + ("; or is all of it snow or cloud?" if odd is suspect else ""),
            _names(odd),
        )
        return


def _reflectance(look: Look, which: int = MEDIAN) -> np.ndarray:
    """[C'] percentile of each band that sees the ground, as reflectance."""
    ground = [i for i, b in enumerate(look.frame.bands) if b not in _ODD_BANDS]
    values = look.facts.percentiles[ground or slice(None), which]
    frame = look.frame
    return (values + frame.offset_dn) / frame.quantification_dn


def _brightest(look: Look, which: int) -> float:
    return float(_reflectance(look, which).max())


def _is_dark(look: Look) -> bool:
    if _brightest(look, EIGHTY_FOURTH) < _DARKEST:
        return True
    high = look.facts.percentiles[:, HIGH]
    return (
        shows_land(look.frame.bands, high)
        and _brightest(look, HIGH) < _DARKEST_LAND
    )


def _names(looks: list[Look]) -> tuple[str, ...]:
    return tuple(look.name for look in looks)
