"""Band names that hold one band at several dates.

Earth Engine has no time axis: a series becomes an image of many bands, and
each way there leaves names of its own.

    f00_B2, f00_valid, f01_B2      this package
    0_B2, 1_B2                     ImageCollection.toBands, plain indices
    20200113T105421_T31TDG_B2      ImageCollection.toBands, the image's id
    B2, B2_1, B2_2                 addBands where a name is taken
    B2_2020-01-13                  renamed by hand, date last

A label, which is what stands beside the band's name, must hold a digit:
"B2_median" is no date of B2.
"""

import dataclasses
import re
from collections.abc import Mapping
from collections.abc import Sequence

from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import parse_band_name
from s2distill.errors import BandError

_BAND = r"[Bb]\d{1,2}[Aa]?"
_PREFIXED = re.compile(rf"(?P<label>.*\d.*)_(?P<band>{_BAND})")
_SUFFIXED = re.compile(
    rf"(?P<band>{_BAND})_(?P<label>\d+(?:[-T]\d+)*|\d{{4}}_\d\d_\d\d)"
)
_PLAIN = re.compile(rf"(?P<band>{_BAND})")


@dataclasses.dataclass(frozen=True)
class BandSeries:
    """The frames that band names tell of, in the order of their labels.

    Attributes:
      names: All names, as given; every index below points into them.
      labels: What tells frames apart, "f00" or "2020-01-13"; "" where the
        names have none. In natural order: 2 before 10, earlier dates first,
        "" before all.
      frames: For each label, index of each Sentinel-2 band by its name in
        the band table ("B02" is B2).
      companions: For each label, index of names that share it but are no
        Sentinel-2 band: {"valid": 10} of "f00_valid", {"VV": 0} of "VV_3".
      other: Names that belong to no frame.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    frames: tuple[Mapping[str, int], ...]
    companions: tuple[Mapping[str, int], ...]
    other: tuple[str, ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that every frame has, in the order of the band table."""
        return tuple(
            band
            for band in S2_BANDS
            if self.frames and all(band in frame for frame in self.frames)
        )

    @property
    def gaps(self) -> dict[str, tuple[str, ...]]:
        """By label, the bands that other frames have and this one lacks."""
        union = [b for b in S2_BANDS if any(b in f for f in self.frames)]
        lacking = {
            label: tuple(band for band in union if band not in frame)
            for label, frame in zip(self.labels, self.frames, strict=True)
        }
        return {label: bands for label, bands in lacking.items() if bands}

    def check_bands(self, wanted: Sequence[str]) -> None:
        """Raises BandError unless every frame has every wanted band."""
        if not self.frames:
            raise BandError(
                f"no Sentinel-2 band among {_listed(self.names)}; names such "
                "as f00_B2, 0_B2, B2_1 or B2_2020-01-13 are known"
            )
        for label, frame in zip(self.labels, self.frames, strict=True):
            missing = [band for band in wanted if band not in frame]
            if missing:
                raise BandError(
                    f"frame {label or '(of plain names)'} has no "
                    f"{', '.join(missing)}, only {', '.join(frame)}; export "
                    f"every frame with {', '.join(wanted)}"
                )


def parse_series(names: Sequence[str]) -> BandSeries:
    """Finds the frames in band names.

    Args:
      names: Of all bands of an image, in any order.

    Returns:
      The frames; none, and all names under `other`, where no name is that of
      a Sentinel-2 band.

    Raises:
      BandError: A band stands twice in one frame, or names follow two
        patterns at once, so that nobody can say which dates they share.
    """
    found: dict[str, dict[str, int]] = {}
    patterns: dict[str, str] = {}
    rest = []
    for index, name in enumerate(names):
        pattern, label, band = _split(name)
        if band is None:
            rest.append(index)
            continue
        patterns.setdefault(pattern, name)
        frame = found.setdefault(label, {})
        if band in frame:
            raise BandError(
                f"{names[frame[band]]} and {name} are both band {band} of one "
                "frame; rename one of them"
            )
        frame[band] = index
    if "prefix" in patterns and len(patterns) > 1:
        raise BandError(
            f"band names of two kinds, {' and '.join(patterns.values())}: "
            "which of them are one frame is not to be told; export them apart"
        )
    labels = tuple(sorted(found, key=natural_key))
    companions, other = _sort_rest(names, rest, labels, "prefix" in patterns)
    return BandSeries(
        names=tuple(names),
        labels=labels,
        frames=tuple(found[label] for label in labels),
        companions=tuple(companions[label] for label in labels),
        other=other,
    )


def natural_key(text: str) -> list[str | int]:
    """Sorts "B2" before "B10" and dates by time."""
    parts = re.split(r"(\d+)", text)
    return [int(p) if i % 2 else p for i, p in enumerate(parts)]


def _split(name: str) -> tuple[str, str, str | None]:
    """(pattern, label, band); the band is None if there is none."""
    for pattern, expression in (
        ("plain", _PLAIN),
        ("suffix", _SUFFIXED),
        ("prefix", _PREFIXED),
    ):
        match = expression.fullmatch(name)
        if match is None:
            continue
        try:
            band = parse_band_name(match["band"])
        except BandError:  # B13 is somebody else's
            continue
        return pattern, match.groupdict().get("label", ""), band
    return "", "", None


def _sort_rest(
    names: Sequence[str],
    rest: Sequence[int],
    labels: Sequence[str],
    prefixed: bool,
) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """The names that are no band: those of frames, by label, and others."""
    companions: dict[str, dict[str, int]] = {label: {} for label in labels}
    other = []
    stems = {}
    for index in rest:
        for label in sorted(labels, key=len, reverse=True):
            if prefixed and names[index].startswith(f"{label}_"):
                stems[index] = (label, names[index][len(label) + 1 :])
                break
            if not prefixed and label and names[index].endswith(f"_{label}"):
                stems[index] = (label, names[index][: -len(label) - 1])
                break
    repeated = {stem for _, stem in stems.values()}
    for index in rest:
        label, stem = stems.get(index, ("", names[index]))
        # A name without a label is the first frame's only if others repeat it:
        # VV beside VV_1, but not elevation.
        if label in companions and stem in repeated:
            companions[label][stem] = index
        else:
            other.append(names[index])
    return companions, tuple(other)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8]) or "(none)"
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
