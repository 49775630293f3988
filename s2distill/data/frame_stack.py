"""A stack of Sentinel-2 frames: GeoTIFFs, one per date, read on any grid."""

import dataclasses
import glob
import os
import pathlib
from collections.abc import Iterable
from collections.abc import Sequence

import numpy as np

from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import ProductLevel
from s2distill.data.frame_file import Frame
from s2distill.data.frame_file import open_frame
from s2distill.data.frame_file import read_frame
from s2distill.data.frame_file import window_under
from s2distill.errors import BandError
from s2distill.errors import FrameError
from s2distill.errors import GridError
from s2distill.errors import ProductLevelError
from s2distill.geo.grid import Grid

_SUFFIXES = (".tif", ".tiff", ".jp2", ".vrt")


@dataclasses.dataclass(frozen=True)
class FrameStack:
    """Frames of one place, oldest first, all of one level and scale."""

    frames: tuple[Frame, ...]

    @property
    def grid(self) -> Grid:
        """The largest grid of all frames; of equal ones the oldest's."""
        return max(
            (f.grid for f in self.frames), key=lambda g: g.height * g.width
        )

    @property
    def times_utc_s(self) -> tuple[int, ...]:
        """Seconds since 1970, ascending."""
        return tuple(frame.time_utc_s for frame in self.frames)

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that every frame has, in the order of the band table."""
        return tuple(
            name
            for name in S2_BANDS
            if all(name in frame.band_indices for frame in self.frames)
        )

    @property
    def product_level(self) -> ProductLevel:
        """L1C or L2A."""
        return self.frames[0].product_level

    @property
    def quantification_dn(self) -> float:
        """DN per unit reflectance."""
        return self.frames[0].quantification_dn

    @property
    def offset_dn(self) -> float:
        """Added to DN before division."""
        return self.frames[0].offset_dn

    @property
    def paths(self) -> tuple[str, ...]:
        """Files, oldest first."""
        return tuple(frame.path for frame in self.frames)

    def select(self, numbers: Iterable[int]) -> "FrameStack":
        """The stack of some frames, in the order given.

        Raises:
          FrameError: If none is left.
        """
        frames = tuple(self.frames[i] for i in numbers)
        if not frames:
            raise FrameError(
                f"no frame is left of {len(self.frames)} (first: "
                f"{self.paths[0]}); skip fewer dates"
            )
        return FrameStack(frames)

    def check_bands(self, bands: Sequence[str]) -> None:
        """Raises BandError, naming the file, if a frame lacks a band."""
        for frame in self.frames:
            missing = [b for b in bands if b not in frame.band_indices]
            if missing:
                raise BandError(
                    f"{frame.path} has no band {', '.join(missing)}, only "
                    f"{', '.join(frame.band_indices)}; add it to the file or "
                    "say with --file_bands which band is which"
                )

    def read(
        self, bands: Sequence[str], grid: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        """Reads all frames on one grid.

        Not valid are: nodata, NaN, negative numbers, pixels that are 0 in all
        `bands`, what a mask band of the file excludes, and what lies outside
        the file.

        Args:
          bands: Names of the C bands wanted, in order.
          grid: Where to read: [H, W], any CRS.

        Returns:
          (dn [T, H, W, C] uint16, 0 where not valid; valid [T, H, W] uint8).

        Raises:
          BandError: If a file lacks one of the bands.
          RasterError: If a file cannot be read.
        """
        self.check_bands(bands)
        shape = (len(self.frames), grid.height, grid.width)
        dn = np.zeros((*shape, len(bands)), np.uint16)
        valid = np.zeros(shape, np.uint8)
        for i, frame in enumerate(self.frames):
            dn[i], valid[i] = read_frame(frame, tuple(bands), grid)
        return dn, valid


def open_frames(
    pattern: str,
    *,
    file_bands: Sequence[str] | None = None,
    product_level: str | None = None,
    offset_dn: float | None = None,
) -> FrameStack:
    """Finds the frames of one place and learns what each file holds.

    Args:
      pattern: A folder, or a glob such as "scene/*.tif".
      file_bands: Names of the bands in each file, in order; None reads them
        from the files (`frame_naming.find_file_bands`).
      product_level: "L1C" or "L2A"; None reads it from the files.
      offset_dn: Offset of the digital numbers; None reads it from the files.

    Returns:
      The frames, oldest first.

    Raises:
      FrameError: If there is no file, or one has no date.
      RasterError: If a file cannot be read.
      BandError: If bands cannot be told, or no band is in all files.
      ProductLevelError: If the level cannot be told, or levels, offsets or
        scales are mixed.
      GridError: If a file has no position, or lies off the others.
    """
    paths = _find_paths(pattern)
    frames = [
        open_frame(path, file_bands, product_level, offset_dn) for path in paths
    ]
    stack = FrameStack(
        tuple(sorted(frames, key=lambda f: (f.time_utc_s, f.path)))
    )
    _check_same_kind(stack.frames)
    _check_same_place(stack)
    if not stack.bands:
        raise BandError(
            f"no band is in all of {len(paths)} files: {paths[0]} has "
            f"{', '.join(frames[0].band_indices)}; write the same bands to "
            "each file"
        )
    return stack


def _find_paths(pattern: str) -> list[str]:
    folder = pathlib.Path(pattern)
    if folder.is_dir():
        found = [
            str(path)
            for path in folder.iterdir()
            if path.suffix.lower() in _SUFFIXES
        ]
        where = f"in the folder {pattern}"
    else:
        found = [
            p for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)
        ]
        where = f"at {pattern}"
    if not found:
        raise FrameError(
            f"no Sentinel-2 GeoTIFF {where}; give a folder of them, one per "
            "date, or a glob in quotes, as in --frames='scene/*.tif'"
        )
    return sorted(found)


def _check_same_kind(frames: Sequence[Frame]) -> None:
    """Refuses a stack of mixed product levels, offsets or scales."""
    first = frames[0]
    for frame in frames:
        for name in ("product_level", "offset_dn", "quantification_dn"):
            here, there = getattr(first, name), getattr(frame, name)
            if here != there:
                raise ProductLevelError(
                    f"{name} is {here} in {first.path} but {there} in "
                    f"{frame.path}; keep one kind in a stack"
                )


def _check_same_place(stack: FrameStack) -> None:
    """Refuses a frame that lies wholly off the stack's grid."""
    for frame in stack.frames:
        if window_under(frame.grid, stack.grid) is None:
            raise GridError(
                f"{frame.path} does not overlap the other frames: its bounds "
                f"are {frame.grid.bounds} in {frame.grid.crs}, theirs "
                f"{stack.grid.bounds} in {stack.grid.crs}; leave it out"
            )
