"""What no training world has: heavy haze and eight-bit input; snow apart.

Networks are asked about them to test whether they know what they do not
know. The town, its labels and its 50 cm view stay; Sentinel-2 sees them so.
"""

import dataclasses
from typing import Literal

import numpy as np

from s2distill.data.bands import S2_BANDS
from s2distill.data.bands import S2_NODATA_DN

Condition = Literal["ordinary", "snow", "haze", "eight_bit"]

# Aerosol optical depth at 490 nm, chosen: most days have less than 0.5, and
# smoke, dust or smog go beyond 1.
HEAVY_HAZE = (1.2, 3.0)
_ANGSTROM = 1.3  # Angstrom 1929: depth falls with this power of wavelength
# Asymmetry of continental aerosol in the visible, about 0.7: Hess et al. 1998
# (OPAC), Bulletin of the American Meteorological Society 79.
_ASYMMETRY = 0.7
# Digital numbers up to here are stretched over 0..255 by viewers' scripts:
# 0.3 reflectance, the usual bright end of true-colour pictures.
_EIGHT_BIT_HIGH_DN = 3000


@dataclasses.dataclass(frozen=True)
class HazeLayer:
    """What a layer of haze does to each band, [C] float32.

    Attributes:
      path: Reflectance that it adds.
      contrast: Factor on what lies below, for the way down and up.
    """

    path: np.ndarray
    contrast: np.ndarray


def haze_layer(optical_depth: float, bands: tuple[str, ...]) -> HazeLayer:
    """A layer that scatters and does not absorb, in two streams.

    Reflected share R = q / (1 + q) with q = (1 - g) depth / 2 (Bohren 1987,
    American Journal of Physics 55, on multiple scattering); the rest passes.

    Args:
      optical_depth: At 490 nm.
      bands: Names.
    """
    wavelength_nm = np.array([S2_BANDS[name].wavelength_nm for name in bands])
    depth = optical_depth * (490 / wavelength_nm) ** _ANGSTROM
    back = (1 - _ASYMMETRY) * depth / 2
    passed = 1 / (1 + back)
    return HazeLayer(
        (back * passed).astype(np.float32), (passed**2).astype(np.float32)
    )


def to_eight_bit(dn: np.ndarray) -> np.ndarray:
    """Digital numbers stretched to 0..255, as made for the eye.

    Args:
      dn: uint16.

    Returns:
      The same shape, uint16; what was not 0 (no data) stays above 0.
    """
    shown = np.minimum(dn, _EIGHT_BIT_HIGH_DN) * (255 / _EIGHT_BIT_HIGH_DN)
    least = np.where(dn > S2_NODATA_DN, S2_NODATA_DN + 1, S2_NODATA_DN)
    return np.maximum(shown.astype(np.uint16), least.astype(np.uint16))
