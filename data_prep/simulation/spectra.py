"""Reflectance of town materials in the Sentinel-2 bands.

Rounded, typical values of surface reflectance, not samples of one place.
Their shape follows the material classes of the ECOSTRESS (formerly ASTER)
spectral library (Meerdink et al. 2019, Remote Sensing of Environment 230;
Baldridge et al. 2009, ibid. 113) for vegetation, soil, water and paving, and
the roof classes of Herold et al. 2004, "Spectrometry for urban area remote
sensing" (ibid. 91) and Heiden et al. 2007 (ibid. 111). Each object gets its
own brightness around these values.
"""

import dataclasses

import numpy as np

from s2distill.data.bands import find_bands

SPECTRUM_BANDS = (
    "B2",
    "B3",
    "B4",
    "B5",
    "B6",
    "B7",
    "B8",
    "B8A",
    "B11",
    "B12",
)


@dataclasses.dataclass(frozen=True)
class Material:
    """How a kind of surface looks.

    Attributes:
      percent: Reflectance in percent, in the order of `SPECTRUM_BANDS`.
      texture: Relative strength of its fine texture.
      season: How much of `SEASON_CHANGE` it takes when it dries or sheds.
    """

    percent: tuple[float, ...]
    texture: float = 1.0
    season: float = 0.0


# Crowns are given as lit from above; their own shade, painted later, takes
# a quarter away.
# fmt: off
MATERIALS: dict[str, Material] = {
    "lawn": Material((3.2, 6.2, 3.6, 10, 29, 37, 41, 42, 22, 11), 1.2, 0.55),
    "dry_grass": Material((6, 9, 11, 15, 20, 24, 27, 29, 33, 23), 1.5, 0.45),
    "meadow": Material((3, 5.6, 3.6, 9.5, 28, 36, 40, 41, 23, 11), 1.5, 0.8),
    "crop": Material((2.8, 5, 2.8, 8.5, 29, 38, 43, 44, 20, 9), 1.0, 1.2),
    "stubble": Material((8, 11, 15, 18, 21, 23, 26, 28, 38, 29), 1.0, -0.5),
    "deciduous": Material(
        (2.6, 5.4, 2.7, 9.5, 36, 48, 52, 53, 24, 10), 2, 0.9),
    "conifer": Material((2.0, 3.6, 2.2, 6, 23, 30, 33, 34, 15, 6.5), 2, 0.1),
    "olive_tree": Material(
        (3.4, 5.4, 4.2, 9.5, 23, 28, 32, 33, 21, 12), 2, 0.15),
    "brown_soil": Material((6, 8.5, 12, 14, 16, 18, 20, 22, 32, 27), 1.2),
    "red_soil": Material((5, 8, 16, 19, 21, 23, 25, 26, 34, 30), 1.2),
    "pale_soil": Material((14, 18, 23, 25, 27, 29, 31, 32, 40, 36), 1.2),
    "dark_asphalt": Material(
        (6, 6.6, 7.2, 7.4, 7.7, 8, 8.2, 8.4, 10, 9.5), 0.6),
    "worn_asphalt": Material(
        (9.5, 11, 12.5, 13, 13.4, 13.8, 14.2, 14.5, 17, 16), 0.7),
    "concrete": Material((18, 21.5, 24, 25, 26, 27, 28, 28.5, 31, 28), 0.7),
    "gravel": Material((13, 15.5, 18, 19, 20, 21, 22, 22.5, 26, 24), 1.1),
    "water": Material(
        (4.5, 4.2, 2.6, 2.1, 1.5, 1.3, 1.1, 1.0, 0.6, 0.4), 0.3),
    "pool": Material((28, 27, 12, 8, 4, 3, 2.5, 2, 1, 0.6), 0.4),
    "red_tile": Material((6, 9, 17, 21, 24, 27, 28, 29, 36, 32), 0.8),
    "brown_tile": Material(
        (5.5, 7, 10, 12, 13.5, 15, 16, 16.5, 23, 21), 0.8),
    "dark_shingle": Material(
        (5, 5.5, 6, 6.3, 6.6, 7, 7.2, 7.4, 9.5, 9.5), 0.7),
    "grey_shingle": Material(
        (11, 12, 13, 13.4, 13.8, 14.2, 14.5, 14.7, 18, 17), 0.7),
    "slate": Material((8, 8.6, 9, 9.2, 9.4, 9.6, 9.8, 10, 12, 11), 0.7),
    "white_metal": Material((47, 51, 52, 52, 51, 51, 50, 50, 43, 37), 0.4),
    "grey_metal": Material((25, 26.5, 28, 28, 28, 28, 28, 28, 29, 27), 0.4),
    "blue_metal": Material((23, 21, 15, 14, 16, 21, 25, 27, 28, 24), 0.4),
    "green_metal": Material((10, 16, 11, 12, 16, 21, 24, 25, 26, 21), 0.4),
    "rusty_metal": Material((7, 9.5, 15, 19, 23, 26, 28, 29, 34, 29), 1.1),
    "white_membrane": Material((55, 60, 62, 62, 62, 61, 60, 60, 48, 40), 0.4),
    "bitumen": Material((7, 7.6, 8.2, 8.4, 8.7, 9, 9.2, 9.4, 12, 12), 0.8),
    "roof_gravel": Material((14, 16, 18, 19, 20, 20.5, 21, 21.5, 25, 23), 1.0),
    "roof_concrete": Material(
        (20, 23, 26, 27, 28, 29, 30, 30.5, 33, 30), 0.9),
    "thatch": Material((8, 11, 15, 17, 20, 22, 24, 26, 35, 28), 1.3),
    "wall": Material((14, 16, 18, 19, 20, 20.5, 21, 21.5, 24, 22), 0.8),
    "dark_car": Material((4, 4, 4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 5, 5), 0.3),
    "white_car": Material((45, 47, 48, 48, 47, 46, 45, 45, 30, 22), 0.3),
    "red_car": Material((5, 5, 22, 26, 28, 29, 29, 29, 20, 15), 0.3),
    "silver_car": Material((22, 23, 23, 23, 23, 23, 23, 23, 20, 18), 0.3),
    "line_paint": Material((38, 42, 44, 45, 45, 45, 45, 45, 40, 35), 0.3),
}
# What full leaf loses when it dries or sheds, percent of reflectance.
SEASON_CHANGE = (1.8, 2.2, 5.0, 3.0, -8, -12, -13, -13, 6, 7)
# Share of the light that reaches a shadow from the sky, percent: it falls
# with wavelength as Rayleigh scattering does (shadows are blue).
SKY_LIGHT = (32, 26, 21, 20, 18.5, 17, 15, 14.5, 8, 6)
# fmt: on


def select_bands(
    values: tuple[float, ...] | np.ndarray, bands: tuple[str, ...]
) -> np.ndarray:
    """Picks bands of a row of this module, percent -> share, float32 [C]."""
    order = find_bands(bands, SPECTRUM_BANDS)
    return (np.asarray(values, np.float32)[..., order] / 100).astype(np.float32)


def material_index(name: str) -> int:
    """Position of a material in `MATERIALS`; KeyError if there is none."""
    return _INDEX[name]


_INDEX = {name: index for index, name in enumerate(MATERIALS)}
