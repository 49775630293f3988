"""Sentinel-2 frames for a picture: real ones, or made of the picture."""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import scipy.ndimage

from data_prep.pairing.image import Image
from data_prep.pairing.pair_grid import LABEL_FACTOR
from data_prep.pairing.pair_grid import S2_PIXEL_M
from data_prep.registration import Registration
from data_prep.registration import register
from data_prep.simulation.frame_files import write_frames
from data_prep.simulation.rgb_reflectance import estimate_reflectance
from data_prep.simulation.sensor import SensorSettings
from data_prep.simulation.sensor import Stack
from data_prep.simulation.sensor import simulate_stack
from s2distill.atomic_write import atomic_directory
from s2distill.data.bands import S2_QUANTIFICATION_DN
from s2distill.data.bands import VISIBLE_BANDS
from s2distill.data.frame_stack import FrameStack
from s2distill.errors import FrameError
from s2distill.errors import GridError
from s2distill.geo.grid import Grid

# A larger window would say no more and cost memory: 2 km squared.
_REGISTERED_PX = 200
_LEAST_CORRELATION = 0.2
_LEAST_CONFIDENCE = 0.05
_DAY_S = 86_400
_FIRST_TIME_S = 1_577_872_800  # 2020-01-01T10:00:00Z
_REVISIT_S = 5 * _DAY_S  # two satellites; ESA
_SLOTS_IN_A_YEAR = 73


class Frames(Protocol):
    """What records need to know of frames."""

    times_utc_s: Sequence[int]
    product_level: str
    quantification_dn: float
    offset_dn: float

    def read(
        self, bands: Sequence[str], grid: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        """(dn [T, H, W, C] uint16, valid [T, H, W] uint8) on a grid."""


@dataclasses.dataclass(frozen=True)
class SimulatedFrames:
    """Frames that the sensor model made of a whole picture.

    Attributes:
      stack: Of all ground.
      bands: Names, in order.
      grid: Where the stack lies.
      offset_dn: Of the digital numbers.
      product_level: Of the sensor model.
      quantification_dn: Digital numbers per unit reflectance.
    """

    stack: Stack
    bands: tuple[str, ...]
    grid: Grid
    offset_dn: float = 0.0
    product_level: str = "L2A"
    quantification_dn: float = float(S2_QUANTIFICATION_DN)

    @property
    def times_utc_s(self) -> tuple[int, ...]:
        """Seconds since 1970, ascending."""
        return tuple(int(time) for time in self.stack.time_utc_s)

    def read(
        self, bands: Sequence[str], grid: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cuts a window of whole pixels out of the stack."""
        step = self.grid.transform[0]
        row = round((self.grid.bounds[3] - grid.bounds[3]) / step)
        col = round((grid.bounds[0] - self.grid.bounds[0]) / step)
        window = np.s_[:, row : row + grid.height, col : col + grid.width]
        places = [self.bands.index(band) for band in bands]
        return self.stack.dn[window][..., places], self.stack.valid[window]

    def write(
        self, directory: str | os.PathLike[str], *, overwrite: bool = False
    ) -> None:
        """Writes the frames as GeoTIFFs, to map the place later.

        Args:
          directory: Folder to write, whole or not at all.
          overwrite: Replace a folder that exists.
        """
        with atomic_directory(directory, overwrite=overwrite) as folder:
            write_frames(
                folder,
                self.stack,
                self.grid,
                bands=self.bands,
                offset_dn=self.offset_dn,
                product_level=self.product_level,
            )


def simulate_frames(
    image: Image,
    grid: Grid,
    *,
    bands: tuple[str, ...],
    frames: int,
    gamma: float,
    seed: int,
) -> SimulatedFrames:
    """Makes frames of a picture by the sensor model.

    The reflectance is an approximation, see `estimate_reflectance`: B4, B3
    and B2 from the picture, the others mixtures of these. Ground that the
    picture does not show is not valid. The whole picture is in memory, as
    [C, h, w] float32.

    Args:
      image: The picture.
      grid: 10 m grid of the frames.
      bands: Names.
      frames: Number of dates, drawn from the passes of one year.
      gamma: Of the display stretch of the picture.
      seed: Of dates, shifts, haze, clouds and noise.

    Raises:
      BandError: If a band cannot be made from a picture.
    """
    rng = np.random.default_rng(seed)
    rgb, image_valid = image.read(grid.refined(LABEL_FACTOR))
    slots = rng.choice(max(_SLOTS_IN_A_YEAR, frames), frames, replace=False)
    stack = simulate_stack(
        estimate_reflectance(_fill_gaps(rgb, image_valid), bands, gamma=gamma),
        _FIRST_TIME_S + np.sort(slots).astype(np.int64) * _REVISIT_S,
        SensorSettings(bands=bands),
        rng,
    )
    return SimulatedFrames(
        dataclasses.replace(stack, valid=stack.valid * _is_whole(image_valid)),
        bands,
        grid,
    )


def register_image(
    image: Image, frames: FrameStack, grid: Grid, *, max_shift_m: float
) -> Registration:
    """Finds how far a picture must move to lie on its frames.

    Args:
      image: The picture.
      frames: Real frames that have a visible band.
      grid: 10 m grid of the records; its middle 2 km are compared.
      max_shift_m: Largest shift to believe.

    Raises:
      FrameError: The frames have no visible band.
      GridError: No shift up to `max_shift_m` makes them alike.
    """
    visible = tuple(b for b in VISIBLE_BANDS if b in frames.bands)
    if not visible:
        raise FrameError(
            f"{frames.paths[0]} has no visible band to register by, only "
            f"{', '.join(frames.bands)}; pass --noregister"
        )
    window = _middle(grid)
    dn, valid = frames.read(visible, window)
    rgb, image_valid = image.read(window.refined(LABEL_FACTOR))
    found = register(
        rgb.mean(axis=-1, dtype=np.float32),
        image_valid,
        dn.mean(axis=-1, dtype=np.float32),
        valid,
        max_shift_px=math.ceil(max_shift_m / S2_PIXEL_M) + 1,
    )
    shift_m = S2_PIXEL_M * math.hypot(found.shift_row_px, found.shift_col_px)
    alike = (
        found.correlation >= max(_LEAST_CORRELATION, found.chance)
        and found.confidence >= _LEAST_CONFIDENCE
    )
    if not alike or shift_m > max_shift_m:
        raise GridError(
            f"{image.path} fits {frames.paths[0]} and others best when moved "
            f"by {shift_m:.1f} m, correlation {found.correlation:.2f} "
            f"(chance may reach {found.chance:.2f}), {found.confidence:.2f} "
            "above other places: not to be believed with --max_shift_m="
            f"{max_shift_m:g}; check --image_crs and --image_transform, or "
            "pass --noregister"
        )
    return found


def _middle(grid: Grid) -> Grid:
    height = min(grid.height, _REGISTERED_PX)
    width = min(grid.width, _REGISTERED_PX)
    return grid.cropped(
        (grid.height - height) // 2, (grid.width - width) // 2, height, width
    )


def _fill_gaps(rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Repeats the nearest ground, so that gaps do not darken what is near."""
    if valid.all() or not valid.any():
        return rgb
    nearest = scipy.ndimage.distance_transform_edt(
        valid == 0, return_distances=False, return_indices=True
    )
    return rgb[tuple(nearest)]


def _is_whole(valid: np.ndarray) -> np.ndarray:
    """[H, W] uint8, 1 where every label pixel of a 10 m pixel is valid."""
    height, width = (size // LABEL_FACTOR for size in valid.shape)
    blocks = valid.reshape(height, LABEL_FACTOR, width, LABEL_FACTOR)
    return (blocks.min(axis=(1, 3)) > 0).astype(np.uint8)
