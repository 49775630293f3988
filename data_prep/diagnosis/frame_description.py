"""What name and tags of a Sentinel-2 file tell, and what they leave open.

The same rules as those of `s2distill.data.frame_naming`, which the models are
fed by; but where those refuse a file, here the reason becomes a finding.
"""

import dataclasses
from collections.abc import Sequence

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.geotiff_pixels import select_bands
from s2distill.data import frame_naming
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.clear_mask import MASK_BANDS
from s2distill.errors import BandError
from s2distill.errors import FrameError
from s2distill.errors import ProductLevelError
from s2distill.geo.grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameFile:
    """A file, and what its name and tags say.

    Attributes:
      header: Of the file.
      indices: Position (from 0) of each band and mask; under the file's own
        names where they are no Sentinel-2 bands.
      time_utc_s: None where nothing tells.
      product_level: "" where nothing tells.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.
      troubles: (code, message) of what could not be told.
    """

    header: Header
    indices: dict[str, int]
    time_utc_s: int | None
    product_level: str
    quantification_dn: float
    offset_dn: float
    troubles: tuple[tuple[str, str], ...]

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, without masks."""
        return tuple(b for b in self.indices if b not in MASK_BANDS)


def describe_file(header: Header, file_bands: tuple[str, ...]) -> FrameFile:
    """Reads name and tags of a file; what they do not tell is a trouble.

    Args:
      header: Of the file.
      file_bands: Names of its bands; () reads them from it.
    """
    path, tags, troubles = header.path, header.tags, []
    try:
        found = frame_naming.find_file_bands(
            path, header.descriptions, file_bands or None
        )
        indices = select_bands(found)
    except BandError as error:
        troubles.append(("unknown_bands", str(error)))
        indices = {
            text or f"band {i + 1}": i
            for i, text in enumerate(header.descriptions)
        }
    time_utc_s, level = None, ""
    offset_dn, quantification_dn = 0.0, float(S2_QUANTIFICATION_DN)
    try:
        time_utc_s = frame_naming.find_time_utc_s(path, tags)
    except FrameError as error:
        troubles.append(("no_date", str(error)))
    try:
        level = frame_naming.find_product_level(
            path, tags, tuple(indices), None
        )
    except ProductLevelError:
        level = ""  # `level_findings` says so, with what the numbers tell
    try:
        quantification_dn = frame_naming.find_quantification_dn(
            path, tags, quantification_dn
        )
        offset_dn = frame_naming.find_offset_dn(path, tags, None)
    except FrameError as error:
        troubles.append(("bad_tag", str(error)))
    return FrameFile(
        header=header,
        indices=indices,
        time_utc_s=time_utc_s,
        product_level=level,
        quantification_dn=quantification_dn,
        offset_dn=offset_dn,
        troubles=tuple(troubles),
    )


def common_grid(group: Sequence[FrameFile]) -> Grid | None:
    """The grid that most files of a place have; None without a position."""
    grids = [f.header.grid for f in group if f.header.grid is not None]
    return max(grids, key=grids.count) if grids else None


def shared_bands(group: Sequence[FrameFile]) -> tuple[str, ...]:
    """Bands that every file has; those of the first where none is shared."""
    shared = [
        band for band in group[0].bands if all(band in f.bands for f in group)
    ]
    return tuple(shared) or group[0].bands


def find_troubles(
    files: Sequence[FrameFile], groups: Sequence[Sequence[FrameFile]]
) -> list[Finding]:
    """What names, tags and positions of the files already tell.

    Args:
      files: All of them.
      groups: The same, by place.
    """
    found = []
    for code in ("unknown_bands", "bad_tag", "no_date"):
        told = [(f, text) for f in files for c, text in f.troubles if c == code]
        if not told:
            continue
        names = tuple(f.header.name for f, _ in told)
        # One frame needs no date; several are put in order by it.
        alone = code == "no_date" and all(
            len(group) == 1 for group in groups for f, _ in told if f in group
        )
        more = f" (and {len(told) - 1} more files)" if len(told) > 1 else ""
        found.append(
            Finding(
                code, "note" if alone else "warning", told[0][1] + more, names
            )
        )
    found += _find_positions(files, groups)
    for group in groups:
        found += _find_mixed_bands(group)
    return found


def _find_positions(
    files: Sequence[FrameFile], groups: Sequence[Sequence[FrameFile]]
) -> list[Finding]:
    found = []
    lost = [f for f in files if f.header.grid is None]
    if lost:
        names = tuple(f.header.name for f in lost)
        found.append(
            Finding("no_position", "warning", lost[0].header.lacks, names)
        )
    if len(groups) > 1:
        shown = "; ".join(
            f"{len(g)} of one ({name_some([f.header.name for f in g], 2)})"
            for g in groups[:3]
        )
        found.append(
            Finding(
                "several_places",
                "note",
                f"the files show {len(groups)} places that do not overlap: "
                f"{shown}; programs take one place at a time, so give them a "
                "glob that names its files",
                tuple(f.header.name for g in groups[1:] for f in g),
            )
        )
    moved = [
        f.header.name
        for group in groups
        for f in group
        if f.header.grid is not None and f.header.grid != common_grid(group)
    ]
    if moved:
        found.append(
            Finding(
                "other_grid",
                "note",
                f"{len(moved)} of {len(files)} files have another grid than "
                f"most, {name_some(moved)}; they are warped when read, which "
                "blurs them a little",
                tuple(moved),
            )
        )
    return found


def _find_mixed_bands(group: Sequence[FrameFile]) -> list[Finding]:
    everywhere = set(shared_bands(group))
    lacking: dict[str, list[str]] = {}
    for band in S2_BANDS:
        have = [f.header.name for f in group if band in f.bands]
        if have and band not in everywhere:
            lacking[band] = [
                f.header.name for f in group if band not in f.bands
            ]
    if not lacking:
        return []
    shown = "; ".join(
        f"{band} is not in {name_some(names, 2)}"
        for band, names in list(lacking.items())[:3]
    )
    return [
        Finding(
            "mixed_bands",
            "warning",
            f"the files of one place have different bands: {shown}; only "
            "bands that all files have can be used",
            tuple(sorted({n for names in lacking.values() for n in names})),
        )
    ]
