"""Frames that show nothing, or nothing new: black, NaN, cloudy, copied."""

import collections
import datetime
from collections.abc import Iterator

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import count_frames
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.finding import percent
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured

_MUCH_NAN = 0.2
_NEARLY_ALL = 0.999
_CLOUDY = 0.3  # share of clear ground below which a frame is named
_FEW_SEEN = 0.5


def find_pixel_faults(measured: Measured) -> Iterator[Finding]:
    """Black, constant, NaN, unseen, cloudy and repeated frames."""
    looks = list(measured.looks())
    if measured.subject.kind == "image":
        yield from _find_empty_images(looks)
        return
    yield from _find_empty(measured, looks)
    yield from _find_nan(looks)
    yield from _find_cloudy(looks)
    yield from _find_copies(measured)
    yield from _find_equal_times(measured)


def _is_nan(look: Look) -> bool:
    return look.facts.nan_share >= _NEARLY_ALL


def _is_black(look: Look) -> bool:
    """0 in all bands, where it is not NaN."""
    facts = look.facts
    return facts.seen_px == 0 and facts.black_share > 0 and not _is_nan(look)


def _find_empty_images(looks: list[Look]) -> Iterator[Finding]:
    names = [k.name for k in looks if _is_black(k) or k.facts.is_constant]
    if names:
        yield Finding(
            "black_image",
            "error",
            f"{name_some(names)}: one colour everywhere, so nothing is shown; "
            "fetch the image again",
            tuple(names),
        )


def _find_empty(measured: Measured, looks: list[Look]) -> Iterator[Finding]:
    # What its own mask hides altogether is no black frame.
    black = [k.name for k in looks if _is_black(k) and k.frame.inside.any()]
    if black:
        yield Finding(
            "black_frame",
            "error",
            f"{_of(black, looks)} black, 0 in every band and pixel: "
            f"{name_some(black)}; leave out or fetch again",
            tuple(black),
        )
    constant = [k.name for k in looks if k.facts.is_constant]
    if constant:
        yield Finding(
            "constant_frame",
            "error",
            f"{_of(constant, looks)} one constant value in every pixel: "
            f"{name_some(constant)}; leave out or fetch again",
            tuple(constant),
        )
    hidden = [
        k.name
        for k in looks
        if k.facts.seen_px == 0 and k.name not in black and not _is_nan(k)
    ]
    if hidden:
        much = len(hidden) > _FEW_SEEN * len(looks)
        yield Finding(
            "hidden_frame",
            "warning" if much else "note",
            f"{_of(hidden, looks)} hidden altogether by the mask or nodata of "
            f"the input itself (cloud, or outside): {name_some(hidden)}; such "
            "frames show nothing and do no harm"
            + ("; clearer dates are worth more" if much else ""),
            tuple(hidden),
        )


def _find_nan(looks: list[Look]) -> Iterator[Finding]:
    empty = [k.name for k in looks if _is_nan(k)]
    if empty:
        yield Finding(
            "nan_frame",
            "error",
            f"{_of(empty, looks)} NaN in every pixel: {name_some(empty)}; "
            "leave out or fetch again",
            tuple(empty),
        )
    some = [k for k in looks if k.facts.nan_share > 0 and k.name not in empty]
    if some:
        worst = max(some, key=lambda k: k.facts.nan_share)
        much = worst.facts.nan_share > _MUCH_NAN
        names = [k.name for k in some]
        yield Finding(
            "nan_pixels",
            "warning" if much else "note",
            f"{_of(names, looks)} NaN in part, at most "
            f"{percent(worst.facts.nan_share)} of the values "
            f"({worst.name}); such pixels are left out when read",
            tuple(names),
        )


def _find_cloudy(looks: list[Look]) -> Iterator[Finding]:
    cloudy = [
        (k.clear_share, k.name)
        for k in looks
        if k.facts.is_measured
        and k.clear_share is not None
        and k.clear_share < _CLOUDY
    ]
    if cloudy:
        names = [name for _, name in cloudy]
        shown = name_some(
            [f"{name} ({percent(share)} clear)" for share, name in cloudy]
        )
        yield Finding(
            "cloudy_frame",
            "note",
            f"{_of(names, looks)} mostly cloud, snow or haze, to judge by "
            f"brightness: {shown}; no fault",
            tuple(names),
        )


def _find_copies(measured: Measured) -> Iterator[Finding]:
    """The same pixels twice: in one place, or in two records."""
    seen: dict[str, list[tuple[int, Look]]] = collections.defaultdict(list)
    for number, place in enumerate(measured.places):
        for look in place.measured:
            seen[look.facts.digest].append((number, look))
    within, across, leaks = [], [], []
    for group in seen.values():
        if len(group) < 2:
            continue
        looks = [look for _, look in group]
        numbers = [number for number, _ in group]
        if len(set(numbers)) < len(numbers):
            within.append(looks)
        if len(set(numbers)) > 1:
            splits = {measured.places[n].place.split for n in numbers}
            (leaks if len(splits) > 1 else across).append(looks)
    if within:
        yield Finding(
            "duplicate_frame",
            "warning",
            f"the same pixels stand twice: {_equations(within)}; keep one of "
            "each, a copy shows nothing new and weighs double",
            _names(within),
        )
    if across:
        yield Finding(
            "duplicate_record",
            "warning",
            f"two records show the same pixels: {_equations(across)}; write "
            "each place once",
            _names(across),
        )
    if leaks:
        yield Finding(
            "duplicate_across_splits",
            "error",
            f"the same pixels stand in two splits: {_equations(leaks)}; "
            "scores would be of what was trained on: split the places again",
            _names(leaks),
        )


def _equations(groups: list[list[Look]]) -> str:
    """Which frames are equal: "a = b, c = d and 3 more"."""
    return name_some([" = ".join(k.name for k in g[:3]) for g in groups])


def _names(groups: list[list[Look]]) -> tuple[str, ...]:
    return tuple(look.name for group in groups for look in group)


def _find_equal_times(measured: Measured) -> Iterator[Finding]:
    twice = []
    for place in measured.places:
        by_time = collections.defaultdict(list)
        for look in place.looks:
            if look.frame.time_utc_s is not None:
                by_time[look.frame.time_utc_s].append(look)
        for time_s, group in by_time.items():
            differ = len({look.facts.digest for look in group}) > 1
            if len(group) > 1 and differ:
                when = datetime.datetime.fromtimestamp(time_s, datetime.UTC)
                names = " and ".join(look.name for look in group[:3])
                twice.append(f"{when:%Y-%m-%d} in {names}")
    if twice:
        yield Finding(
            "same_time",
            "note",
            f"two frames of one place have the same time: {name_some(twice)}; "
            "two tiles or two processings of one pass?",
            tuple(twice),
        )


def _of(names: list[str], looks: list[Look]) -> str:
    return count_frames(names, len(looks), ("is", "are"))
