"""From an 8-bit 50 cm picture to approximate reflectance.

Vendors stretch pictures for the eye, so the true reflectance is lost. What
is assumed: the picture is linear after undoing a display gamma, its dark and
bright ends are those of usual land. Good enough to degrade a real picture
with the sensor model; not a measurement.
"""

import numpy as np

from s2distill.data.bands import RGB_BANDS
from s2distill.errors import BandError

# Dark and bright ends of built-up land in B4, B3, B2 of L2A products: the
# 1st and 99th percentiles of Sentinel-2 scenes of suburbs lie near them.
_DARK = (0.015, 0.02, 0.015)
_BRIGHT = (0.30, 0.27, 0.24)
_BRIGHTEST = 0.9
# Bands that a picture does not hold, as a mixture: constant, then factors of
# red, green, blue, and of greenness max(0, 2 green - red - blue). Fitted by
# eye to the materials of `spectra.py`; an approximation, to be used only
# where a model asks for ten bands and the picture has three.
_MIXTURES: dict[str, tuple[float, float, float, float, float]] = {
    "B5": (0.02, 0.75, 0.35, 0.0, 0.6),
    "B6": (0.05, 0.6, 0.4, 0.0, 4.5),
    "B7": (0.06, 0.6, 0.4, 0.0, 6.0),
    "B8": (0.07, 0.6, 0.4, 0.0, 6.8),
    "B8A": (0.07, 0.6, 0.4, 0.0, 7.0),
    "B11": (0.05, 1.1, 0.0, -0.1, 2.5),
    "B12": (0.02, 1.1, 0.0, -0.1, 1.0),
}


def estimate_reflectance(
    rgb: np.ndarray, bands: tuple[str, ...] = RGB_BANDS, *, gamma: float = 1.0
) -> np.ndarray:
    """Approximate reflectance of an 8-bit picture.

    Args:
      rgb: [h, w, 3] uint8, red green blue.
      bands: Names; "B4", "B3" and "B2" come from the picture, others are
        mixtures of them, a coarse approximation.
      gamma: Of the display stretch: value = linear ** (1 / gamma); 1 if
        the stretch was linear.

    Returns:
      [C, h, w] float32 planes in the order of `bands`, 0.002 to 0.9, as
      `sensor.simulate_stack` takes them.

    Raises:
      BandError: If a band cannot be made from a picture.
      ValueError: If `rgb` is not [h, w, 3] uint8.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(
            f"picture of shape {rgb.shape} and type {rgb.dtype}; expected "
            "[h, w, 3] uint8"
        )
    unknown = [b for b in bands if b not in (*RGB_BANDS, *_MIXTURES)]
    if unknown:
        raise BandError(
            f"no band {', '.join(unknown)} can be made from a picture; "
            f"there are {', '.join((*RGB_BANDS, *_MIXTURES))}"
        )
    linear = (rgb.astype(np.float32) / 255) ** np.float32(gamma)
    visible = np.empty((3, *rgb.shape[:2]), np.float32)
    for index, (dark, bright) in enumerate(zip(_DARK, _BRIGHT, strict=True)):
        visible[index] = dark + (bright - dark) * linear[..., index]
    planes = np.empty((len(bands), *rgb.shape[:2]), np.float32)
    for plane, band in zip(planes, bands, strict=True):
        if band in RGB_BANDS:
            plane[:] = visible[RGB_BANDS.index(band)]
        else:
            plane[:] = _mix(visible, _MIXTURES[band])
    return np.clip(planes, 0.002, _BRIGHTEST, out=planes)


def _mix(
    visible: np.ndarray, mixture: tuple[float, float, float, float, float]
) -> np.ndarray:
    red, green, blue = visible
    constant, *factors, leaf = mixture
    greenness = np.maximum(2 * green - red - blue, 0)
    mixed = constant + np.tensordot(
        np.array(factors, np.float32), visible, axes=1
    )
    return mixed + np.float32(leaf) * greenness
