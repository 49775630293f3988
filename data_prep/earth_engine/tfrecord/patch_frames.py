"""The bands of an exported patch as the frames that a model is fed."""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

import numpy as np

from data_prep.earth_engine.tfrecord.band_series import BandSeries
from s2distill.data.clear_mask import MASK_BANDS
from s2distill.data.clear_mask import is_clear
from s2distill.geo.grid import Grid

VALID = "valid"  # companion that says where a frame shows the ground
_MOST_DN = 65_535
# No sunlit place in ten bands stays below 2 of 10,000.
_MOST_REFLECTANCE = 2.0


@dataclasses.dataclass(frozen=True)
class PatchFrames:
    """The frames of one patch, read by windows as those of GeoTIFFs are.

    Attributes:
      grid: Of the patch, H x W.
      bands: Names of the C bands.
      dn: [T, H, W, C] uint16, 0 where not valid.
      valid: [T, H, W] uint8, 1 = the ground is seen.
      paths: Where they come from, for messages.
    """

    grid: Grid
    bands: tuple[str, ...]
    dn: np.ndarray
    valid: np.ndarray
    paths: tuple[str, ...]

    def read(
        self, bands: Sequence[str], grid: Grid
    ) -> tuple[np.ndarray, np.ndarray]:
        """(dn [T, h, w, C], valid [T, h, w]) of a window of whole pixels."""
        a, _, left, _, e, top = self.grid.transform
        row = round((grid.transform[5] - top) / e)
        col = round((grid.transform[2] - left) / a)
        window = np.s_[:, row : row + grid.height, col : col + grid.width]
        places = [self.bands.index(band) for band in bands]
        return self.dn[window][..., places], self.valid[window]


def names_to_read(series: BandSeries, bands: Sequence[str]) -> list[str]:
    """Names of the image's bands that `make_frames` needs."""
    indices = []
    for frame, companions in zip(series.frames, series.companions, strict=True):
        indices += [frame[band] for band in bands]
        indices += [companions[name] for name in _masks(companions)]
    return [series.names[index] for index in indices]


def make_frames(
    values: Mapping[str, np.ndarray],
    series: BandSeries,
    bands: Sequence[str],
    *,
    grid: Grid,
    source: str,
    dn_per_unit: float = 1.0,
) -> PatchFrames:
    """Digital numbers and masks of a patch.

    A pixel of a frame is valid where every band has a value from 0 to 65,535,
    not all are 0 (which stands for masked pixels in exports), and masks that
    were exported with the frame (`valid`, SCL, QA60, CLM, dataMask) agree.

    Args:
      values: [H, W] by name, those of `names_to_read` at least.
      series: Which name is which band of which frame.
      bands: Names of the C bands, present in every frame.
      grid: Of the patch.
      source: Where it comes from, for messages.
      dn_per_unit: What the values are multiplied by; 10,000 for reflectance.
    """
    stack, masks = [], []
    for frame, companions in zip(series.frames, series.companions, strict=True):
        names = [series.names[frame[band]] for band in bands]
        planes = np.stack([values[name] for name in names], axis=-1)
        with np.errstate(invalid="ignore"):
            planes = planes * dn_per_unit
            valid = ((planes >= 0) & (planes <= _MOST_DN)).all(axis=-1)
        valid &= (planes != 0).any(axis=-1)
        for name in _masks(companions):
            mask = values[series.names[companions[name]]]
            valid &= mask > 0 if name == VALID else is_clear(name, mask)
        dn = np.rint(np.where(valid[..., None], planes, 0))
        stack.append(dn.astype(np.uint16))
        masks.append(valid.astype(np.uint8))
    return PatchFrames(
        grid, tuple(bands), np.stack(stack), np.stack(masks), (source,)
    )


def look_like_reflectance(frames: PatchFrames) -> bool:
    """True where there are values, and all are too small for DN."""
    return bool(frames.valid.any()) and frames.dn.max() <= _MOST_REFLECTANCE


def _masks(companions: Mapping[str, int]) -> list[str]:
    return [name for name in (VALID, *MASK_BANDS) if name in companions]
