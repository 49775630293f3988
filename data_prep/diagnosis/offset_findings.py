"""The +1000 DN that products since January 2022 carry, forgotten or mixed."""

from collections.abc import Iterator

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import count_frames
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.measure import LOW
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from data_prep.diagnosis.measured import MeasuredPlace
from data_prep.diagnosis.offset_steps import STEP_DN
from data_prep.diagnosis.offset_steps import find_raised
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import VISIBLE_BANDS

# Suspicion for a whole input: nothing lies below, and the dark end of the
# darkest band not far above.
_FLOOR_DN, _NEAR_FLOOR_DN = 960.0, 1450.0
# Deserts have no dark end either, but their red is far above their blue.
_VISIBLE_SPREAD_DN = 600.0
_FEW = 1e-3
_MANY = 0.5
_NEGATIVE = 0.25  # share of the values that an offset may not drive below 0


def find_offset_faults(measured: Measured) -> Iterator[Finding]:
    """One frame +1000 among others, all of them, and offsets mixed by tag."""
    if measured.subject.kind == "image":
        return
    yield from _find_declared(measured)
    everywhere = list(_find_everywhere(measured))
    yield from everywhere
    if everywhere:  # natural differences of what is too bright are unknown
        return
    found, total = [], 0
    for place in measured.places:
        usable = [k for k in place.measured if _is_comparable(k)]
        total += len(usable)
        found += find_raised(usable)
    if not found:
        return
    surely = any(raised.is_sure for raised in found)
    names = tuple(raised.look.name for raised in found)
    yield Finding(
        "offset_frame",
        "error" if surely else "warning",
        f"{count_frames(names, total)} about 1000 DN above the others of the "
        f"same place in every band: {name_some(names)}; products of "
        "processing baseline 04.00 and later carry such an offset "
        "(BOA_ADD_OFFSET), earlier and harmonised ones do not: subtract 1000 "
        "from these, or fetch all from one harmonised collection"
        + ("" if surely else "; flat haze can look alike, so look at them"),
        names,
    )


def _is_comparable(look: Look) -> bool:
    return look.facts.scale == "dn" and set(look.frame.bands) <= set(S2_BANDS)


def _find_declared(measured: Measured) -> Iterator[Finding]:
    """Frames of one place whose tags name different offsets."""
    mixed = []
    for place in measured.places:
        by_offset: dict[float, list[str]] = {}
        for look in place.looks:
            by_offset.setdefault(look.frame.offset_dn, []).append(look.name)
        if len(by_offset) > 1:
            mixed += [
                f"{offset:g} DN in {name_some(names)}"
                for offset, names in sorted(by_offset.items())
            ]
    if mixed:
        yield Finding(
            "mixed_offsets",
            "error",
            "tags or names of the files tell of several offsets: "
            f"{'; '.join(mixed[:3])}; s2distill.predict and "
            "data_prep.pair_geotiffs refuse such a stack: write all frames "
            "with one",
            tuple(mixed),
        )


def _find_everywhere(measured: Measured) -> Iterator[Finding]:
    """An offset in all frames that nobody declared, or declared in vain."""
    looks = [
        look
        for place in measured.places
        for look in _clearer_half(place)
        if _is_comparable(look)
    ]
    undeclared = [k for k in looks if k.frame.offset_dn == 0]
    on_floor = [k for k in undeclared if _is_on_floor(k)]
    below = any(_share_below(k, _FLOOR_DN) > _FEW for k in undeclared)
    if on_floor and len(on_floor) > _MANY * len(looks) and not below:
        lowest = min(k.facts.percentiles[:, LOW].min() for k in on_floor)
        yield Finding(
            "offset_suspected",
            "warning",
            f"no frame has a dark end below {lowest:.0f} DN in any band, and "
            "none is declared to have an offset: products of processing "
            "baseline 04.00 and later (since 2022-01-25) look so, +1000 DN in "
            "all; if they are such, state the offset of -1000 (--offset_dn, "
            "tag OFFSET_DN) or harmonise them",
            tuple(k.name for k in on_floor),
        )
    negative = [
        k
        for k in looks
        if k.frame.offset_dn < 0
        and _share_below(k, -0.8 * k.frame.offset_dn) > _NEGATIVE
    ]
    if negative and len(negative) > _MANY * len(looks):
        share = float(np.median([_share_below(k, STEP_DN) for k in negative]))
        yield Finding(
            "offset_missing",
            "error",
            f"an offset of {negative[0].frame.offset_dn:g} DN is declared, "
            f"but {100 * share:.0f} % of the values lie below 1000 DN and "
            "would become negative reflectance; it was taken off already: "
            "declare an offset of 0",
            tuple(k.name for k in negative),
        )


def _is_on_floor(look: Look) -> bool:
    """True if its dark end is as dark as an offset leaves it."""
    low = dict(
        zip(look.frame.bands, look.facts.percentiles[:, LOW], strict=True)
    )
    visible = [low[band] for band in VISIBLE_BANDS if band in low]
    flat = not visible or max(visible) - min(visible) < _VISIBLE_SPREAD_DN
    return flat and min(low.values()) <= _NEAR_FLOOR_DN


def _clearer_half(place: MeasuredPlace) -> list[Look]:
    """The clearer half of a place's frames: cloud has no dark end."""
    ranked = sorted(
        place.measured,
        key=lambda k: 1.0 if k.clear_share is None else k.clear_share,
        reverse=True,
    )
    return ranked[: max(1, (len(ranked) + 1) // 2)]


def _share_below(look: Look, limit_dn: float) -> float:
    """Share of the seen values of all bands below a limit."""
    values = look.frame.values[look.frame.inside]
    finite = values[np.isfinite(values) & (values != 0)]
    return float((finite < limit_dn).mean()) if finite.size else 0.0
