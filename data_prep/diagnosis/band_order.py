"""Which order of bands explains what is seen: spectra of ground as the judge.

Real pixels are mixtures of a few materials, haze, and, in L1C, of the light
that the air scatters. In the right order such a mixture fits a pixel to 3 to
7 % of its length (real L2A, real L1C, simulated towns); in a wrong one to 10
to 60 %, unless the bands that changed places look alike anyway (B8 and B8A;
B2, B3 and B4). Of the last, B2 and B4 are told apart by two other signs: red
varies more over land than blue, and goes more with short-wave infrared.
"""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import optimize
from scipy import stats

from data_prep.diagnosis.measure import LEAST_PX
from data_prep.diagnosis.measure import seen_mask
from data_prep.diagnosis.measure import thin
from data_prep.diagnosis.measure import to_reflectance
from data_prep.diagnosis.measured import Look
from data_prep.diagnosis.measured import Measured
from data_prep.simulation.spectra import MATERIALS
from data_prep.simulation.spectra import SPECTRUM_BANDS
from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import VISIBLE_BANDS

# What land is made of; rarer materials would explain wrong orders as well.
_GROUND = (
    "lawn",
    "crop",
    "deciduous",
    "conifer",
    "dry_grass",
    "stubble",
    "brown_soil",
    "red_soil",
    "pale_soil",
    "dark_asphalt",
    "worn_asphalt",
    "concrete",
    "water",
    "red_tile",
)
_HAZE = 0.2  # reflectance, alike in all bands
_AIR = 0.1  # reflectance of clear air in B1; Rayleigh's law for the others
_LEAST_BANDS = 6  # fewer fit any mixture in any order
_PIXELS = 80
# Reflectance of land in its brightest band, and at most over half the bands:
# water is darker, cloud and snow are brighter.
_BRIGHTEST_BAND = (0.17, 0.7)
_BRIGHT_MEDIAN = 0.4
_LEAST_LAND = 0.1  # share of the pixels
_GAIN = 0.95  # a swap must lower the misfit to this part of it
_MAX_SWAPS = 9
_SEED = 0
_PLANT_RATIO = 2.5  # B8 over the brightest visible band


@dataclasses.dataclass(frozen=True)
class OrderFit:
    """How well orders of the bands explain the pixels.

    Attributes:
      bands: Names, in the order that they are said to have.
      misfit: Median relative misfit of mixtures, in that order.
      best_bands: What the bands would be called in the order that fits best.
      best_misfit: Misfit in that order.
    """

    bands: tuple[str, ...]
    misfit: float
    best_bands: tuple[str, ...]
    best_misfit: float

    @property
    def swaps(self) -> dict[str, str]:
        """Said name -> name that fits, where they differ."""
        pairs = zip(self.bands, self.best_bands, strict=True)
        return {said: fits for said, fits in pairs if said != fits}


def fit_order(pixels: np.ndarray, bands: Sequence[str]) -> OrderFit | None:
    """Looks for the order of bands that explains some pixels best.

    Args:
      pixels: [N, C] reflectance.
      bands: Names that the C bands are said to have.

    Returns:
      None if too few bands, or too few pixels of land, are there to judge.
    """
    used = [i for i, band in enumerate(bands) if band in SPECTRUM_BANDS]
    if len(used) < _LEAST_BANDS:
        return None
    land = _land(pixels[:, used].astype(np.float64))
    if len(land) < max(_PIXELS, _LEAST_LAND * len(pixels)):
        return None
    names = tuple(bands[i] for i in used)
    rng = np.random.default_rng(_SEED)
    sample = land[rng.choice(len(land), _PIXELS, replace=False)]
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    spectra = _spectra(names)
    order = list(range(len(names)))
    misfit = first = _misfit(spectra, sample)
    for _ in range(_MAX_SWAPS):
        tries = []
        for i, j in itertools.combinations(range(len(names)), 2):
            swapped = order.copy()
            swapped[i], swapped[j] = swapped[j], swapped[i]
            tries.append((_misfit(spectra, sample[:, swapped]), swapped))
        best, best_order = min(tries)
        if best > _GAIN * misfit:
            break
        misfit, order = best, best_order
    # Column order[k] of the input is what fits the k-th name.
    fits = {column: names[k] for k, column in enumerate(order)}
    return OrderFit(
        bands=names,
        misfit=first,
        best_bands=tuple(fits[k] for k in range(len(names))),
        best_misfit=misfit,
    )


def blue_for_red(look: Look) -> tuple[float, float | None] | None:
    """Two signs that tell B4 from B2, each about a frame.

    Args:
      look: A frame, not too cloudy.

    Returns:
      (spread of B4 over that of B2; correlation of B4 with B12 less that of
      B2, None without B12). Over land the first is above 1 and the second
      above 0. None if there are not both bands, or there is too little to see.
    """
    bands = look.frame.bands
    if not {"B2", "B4"} <= set(bands) or not look.facts.is_measured:
        return None
    pixels = look.frame.values[seen_mask(look.frame)]
    pixels = pixels[:: max(1, len(pixels) // 5000)].astype(np.float64)
    if len(pixels) < LEAST_PX:
        return None
    columns = {band: pixels[:, i] for i, band in enumerate(bands)}
    spread = {
        band: float(np.diff(np.percentile(columns[band], (10, 90)))[0])
        for band in ("B2", "B4")
    }
    if min(spread.values()) <= 0:
        return None
    gain = None
    if "B12" in columns and np.ptp(columns["B12"]) > 0:
        red, blue = (
            stats.spearmanr(columns[band], columns["B12"]).statistic
            for band in ("B4", "B2")
        )
        gain = float(red - blue)
    return spread["B4"] / spread["B2"], gain


def green_curvature(pixels: np.ndarray, bands: Sequence[str]) -> float | None:
    """How far B3 stands above the mean of B2 and B4 over vegetation.

    Leaves reflect green; where the air adds blue light (L1C), B3 still stands
    above the line from B2 to B4.

    Args:
      pixels: [N, C] reflectance.
      bands: Names of the C bands.

    Returns:
      Median over plants, as a share of the brightest of the three bands; 0.06
      to 0.4 in real and simulated frames. None without plants, or a band.
    """
    if not {*VISIBLE_BANDS, "B8"} <= set(bands):
        return None
    columns = {band: pixels[:, i] for i, band in enumerate(bands)}
    blue, green, red = (columns[band] for band in ("B2", "B3", "B4"))
    brightest = np.maximum(np.maximum(blue, green), red)
    plants = (columns["B8"] > _PLANT_RATIO * brightest) & (brightest > 0)
    if plants.sum() < LEAST_PX:
        return None
    curvature = (green - (blue + red) / 2)[plants] / brightest[plants]
    return float(np.median(curvature))


def pool_pixels(
    measured: Measured,
    bands: tuple[str, ...],
    *,
    clearest_share: float,
    least_clear: float = 0.0,
    most: int = 8000,
) -> np.ndarray:
    """Reflectance of seen pixels of many frames.

    Args:
      measured: The input.
      bands: Frames that have all of these are taken.
      clearest_share: Of the frames of each place, the clearest are taken, so
        large a share of them, at least one.
      least_clear: Frames with a smaller clear share are left out.
      most: Pixels, evenly spread over frames.

    Returns:
      [N, C] float32; N may be 0.
    """
    looks = []
    for place in measured.places:
        ours = [
            k
            for k in place.measured
            if set(bands) <= set(k.frame.bands)
            and (k.clear_share is None or k.clear_share >= least_clear)
        ]
        ours.sort(key=lambda k: k.clear_share or 0.0, reverse=True)
        looks += ours[: math.ceil(clearest_share * len(ours))]
    if not looks:
        return np.zeros((0, len(bands)), np.float32)
    each = max(1, most // len(looks))
    return np.concatenate([_take(look, bands, each) for look in looks])


def _take(look: Look, bands: tuple[str, ...], most: int) -> np.ndarray:
    """[N, C] reflectance of some seen pixels of a frame."""
    columns = [look.frame.bands.index(band) for band in bands]
    pixels = thin(look.frame.values[seen_mask(look.frame)], most)
    return to_reflectance(pixels[:, columns], look.frame, look.facts)


def _land(pixels: np.ndarray) -> np.ndarray:
    """The pixels that are no water, cloud or snow, whatever the order is."""
    least, most = _BRIGHTEST_BAND
    brightest = pixels.max(axis=1)
    inside = (brightest >= least) & (brightest <= most)
    return pixels[inside & (np.median(pixels, axis=1) <= _BRIGHT_MEDIAN)]


def _spectra(bands: tuple[str, ...]) -> np.ndarray:
    """[C, M] columns of unit length: materials, haze, and the air."""
    rows = []
    for name in _GROUND:
        percent = dict(
            zip(SPECTRUM_BANDS, MATERIALS[name].percent, strict=True)
        )
        rows.append([percent[band] / 100 for band in bands])
    rows.append([_HAZE] * len(bands))
    first = S2_BANDS["B1"].wavelength_nm
    rows.append(
        [_AIR * (first / S2_BANDS[b].wavelength_nm) ** 4 for b in bands]
    )
    columns = np.array(rows).T
    return columns / np.linalg.norm(columns, axis=0)


def _misfit(spectra: np.ndarray, pixels: np.ndarray) -> float:
    """Median distance of unit pixels from their best mixtures."""
    return float(np.median([optimize.nnls(spectra, p)[1] for p in pixels]))
