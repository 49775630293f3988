"""Digital numbers to network input, the same in training and in serving.

    reflectance = (DN + offset_dn) / quantification_dn
    x = (reflectance - centre) / scale, clipped to [-LIMIT, LIMIT]

Centre and scale are per band, robust, and of the train split: clouds in a
valid pixel must not move them. Invalid or non-finite pixels become 0.
"""

import dataclasses
import json
import os
from typing import Any

import tensorflow as tf

from s2distill.atomic_write import write_json
from s2distill.data.bands import find_bands
from s2distill.errors import RecordError

LIMIT = 6.0  # scales; clouds at reflectance 1 would otherwise reach 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class BandStatistics:
    """Robust statistics of reflectance, band by band.

    Attributes:
      bands: Names, in the order of the other two.
      centre: Median reflectance.
      scale: Half the distance from the 16th to the 84th percentile, which
        is the standard deviation if the values are Gaussian.
    """

    bands: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.bands) == len(self.centre) == len(self.scale):
            raise RecordError(
                f"statistics of {len(self.bands)} bands have "
                f"{len(self.centre)} centres and {len(self.scale)} scales"
            )
        if min(self.scale) <= 0:
            raise RecordError(f"band scales must be positive: {self.scale}")

    def select(self, bands: tuple[str, ...]) -> "BandStatistics":
        """The statistics of some bands, in the order asked for."""
        order = find_bands(bands, self.bands)
        return BandStatistics(
            bands=tuple(bands),
            centre=tuple(self.centre[i] for i in order),
            scale=tuple(self.scale[i] for i in order),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        return {k: list(v) for k, v in dataclasses.asdict(self).items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "BandStatistics":
        """The statistics that `to_json` wrote."""
        return cls(
            **{k: tuple(content[k]) for k in ("bands", "centre", "scale")}
        )


def write_statistics(
    path: str | os.PathLike[str], statistics: BandStatistics
) -> None:
    """Writes `statistics.json`."""
    write_json(path, statistics.to_json())


def read_statistics(path: str | os.PathLike[str]) -> BandStatistics:
    """Reads `statistics.json`, local or gs://; RecordError if absent or cut."""
    if not tf.io.gfile.exists(path):
        raise RecordError(
            f"no band statistics at {path}; data_prep.band_statistics "
            "computes them from the train split"
        )
    with tf.io.gfile.GFile(path) as file:
        text = file.read()
    try:
        return BandStatistics.from_json(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(
            f"{path} is cut or changed: {error}; data_prep.band_statistics "
            "computes it again"
        ) from error


def normalize_s2(
    dn: tf.Tensor,
    valid: tf.Tensor,
    statistics: BandStatistics,
    *,
    quantification_dn: float,
    offset_dn: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Normalised frames and the mask of what they show.

    Args:
      dn: [..., H, W, C], any number type; NaN allowed.
      valid: [..., H, W], anything above 0 = the ground is seen.
      statistics: Of the C bands, in order.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.

    Returns:
      ([..., H, W, C] float32, 0 where not valid; [..., H, W] float32, 1 where
      valid, finite in every band).
    """
    dn = tf.cast(dn, tf.float32)
    finite = tf.reduce_all(tf.math.is_finite(dn), axis=-1)
    seen = tf.logical_and(tf.cast(valid, tf.float32) > 0, finite)
    reflectance = (dn + offset_dn) / quantification_dn
    x = (reflectance - tf.constant(statistics.centre)) / tf.constant(
        statistics.scale
    )
    x = tf.clip_by_value(x, -LIMIT, LIMIT)
    x = tf.where(seen[..., tf.newaxis], x, tf.zeros_like(x))
    return x, tf.cast(seen, tf.float32)


def normalize_image(rgb: tf.Tensor) -> tf.Tensor:
    """[..., h, w, 3] uint8 to float32 in [-1, 1]."""
    return tf.cast(rgb, tf.float32) / 127.5 - 1.0
