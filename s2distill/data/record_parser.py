"""Serialized records to arrays, whichever fields their folders hold.

Folders of one training run differ in fields: some have labels, some the
teacher's answers. Each is parsed with its own schema; a field that a folder
lacks comes out as zeros, with a validity plane of zeros beside it, so that
records of all folders go into one batch. Only features that are asked for are
decoded, and they are cropped before anything else touches them.
"""

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from s2distill.data.folders import select_features
from s2distill.data.schema import ANSWERS
from s2distill.data.schema import HEIGHT_SCALE_FEATURE
from s2distill.data.schema import TEACHER_FEATURES
from s2distill.data.schema import RecordSpec
from s2distill.data.schema import learnable
from s2distill.data.schema import make_features

Arrays = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class _Plane:
    """A feature on the label grid, and the part of a record it is of."""

    feature: str
    part: str
    dtype: type = np.uint8
    channels: int | None = None

    def is_in(self, spec: RecordSpec) -> bool:
        return self.part in _parts(spec)


_HALF = np.float16
_SCALE_PART = "teacher_height_scale"
_PLANES = {
    "rgb": _Plane("image/rgb", "image", channels=3),
    "image_valid": _Plane("image/valid", "image"),
    "building": _Plane("label/building", "building"),
    "centroid_density": _Plane("label/centroid_density", "building", _HALF),
    "road": _Plane("label/road", "road"),
    "height_m": _Plane("label/height_m", "height", _HALF),
    "teacher_valid": _Plane("teacher/valid", "teacher"),
} | {
    f"teacher_{name}": _Plane(f"teacher/{name}", f"teacher_{answer}", _HALF)
    for answer, names in TEACHER_FEATURES.items()
    for name in names
}
_PLANES[f"teacher_{HEIGHT_SCALE_FEATURE}"] = _Plane(
    f"teacher/{HEIGHT_SCALE_FEATURE}", _SCALE_PART, _HALF
)
_LABEL_VALID = "label_valid"
_VIEW_FEATURES = ("image/view_angle_deg", "image/view_azimuth_deg")


class RecordParser:
    """Makes arrays of one structure from the records of several folders."""

    def __init__(
        self, specs: Sequence[RecordSpec], crop_px: int | None = None
    ) -> None:
        """Prepares a schema for each folder.

        Args:
          specs: Of the folders, in the order that numbers them.
          crop_px: Side of the window that is cut out, Sentinel-2 pixels;
            None takes the tile, which must have one size in all folders.
        """
        self._specs = tuple(specs)
        self._crop_px = crop_px or specs[0].tile_px
        self._planes = {
            name: plane
            for name, plane in _PLANES.items()
            if any(plane.is_in(spec) for spec in specs)
        }
        self._has_labels = any(spec.has_labels for spec in specs)
        self._flagged = ANSWERS if self._has_labels else ()
        if "teacher_valid" in self._planes:
            self._flagged += tuple(f"teacher_{answer}" for answer in ANSWERS)
        self._features = [_reduced_features(spec) for spec in specs]
        # Where each array has its rows; columns follow.
        self.row_axes = {"s2_dn": 1, "s2_valid": 1} | dict.fromkeys(
            self._planes, 0
        )
        if self._has_labels:
            self.row_axes[_LABEL_VALID] = 0

    def __call__(
        self, serialized: tf.Tensor, folder: tf.Tensor, lots: tf.Tensor
    ) -> Arrays:
        """Parses one record and cuts a window out of it.

        Args:
          serialized: Scalar string.
          folder: Scalar integer, which specification it follows.
          lots: [2] float32 in [0, 1): where the window lies, from the first
            to the last row and column that it can begin at.

        Returns:
          key; s2_dn [T, H, W, C] uint16; s2_valid [T, H, W] uint8. Of what any
          folder has: rgb [h, w, 3]; other planes [h, w] by the names of the
          targets, and image_valid, teacher_valid, all of the type on disk. If
          any has labels: label_valid [h, w], and has_building, has_road and
          has_height, scalar bool; if any has a teacher's answers,
          has_teacher_building and its like; if any has an image, view_deg [2]
          float32, angle and azimuth, NaN where they are not known.
        """
        return self.cut_windows(serialized, folder, lots[tf.newaxis])[0]

    def cut_windows(
        self, serialized: tf.Tensor, folder: tf.Tensor, lots: tf.Tensor
    ) -> list[Arrays]:
        """Parses one record once and cuts several windows out of it.

        Args:
          serialized: Scalar string.
          folder: Scalar integer, which specification it follows.
          lots: [n, 2] float32 in [0, 1), n known; a row for each window.

        Returns:
          For each window what calling the parser returns.
        """
        branches = [
            self._branch(number, serialized, lots)
            for number in range(len(self._specs))
        ]
        if len(branches) == 1:
            return branches[0]()
        return tf.switch_case(tf.cast(folder, tf.int32), branches)

    def _branch(
        self, number: int, serialized: tf.Tensor, lots: tf.Tensor
    ) -> Callable[[], list[Arrays]]:
        def parse() -> list[Arrays]:
            record = self._features[number].deserialize_example(serialized)
            return [self._cut_one(number, record, lot) for lot in lots]

        lots = tf.unstack(lots)
        return parse

    def _cut_one(
        self, number: int, record: dict[str, Any], lots: tf.Tensor
    ) -> Arrays:
        spec = self._specs[number]
        side, factor = self._crop_px, spec.label_factor
        begins = tf.cast(spec.tile_px - side + 1, tf.float32)
        corner = tf.cast(tf.floor(lots * begins), tf.int32)

        def cut_plane(feature: str) -> tf.Tensor:
            group, name = feature.split("/")
            return _cut(record[group][name], corner * factor, side * factor, 0)

        parsed = {
            "key": record["key"],
            "s2_dn": _cut(record["s2"]["image"], corner, side, 1),
            "s2_valid": _cut(record["s2"]["valid"], corner, side, 1),
        }
        square = (side * factor, side * factor)
        for name, plane in self._planes.items():
            if plane.is_in(spec):
                parsed[name] = cut_plane(plane.feature)
            else:
                depth = () if plane.channels is None else (plane.channels,)
                parsed[name] = tf.zeros(square + depth, plane.dtype)
        if self._has_labels:
            parsed[_LABEL_VALID] = (
                cut_plane("label/valid")
                if spec.has_labels
                else tf.zeros(square, tf.uint8)
            )
        for part in self._flagged:
            parsed[f"has_{part}"] = tf.constant(part in _parts(spec))
        if "rgb" in self._planes:
            parsed["view_deg"] = _read_view(record, spec)
        return parsed


def _parts(spec: RecordSpec) -> set[str]:
    """What of use a folder holds, such as image, building, teacher_road."""
    answers = learnable(spec.teacher_answers)
    scale = {_SCALE_PART} if spec.teacher_scales and "height" in answers else ()
    return (
        {"image", "teacher"}.intersection(spec.fields)
        | set(learnable(spec.fields))
        | {f"teacher_{answer}" for answer in answers}
    ).union(scale)


def _has_view(spec: RecordSpec) -> bool:
    return {"image", "view"} <= set(spec.fields)


def _read_view(record: dict[str, Any], spec: RecordSpec) -> tf.Tensor:
    if not _has_view(spec):
        return tf.fill([2], math.nan)
    names = [feature.split("/") for feature in _VIEW_FEATURES]
    return tf.stack([record[group][name] for group, name in names])


def _reduced_features(spec: RecordSpec) -> tfds.features.FeaturesDict:
    names = ["key", "s2/image", "s2/valid"]
    if spec.has_labels:
        names.append("label/valid")
    names += [plane.feature for plane in _PLANES.values() if plane.is_in(spec)]
    if _has_view(spec):
        names += _VIEW_FEATURES
    return select_features(make_features(spec), names)


def _cut(
    values: tf.Tensor, corner: tf.Tensor, side: int, axis: int
) -> tf.Tensor:
    """A square window of `values`, whose rows are at `axis`."""
    rank = values.shape.rank
    if values.shape[axis] == values.shape[axis + 1] == side:
        return values
    after = rank - axis - 2
    begin = tf.concat([[0] * axis, corner, [0] * after], axis=0)
    size = [-1] * axis + [side, side] + [-1] * after
    return tf.slice(values, tf.cast(begin, tf.int32), size)
