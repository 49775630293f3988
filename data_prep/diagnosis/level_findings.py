"""L1C or L2A: what files say, and what their numbers say.

Top-of-atmosphere frames (L1C) carry the light that the air scatters, most in
blue: on real L1C land the 1st percentile of B2 lies 210 to 560 DN above that
of B4, on real L2A land -60 to 100 DN. Two bands tell more surely: B10
exists in L1C only, and in L1C water vapour darkens B9 to 0.1 to 0.4 of B8A,
while L2A brings it back to about 1. Haze or bright soil can hide the blue
light, so its absence proves nothing about a single frame.
"""

import collections
from collections.abc import Iterator
from typing import Literal

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.measure import LOW
from data_prep.diagnosis.measure import MEDIAN
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from s2distill.data.bands import PRODUCT_LEVELS
from s2distill.data.bands import S2_BANDS

_VAPOUR_L1C, _VAPOUR_L2A = 0.6, 0.8  # B9 / B8A, medians
_BLUE_L1C_DN, _BLUE_L2A_DN = 250.0, 150.0  # B2 - B4, 1st percentiles
_HAZY_DN = 1000.0  # 1st percentile of B4; above it nothing is told
_DARK_DN = 700.0
_LAND_DN = 800.0  # median of B8; lakes and seas are blue by themselves
_LEAST_CLEAR = 0.5  # edges and shadows of clouds are blue too
_MOST = 0.7
_FEW = 0.05  # of many frames a few are always odd: a blue lake, thin haze

Sureness = Literal["sure", "likely"]


def find_level_faults(measured: Measured) -> Iterator[Finding]:
    """Mixed levels, and levels that the numbers contradict."""
    if measured.subject.kind == "image":
        return
    looks = [k for k in measured.looks() if k.facts.seen_px]
    mixed = list(_find_declared(looks))
    yield from mixed
    judged = [(k, verdict) for k in looks if (verdict := judge_level(k))]
    if not mixed:
        yield from _find_mixed_numbers(judged)
    yield from _find_contradicted(judged)
    known = any(set(k.frame.bands) & set(S2_BANDS) for k in looks)
    if known and not any(k.frame.product_level for k in looks):
        yield _unknown(judged)


def judge_level(look: Look) -> tuple[str, Sureness] | None:
    """What the numbers of a frame say of its level, None if nothing.

    Args:
      look: A frame; its scale must be known, or nothing is said.

    Returns:
      ("L1C" or "L2A", how surely).
    """
    facts = look.facts
    if facts.scale not in ("dn", "reflectance"):
        return None
    if "B10" in facts.bands:
        return "L1C", "sure"
    if not facts.is_measured:
        return None
    if "B9" in facts.bands and "B8A" in facts.bands:
        near = max(_dn(look, "B8A", MEDIAN), 1.0)
        vapour = _dn(look, "B9", MEDIAN) / near
        if near > _LAND_DN and vapour < _VAPOUR_L1C:
            return "L1C", "sure"
        if near > _LAND_DN and vapour > _VAPOUR_L2A:
            return "L2A", "sure"
    return _judge_blue(look)


def _judge_blue(look: Look) -> tuple[str, Sureness] | None:
    if not {"B2", "B4", "B8"} <= set(look.facts.bands):
        return None
    if look.clear_share is not None and look.clear_share < _LEAST_CLEAR:
        return None
    red, infrared = _dn(look, "B4", MEDIAN), _dn(look, "B8", MEDIAN)
    if infrared < max(_LAND_DN, red):
        return None
    dark_red = _dn(look, "B4", LOW)
    blue_light = _dn(look, "B2", LOW) - dark_red
    if blue_light > _BLUE_L1C_DN and dark_red < _HAZY_DN:
        return "L1C", "likely"
    if blue_light < _BLUE_L2A_DN and dark_red < _DARK_DN:
        return "L2A", "likely"
    return None


def _dn(look: Look, band: str, which: int) -> float:
    """A percentile of a band in DN without offset, of 10,000 a unit."""
    value = look.facts.percentile(band, which)
    if look.facts.scale == "reflectance":
        return value * 10_000
    frame = look.frame
    return (value + frame.offset_dn) * 10_000 / frame.quantification_dn


def _find_declared(looks: list[Look]) -> Iterator[Finding]:
    by_level: dict[str, list[str]] = collections.defaultdict(list)
    for look in looks:
        if look.frame.product_level:
            by_level[look.frame.product_level].append(look.name)
    if len(by_level) > 1:
        fewest = min(by_level.values(), key=len)
        shown = "; ".join(
            f"{len(names)} {level} ({name_some(names)})"
            for level, names in sorted(by_level.items())
        )
        yield Finding(
            "mixed_levels",
            "error",
            f"L1C and L2A are mixed, by their names, tags or bands: {shown}; "
            "air and ground would be taken for each other: keep one level",
            tuple(fewest),
        )


def _find_mixed_numbers(
    judged: list[tuple[Look, tuple[str, Sureness]]],
) -> Iterator[Finding]:
    """Levels that differ by the numbers, where no name or tag says so."""
    by_level = {
        level: [(k, how) for k, (said, how) in judged if said == level]
        for level in PRODUCT_LEVELS
    }
    if not all(by_level.values()):
        return
    surely = all(
        any(how == "sure" for _, how in group) for group in by_level.values()
    )
    fewest = min(by_level.values(), key=len)
    names = [k.name for k, _ in fewest]
    if not surely and len(names) < _FEW * len(judged):
        return
    odd = next(level for level in PRODUCT_LEVELS if by_level[level] is fewest)
    sign = (
        "B9 against B8A, or B10"
        if surely
        else "how much blue light the air adds to their dark pixels"
    )
    yield Finding(
        "mixed_levels",
        "error" if surely else "warning",
        f"by {sign}, {len(names)} of {len(judged)} frames look like {odd}, "
        f"the others not: {name_some(names)}; keep one level",
        tuple(names),
    )


def _find_contradicted(
    judged: list[tuple[Look, tuple[str, Sureness]]],
) -> Iterator[Finding]:
    """Frames that are declared to be of one level and look like the other."""
    told = [(k, verdict) for k, verdict in judged if k.frame.product_level]
    for level in PRODUCT_LEVELS:
        wrong = [
            (k, how)
            for k, (said, how) in told
            if said != level and k.frame.product_level == level
        ]
        if not wrong or len(wrong) < _MOST * len(told):
            continue
        surely = all(how == "sure" for _, how in wrong)
        other = next(one for one in PRODUCT_LEVELS if one != level)
        # That blue light is missing proves no L2A: soil and haze hide it.
        if other == "L2A" and not surely:
            continue
        yield Finding(
            "level_contradicted",
            "error" if surely else "warning",
            f"{len(wrong)} of {len(told)} frames are said to be {level} and "
            f"look like {other} ("
            + (
                "B10, or B9 against B8A"
                if surely
                else "blue light of the air in their dark pixels"
            )
            + f"): {name_some([k.name for k, _ in wrong])}; correct the name, "
            "tag or flag, or fetch the other product",
            tuple(k.name for k, _ in wrong),
        )


def _unknown(judged: list[tuple[Look, tuple[str, Sureness]]]) -> Finding:
    said = collections.Counter(verdict for _, verdict in judged)
    text = "nothing says whether this is L1C or L2A"
    if said:
        (level, how), number = said.most_common(1)[0]
        text += f"; {number} of {len(judged)} frames look like {level}, " + (
            "surely" if how == "sure" else "probably"
        )
    return Finding(
        "level_unknown",
        "note",
        f"{text}; give --product_level to the program that reads it",
    )
