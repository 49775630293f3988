"""Opens Sentinel-2 GeoTIFFs, one per date, sorted into places."""

from collections.abc import Sequence

from data_prep.diagnosis.finding import Finding
from data_prep.diagnosis.frame_description import FrameFile
from data_prep.diagnosis.frame_description import common_grid
from data_prep.diagnosis.frame_description import describe_file
from data_prep.diagnosis.frame_description import find_troubles
from data_prep.diagnosis.frame_description import shared_bands
from data_prep.diagnosis.geotiff_header import Header
from data_prep.diagnosis.geotiff_header import ground_pixel_m
from data_prep.diagnosis.geotiff_pixels import read_values
from data_prep.diagnosis.sampling import describe_windows
from data_prep.diagnosis.sampling import plan_windows
from data_prep.diagnosis.sampling import spread
from data_prep.diagnosis.subject import Frame
from data_prep.diagnosis.subject import Place
from data_prep.diagnosis.subject import Subject
from s2distill.data.frame_file import window_under
from s2distill.errors import RasterError

# Of a place: more would cost memory.
_MOST_FRAMES = 64
_MOST_VALUES = 2**28


def open_frame_files(
    source: str,
    headers: Sequence[Header],
    file_bands: tuple[str, ...],
    findings: Sequence[Finding],
) -> Subject:
    """Opens files as frames; those that do not overlap are other places.

    Args:
      source: As the user named them.
      headers: Of the files.
      file_bands: Names of their bands; () reads them from the files.
      findings: What looking for files already told.

    Raises:
      RasterError: If the pixels of no file can be read.
    """
    files = [describe_file(header, file_bands) for header in headers]
    groups = _sort_into_places(files)
    found = [*findings, *find_troubles(files, groups)]
    places, windows_text = [], ""
    for number, group in enumerate(groups):
        name = "" if len(groups) == 1 else f"place {number + 1}"
        place, text = _read_place(name, group, found)
        if place is not None:
            places.append(place)
            windows_text = windows_text or text
    if not places:
        raise RasterError(found[-1].message)
    first = groups[0]
    grid = common_grid(first)
    bands = shared_bands(first)
    looked = sum(len(place.frames) for place in places)
    height = grid.height if grid else first[0].header.height
    width = grid.width if grid else first[0].header.width
    return Subject(
        kind="geotiff_frames",
        source=source,
        records=len(files),
        shape=(len(first), height, width, len(bands)),
        bands=bands,
        places=tuple(places),
        looked_at=f"{looked} of {len(files)} files"
        + (f", {windows_text}" if windows_text else ", every pixel"),
        findings=tuple(found),
        crs=grid.crs if grid else None,
        transform=grid.transform if grid else None,
        frames=len(first),
        pixel_m=ground_pixel_m(grid),
    )


def _sort_into_places(files: Sequence[FrameFile]) -> list[list[FrameFile]]:
    """Groups of files that overlap, largest group first, each by time.

    Files without a position count as one place if their sizes are equal.
    """
    groups: list[list[FrameFile]] = []
    for file in files:
        for group in groups:
            if _overlap(group[0].header, file.header):
                group.append(file)
                break
        else:
            groups.append([file])
    for group in groups:
        group.sort(key=lambda f: (f.time_utc_s or 0, f.header.path))
    return sorted(groups, key=len, reverse=True)


def _overlap(one: Header, other: Header) -> bool:
    if one.grid is None or other.grid is None:
        same = (one.height, one.width) == (other.height, other.width)
        return one.grid is other.grid and same
    return window_under(other.grid, one.grid) is not None


def _read_place(
    name: str, group: Sequence[FrameFile], found: list[Finding]
) -> tuple[Place | None, str]:
    """(the place, how much of it); what cannot be read goes to `found`."""
    import tqdm

    grid = common_grid(group)
    first = group[0].header
    windows = plan_windows(
        grid.height if grid else first.height,
        grid.width if grid else first.width,
    )
    size = sum(tall * wide for row in windows for _, _, tall, wide in row)
    most = _MOST_VALUES // (size * max(len(f.bands) for f in group))
    chosen = [
        group[i] for i in spread(len(group), min(_MOST_FRAMES, max(most, 2)))
    ]
    frames = []
    for file in tqdm.tqdm(
        chosen, desc="frames", unit="file", disable=len(chosen) < 2
    ):
        try:
            values, inside = read_values(
                file.header, file.indices, grid, windows
            )
        except RasterError as error:
            found.append(
                Finding(
                    "unreadable_file", "error", str(error), (file.header.name,)
                )
            )
            continue
        frames.append(
            Frame(
                name=file.header.name,
                bands=file.bands,
                values=values,
                inside=inside,
                time_utc_s=file.time_utc_s,
                product_level=file.product_level,
                quantification_dn=file.quantification_dn,
                offset_dn=file.offset_dn,
            )
        )
    if not frames:
        return None, ""
    text = describe_windows(windows)
    block_px = windows[0][0][2] if text else None
    place = Place(name=name, frames=tuple(frames), grid=grid, block_px=block_px)
    return place, text
