"""Serialized records to arrays, whichever fields their folders hold.

Folders of one training run differ in fields: some have labels, some the
teacher's answers. Each is parsed with its own schema; a field that a folder
lacks comes out as zeros, with a validity plane of zeros beside it, so that
records of all folders go into one batch. Only features that are asked for are
decoded, and they are cropped before anything else touches them.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from s2distill.data.folders import select_features
from s2distill.data.schema import RecordSpec
from s2distill.data.schema import make_features

Arrays = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class _Plane:
    """A field on the label grid: where it is, and what must be present."""

    group: str
    feature: str
    fields: tuple[str, ...]
    dtype: type
    channels: int = 1


# Height counts on buildings alone, so it is of no use without them.
_HEIGHT_FIELDS = ("building", "height")
_PLANES = {
    "rgb": _Plane("image", "rgb", ("image",), np.uint8, 3),
    "image_valid": _Plane("image", "valid", ("image",), np.uint8),
    "building": _Plane("label", "building", ("building",), np.uint8),
    "building_valid": _Plane("label", "valid", ("building",), np.uint8),
    "centroid_density": _Plane(
        "label", "centroid_density", ("building",), np.float16
    ),
    "road": _Plane("label", "road", ("road",), np.uint8),
    "road_valid": _Plane("label", "valid", ("road",), np.uint8),
    "height_m": _Plane("label", "height_m", _HEIGHT_FIELDS, np.float16),
    "height_valid": _Plane("label", "valid", _HEIGHT_FIELDS, np.uint8),
    "teacher_building_probs": _Plane(
        "teacher", "building_probs", ("teacher",), np.float16
    ),
    "teacher_road_probs": _Plane(
        "teacher", "road_probs", ("teacher",), np.float16
    ),
    "teacher_centroid_density": _Plane(
        "teacher", "centroid_density", ("teacher",), np.float16
    ),
    "teacher_height_m": _Plane("teacher", "height_m", ("teacher",), np.float16),
    "teacher_valid": _Plane("teacher", "valid", ("teacher",), np.uint8),
}


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
        self._present = [_planes_of(spec) for spec in specs]
        # In the order of the table, whichever folder has them.
        self.planes = tuple(
            name
            for name in _PLANES
            if any(name in present for present in self._present)
        )
        self._features = [
            _reduced_features(spec, present)
            for spec, present in zip(specs, self._present, strict=True)
        ]

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
          key; s2_dn [T, H, W, C] uint16; s2_valid [T, H, W] uint8; and
          `planes`, each [h, w, channels], of the type on disk.
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
    ) -> Callable[[], Arrays]:
        return lambda: self._parse(number, serialized, lots)

    def _parse(
        self, number: int, serialized: tf.Tensor, lots: tf.Tensor
    ) -> Arrays:
        spec = self._specs[number]
        record = self._features[number].deserialize_example(serialized)
        side, factor = self._crop_px, spec.label_factor
        begins = tf.cast(spec.tile_px - side + 1, tf.float32)
        corner = tf.cast(tf.floor(lots * begins), tf.int32)
        parsed = {
            "key": record["key"],
            "s2_dn": _cut(record["s2"]["image"], corner, side, 1),
            "s2_valid": _cut(record["s2"]["valid"], corner, side, 1),
        }
        for name in self.planes:
            plane = _PLANES[name]
            shape = (side * factor, side * factor, plane.channels)
            if name in self._present[number]:
                values = record[plane.group][plane.feature]
                values = _cut(values, corner * factor, side * factor, 0)
                parsed[name] = tf.reshape(values, shape)
            else:
                parsed[name] = tf.zeros(shape, plane.dtype)
        return parsed


def _planes_of(spec: RecordSpec) -> tuple[str, ...]:
    return tuple(
        name
        for name, plane in _PLANES.items()
        if set(plane.fields) <= set(spec.fields)
    )


def _reduced_features(
    spec: RecordSpec, planes: Sequence[str]
) -> tfds.features.FeaturesDict:
    names = {f"{_PLANES[p].group}/{_PLANES[p].feature}" for p in planes}
    return select_features(
        make_features(spec), ["key", "s2/image", "s2/valid", *sorted(names)]
    )


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
