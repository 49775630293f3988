"""Cloud and data masks that Sentinel-2 files carry as bands.

Sources: SCL, ESA Sentinel-2 L2A Algorithm Theoretical Basis Document,
scene classification table; QA60, Earth Engine catalogue of COPERNICUS/S2;
CLM and dataMask, Sentinel Hub.
"""

import numpy as np

# SCL: 0 no data, 1 saturated, 3 cloud shadow, 8 and 9 cloud, 10 cirrus. Snow
# (11) shows the ground's shapes, and bright roofs are often taken for it.
_SCL_UNUSABLE = (0, 1, 3, 8, 9, 10)
_QA60_CLOUD_BITS = (1 << 10) | (1 << 11)  # opaque, cirrus

MASK_BANDS = ("SCL", "QA60", "CLM", "dataMask")


def is_clear(name: str, values: np.ndarray) -> np.ndarray:
    """Where a mask band says that the ground is seen.

    Args:
      name: One of `MASK_BANDS`.
      values: [...] as in the file.

    Returns:
      [...] bool.
    """
    if name == "SCL":
        return ~np.isin(values, _SCL_UNUSABLE)
    if name == "QA60":
        return (np.nan_to_num(values).astype(np.int64) & _QA60_CLOUD_BITS) == 0
    if name == "CLM":
        return values == 0
    return values > 0
