"""One raster whose bands are several dates: `B2, B2_1` or `f00_B2, f01_B2`."""

import datetime
import re
from collections.abc import Mapping

import numpy as np

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.finding import name_some
from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.geotiff_pixels import read_values
from data_prep.diagnosis.sampling import describe_windows
from data_prep.diagnosis.sampling import plan_windows
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject
from data_prep.earth_engine.tfrecord.band_series import BandSeries
from data_prep.earth_engine.tfrecord.band_series import parse_series

_DATE = re.compile(r"(20\d\d)[-_]?([01]\d)[-_]?([0-3]\d)")
_VALID = "valid"
_DAY_S = 86_400


def open_series_file(source: str, header: Header) -> Subject:
    """Opens a GeoTIFF whose bands are several dates.

    Raises:
      RasterError: If its pixels cannot be read.
    """
    names = [text or "" for text in header.descriptions]
    series = parse_series(names)
    windows = plan_windows(header.height, header.width)
    indices = {str(i): i for i in range(len(names))}
    values, inside = read_values(header, indices, None, windows)
    text = describe_windows(windows)
    frames = make_frames(series, values, inside, prefix="")
    return Subject(
        kind="geotiff_series",
        source=source,
        records=1,
        shape=(len(frames), header.height, header.width, len(series.bands)),
        bands=series.bands,
        places=(
            Place(
                name="",
                frames=frames,
                grid=header.grid,
                block_px=windows[0][0][2] if text else None,
            ),
        ),
        looked_at=text or "every pixel",
        findings=tuple(find_series_faults(series, values)),
        crs=header.grid.crs if header.grid else None,
        transform=header.grid.transform if header.grid else None,
        frames=len(frames),
        pixel_m=ground_pixel_m(header.grid),
        nan_share=float(1 - np.isfinite(values).mean()),
    )


def make_frames(
    series: BandSeries, values: np.ndarray, inside: np.ndarray, *, prefix: str
) -> tuple[Frame, ...]:
    """Cuts a stack of planes into frames.

    Args:
      series: Which plane is which band of which frame.
      values: [H, W, B] in the order of `series.names`.
      inside: [H, W] bool.
      prefix: Put before the label in names of frames.

    Returns:
      In the order of the labels. A plane "valid" of a frame is its mask,
      planes "day" and "second" its time since 1970.
    """
    frames = []
    for number, (label, bands, others) in enumerate(
        zip(series.labels, series.frames, series.companions, strict=True)
    ):
        mask = inside
        if _VALID in others:
            mask = inside & (values[..., others[_VALID]] > 0)
        frames.append(
            Frame(
                name=f"{prefix}frame {label or number}",
                bands=series.bands,
                values=values[..., [bands[b] for b in series.bands]],
                inside=mask,
                time_utc_s=_find_time(label, others, values),
            )
        )
    return tuple(frames)


def find_series_faults(series: BandSeries, values: np.ndarray) -> list[Finding]:
    """Bands that some frames lack, and planes that are no band.

    Args:
      series: Names of the planes.
      values: [H, W, B] of them.
    """
    found = []
    if not series.frames:
        return [
            Finding(
                "unknown_bands",
                "note",
                f"no Sentinel-2 band among {name_some(series.names, 8)}, so "
                "nothing is said of levels, offsets and order; names such as "
                "B2, f00_B2, B2_1 or B2_2020-01-13 are known",
            )
        ]
    if series.gaps:
        shown = "; ".join(
            f"frame {label or '0'} lacks {', '.join(bands)}"
            for label, bands in list(series.gaps.items())[:3]
        )
        found.append(
            Finding(
                "mixed_bands",
                "warning",
                f"not every frame has every band: {shown}; only bands that "
                "all frames have can be used",
                tuple(series.gaps),
            )
        )
    used = {i for frame in series.frames for i in frame.values()}
    rest = [i for i in range(len(series.names)) if i not in used]
    if rest:
        names = [series.names[i] or f"band {i + 1}" for i in rest]
        holes = [
            (name, int((~np.isfinite(values[..., i])).sum()))
            for name, i in zip(names, rest, strict=True)
            if not np.isfinite(values[..., i]).all()
        ]
        text = f"{len(rest)} planes are no Sentinel-2 band: {name_some(names)}"
        if holes:
            text += "; NaN in " + name_some(
                [f"{name} ({count} px)" for name, count in holes]
            )
        found.append(Finding("other_planes", "note", text, tuple(names)))
    return found


def _find_time(
    label: str, others: Mapping[str, int], values: np.ndarray
) -> int | None:
    """Seconds since 1970, from planes of the frame or from its label."""
    if "day" in others:
        day = _middle(values[..., others["day"]])
        second = 0.0
        if "second" in others:
            second = _middle(values[..., others["second"]]) or 0.0
        return int(day) * _DAY_S + int(second) if day else None
    match = _DATE.search(label)
    if match is None:
        return None
    try:
        moment = datetime.datetime(
            *map(int, match.groups()), tzinfo=datetime.UTC
        )
    except ValueError:
        return None
    return int(moment.timestamp())


def _middle(plane: np.ndarray) -> float | None:
    finite = plane[np.isfinite(plane)]
    return float(np.median(finite)) if finite.size else None
