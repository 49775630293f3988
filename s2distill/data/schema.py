"""The record schema: one `tfds.features.FeaturesDict`, in this file only.

A record is one tile: T Sentinel-2 frames on a grid of `tile_px` squared, and
whatever else is known of the place on the label grid, `label_factor` times
finer. What a set of records does not hold is absent from its schema, never
filled in.

Shapes: T frames (any number, may differ between records); H, W = tile_px;
h, w = tile_px * label_factor; C bands.

    key                      text, unique
    s2/image                 [T, H, W, C] uint16, digital numbers
    s2/valid                 [T, H, W] uint8, 1 = the ground is seen
    s2/time_utc_s            [T] int64, seconds since 1970
    meta/crs                 text
    meta/transform           [6] float64, affine a b c d e f of the S2 grid
    meta/product_level       text, L1C or L2A
    meta/quantification_dn   float32, DN per unit reflectance
    meta/offset_dn           float32, added to DN before the division
    meta/provenance          text, JSON
    image/rgb                [h, w, 3] uint8            field `image`
    image/valid              [h, w] uint8               field `image`
    image/view_angle_deg     float32, 0 = nadir         field `view`
    image/view_azimuth_deg   float32, where roofs lean  field `view`
    label/valid              [h, w] uint8, 1 = labelled `building` or `road`
    label/building           [h, w] uint8               field `building`
    label/centroid_density   [h, w] float16, buildings per pixel   `building`
    label/road               [h, w] uint8               field `road`
    label/height_m           [h, w] float16, NaN = unknown         `height`
    teacher/building_probs   [h, w] float16             field `teacher`
    teacher/road_probs       [h, w] float16             field `teacher`
    teacher/centroid_density [h, w] float16             field `teacher`
    teacher/height_m         [h, w] float16             field `teacher`
    teacher/valid            [h, w] uint8, 1 = the teacher saw the ground

Tensors use TFDS encoding "bytes": reading is 5 times faster than with the
default lists of integers, at three quarters of the size.
"""

import dataclasses
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from s2distill.data.bands import ProductLevel
from s2distill.data.bands import check_product_level
from s2distill.data.bands import parse_band_names
from s2distill.errors import RecordError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

SCHEMA_VERSION = "1.0.0"
DATASET_NAME = "s2distill"
SPLITS = ("train", "validation", "test")
OPTIONAL_FIELDS = ("image", "view", "building", "road", "height", "teacher")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordSpec:
    """What every record of a set has in common.

    Attributes:
      bands: Names of the C bands, in order.
      tile_px: H = W, Sentinel-2 pixels.
      label_factor: Label pixels per Sentinel-2 pixel and axis; 20 gives 0.5 m.
      fields: Those of `OPTIONAL_FIELDS` that the records hold.
      product_level: "L1C" or "L2A".
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division; 0, or -1000 since baseline 04.00.
    """

    bands: tuple[str, ...]
    tile_px: int
    label_factor: int = 20
    fields: tuple[str, ...] = ()
    product_level: ProductLevel = "L2A"
    quantification_dn: float = 10_000.0
    offset_dn: float = 0.0

    def __post_init__(self) -> None:
        parse_band_names(self.bands)
        check_product_level(self.product_level)
        unknown = set(self.fields) - set(OPTIONAL_FIELDS)
        if unknown:
            raise RecordError(
                f"unknown record fields {sorted(unknown)}; there are "
                f"{', '.join(OPTIONAL_FIELDS)}"
            )
        if self.tile_px < 1 or self.label_factor < 1:
            raise RecordError(
                f"tile_px={self.tile_px}, label_factor={self.label_factor}: "
                "both must be at least 1"
            )

    @property
    def label_px(self) -> int:
        """H = w, label pixels."""
        return self.tile_px * self.label_factor

    @property
    def has_labels(self) -> bool:
        """True where a person's labels are in the records."""
        return "building" in self.fields or "road" in self.fields

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        content = dataclasses.asdict(self)
        content["bands"] = list(self.bands)
        content["fields"] = list(self.fields)
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "RecordSpec":
        """The specification that `to_json` wrote."""
        content = dict(content)
        content["bands"] = tuple(content["bands"])
        content["fields"] = tuple(content["fields"])
        return cls(**content)


def make_features(spec: RecordSpec) -> "tfds.features.FeaturesDict":
    """The TFDS features of records with this specification."""
    import tensorflow_datasets as tfds

    def tensor(shape: tuple[int | None, ...], dtype: Any) -> Any:
        return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="bytes")

    tile, label, bands = spec.tile_px, spec.label_px, len(spec.bands)
    plane = (label, label)
    features: dict[str, Any] = {
        "key": tfds.features.Text(),
        "s2": {
            "image": tensor((None, tile, tile, bands), np.uint16),
            "valid": tensor((None, tile, tile), np.uint8),
            "time_utc_s": tfds.features.Tensor(shape=(None,), dtype=np.int64),
        },
        "meta": {
            "crs": tfds.features.Text(),
            "transform": tfds.features.Tensor(shape=(6,), dtype=np.float64),
            "product_level": tfds.features.Text(),
            "quantification_dn": tfds.features.Scalar(np.float32),
            "offset_dn": tfds.features.Scalar(np.float32),
            "provenance": tfds.features.Text(),
        },
    }
    groups: dict[str, dict[str, Any]] = {"image": {}, "label": {}}
    if "image" in spec.fields:
        groups["image"]["rgb"] = tensor((label, label, 3), np.uint8)
        groups["image"]["valid"] = tensor(plane, np.uint8)
    if "view" in spec.fields:
        groups["image"]["view_angle_deg"] = tfds.features.Scalar(np.float32)
        groups["image"]["view_azimuth_deg"] = tfds.features.Scalar(np.float32)
    if spec.has_labels:
        groups["label"]["valid"] = tensor(plane, np.uint8)
    if "building" in spec.fields:
        groups["label"]["building"] = tensor(plane, np.uint8)
        groups["label"]["centroid_density"] = tensor(plane, np.float16)
    if "road" in spec.fields:
        groups["label"]["road"] = tensor(plane, np.uint8)
    if "height" in spec.fields:
        groups["label"]["height_m"] = tensor(plane, np.float16)
    if "teacher" in spec.fields:
        groups["teacher"] = {
            "building_probs": tensor(plane, np.float16),
            "road_probs": tensor(plane, np.float16),
            "centroid_density": tensor(plane, np.float16),
            "height_m": tensor(plane, np.float16),
            "valid": tensor(plane, np.uint8),
        }
    features.update({k: v for k, v in groups.items() if v})
    return tfds.features.FeaturesDict(features)
