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
    teacher/valid            [h, w] uint8, 1 = the teacher saw the ground
    teacher/building_probs   [h, w] float16             answer `building`
    teacher/centroid_density [h, w] float16             answer `building`
    teacher/road_probs       [h, w] float16             answer `road`
    teacher/height_m         [h, w] float16, NaN = unknown       `height`
    teacher/height_scale_m   [h, w] float16, 0 = unknown  `height`, with scales

The field `teacher` holds the answers that the specification names: those of a
network, or weak labels, which are maps that others made. The scale is that of a
Laplace distribution about the height, which not every teacher tells. Angles of
the view are NaN where nobody knows them.

Tensors use TFDS encoding "bytes": reading is 5 times faster than with the
default lists of integers, at three quarters of the size.
"""

import dataclasses
from collections.abc import Collection
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from s2distill.data.bands import ProductLevel
from s2distill.data.bands import check_product_level
from s2distill.data.bands import parse_band_names
from s2distill.errors import RecordError

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

SCHEMA_VERSION = "1.2.0"
# 1.0.0 knew no `teacher_answers`: a teacher wrote all of them. 1.1.0 knew no
# `teacher_scales`: no teacher told any.
READABLE_VERSIONS = ("1.0.0", "1.1.0", SCHEMA_VERSION)
DATASET_NAME = "s2distill"
SPLITS = ("train", "validation", "test")
OPTIONAL_FIELDS = ("image", "view", "building", "road", "height", "teacher")
# What a network can be taught: the features a teacher's answer consists of.
TEACHER_FEATURES = {
    "building": ("building_probs", "centroid_density"),
    "road": ("road_probs",),
    "height": ("height_m",),
}
ANSWERS = tuple(TEACHER_FEATURES)
HEIGHT_SCALE_FEATURE = "height_scale_m"


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
      teacher_answers: Those of `ANSWERS`, in their order, that the field
        `teacher` holds; () with that field means all.
      teacher_scales: The teacher's height has its scale beside it.
    """

    bands: tuple[str, ...]
    tile_px: int
    label_factor: int = 20
    fields: tuple[str, ...] = ()
    product_level: ProductLevel = "L2A"
    quantification_dn: float = 10_000.0
    offset_dn: float = 0.0
    teacher_answers: tuple[str, ...] = ()
    teacher_scales: bool = False

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
        if "teacher" in self.fields and not self.teacher_answers:
            object.__setattr__(self, "teacher_answers", ANSWERS)
        self._check_teacher_answers()

    def _check_teacher_answers(self) -> None:
        shown = ",".join(self.teacher_answers)
        if self.teacher_answers != in_order(self.teacher_answers):
            raise RecordError(
                f"teacher_answers {shown}: give some of {', '.join(ANSWERS)}, "
                "in this order"
            )
        if self.teacher_answers and "teacher" not in self.fields:
            raise RecordError(
                f"teacher_answers {shown} of records without the field "
                "teacher; add the field, or give none"
            )
        if self.teacher_scales and "height" not in self.teacher_answers:
            raise RecordError(
                f"teacher_scales of teacher_answers {shown or 'none'}: a scale "
                "is that of the height; add the answer, or leave it out"
            )

    @property
    def label_px(self) -> int:
        """H = w, label pixels."""
        return self.tile_px * self.label_factor

    @property
    def has_labels(self) -> bool:
        """True where a person's labels are in the records."""
        return "building" in self.fields or "road" in self.fields

    @property
    def teacher_features(self) -> tuple[str, ...]:
        """What the group `teacher` holds, its validity apart."""
        names = tuple(
            name
            for answer in self.teacher_answers
            for name in TEACHER_FEATURES[answer]
        )
        return names + (HEIGHT_SCALE_FEATURE,) * self.teacher_scales

    def to_json(self) -> dict[str, Any]:
        """Plain values, read back by `from_json`."""
        content = dataclasses.asdict(self)
        content["bands"] = list(self.bands)
        content["fields"] = list(self.fields)
        content["teacher_answers"] = list(self.teacher_answers)
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "RecordSpec":
        """The specification that `to_json` wrote, of any readable version."""
        content = dict(content)
        content["bands"] = tuple(content["bands"])
        content["fields"] = tuple(content["fields"])
        content["teacher_answers"] = tuple(content.get("teacher_answers", ()))
        return cls(**content)


def in_order(names: Collection[str]) -> tuple[str, ...]:
    """Those of `ANSWERS` that are among some names, in their order."""
    return tuple(answer for answer in ANSWERS if answer in names)


def learnable(names: Collection[str]) -> tuple[str, ...]:
    """Those of `ANSWERS` that can be learnt from records that hold some.

    Height counts on buildings alone, so it is of no use without them.

    Args:
      names: `fields` for labels, or `teacher_answers`.
    """
    return tuple(
        answer
        for answer in in_order(names)
        if answer != "height" or "building" in names
    )


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
        groups["teacher"] = {"valid": tensor(plane, np.uint8)} | {
            name: tensor(plane, np.float16) for name in spec.teacher_features
        }
    features.update({k: v for k, v in groups.items() if v})
    return tfds.features.FeaturesDict(features)
