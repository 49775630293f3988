"""Batches of arrays, as they lie in the records, to inputs and targets.

The last step of the pipeline: here integers and half floats become float32,
four times as large, so nothing before it moves more bytes than it must.
"""

import tensorflow as tf

from s2distill.data.augment import jitter_image
from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2

Arrays = dict[str, tf.Tensor]

# Grey of red, green, blue: ITU-R BT.601, section 2.5.1.
_GREY_WEIGHTS = (0.299, 0.587, 0.114)


def make_inputs(
    batch: Arrays,
    statistics: BandStatistics,
    *,
    quantification_dn: float,
    offset_dn: float,
) -> Arrays:
    """What networks are fed.

    Args:
      batch: s2_dn [B, T, H, W, C], s2_valid [B, T, H, W]; where there is an
        image, rgb [B, h, w, 3], and where it is to be jittered, `jitter`
        [B, 2]: factor of contrast and shift of brightness.
      statistics: Of the C bands.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.

    Returns:
      float32: s2 [B, T, H, W, C], normalised; frame_valid [B, T, H, W]; image
      [B, h, w, 3] in [-1, 1], if there is one.
    """
    s2, frame_valid = normalize_s2(
        batch["s2_dn"],
        batch["s2_valid"],
        statistics,
        quantification_dn=quantification_dn,
        offset_dn=offset_dn,
    )
    inputs = {"s2": s2, "frame_valid": frame_valid}
    if "rgb" in batch:
        image = normalize_image(batch["rgb"])
        if "jitter" in batch:
            image = jitter_image(image, batch["jitter"])
        inputs["image"] = image
    return inputs


def make_targets(batch: Arrays) -> Arrays:
    """What networks are to answer, and where that is known.

    Args:
      batch: Those planes of `record_parser` that some folder has.

    Returns:
      [B, h, w, 1] float32: building, road, centroid_density, height_m,
      image_grey (0..1), each with its weight, 1 = known (centroid_density
      shares building_weight), and the teacher's answers with teacher_weight.
      What is not known is 0, and finite, at weight 0. Height is known on
      labelled buildings of finite height.
    """
    targets: Arrays = {}
    if "building" in batch:
        known = _is_valid(batch["building_valid"])
        _put(targets, "building", batch["building"], known)
        _put(targets, "centroid_density", batch["centroid_density"], known)
        targets["building_weight"] = tf.cast(known, tf.float32)
    if "road" in batch:
        known = _is_valid(batch["road_valid"])
        _put(targets, "road", batch["road"], known)
        targets["road_weight"] = tf.cast(known, tf.float32)
    if "height_m" in batch:
        known = (
            _is_valid(batch["height_valid"])
            & _is_valid(batch["building"])
            & tf.math.is_finite(batch["height_m"])
        )
        _put(targets, "height_m", batch["height_m"], known)
        targets["height_weight"] = tf.cast(known, tf.float32)
    if "rgb" in batch:
        known = _is_valid(batch["image_valid"])
        _put(targets, "image_grey", _to_grey(batch["rgb"]), known)
        targets["image_weight"] = tf.cast(known, tf.float32)
    if "teacher_valid" in batch:
        _put_teacher(targets, batch)
    return targets


def _put_teacher(targets: Arrays, batch: Arrays) -> None:
    known = _is_valid(batch["teacher_valid"])
    for name in (
        "teacher_building_probs",
        "teacher_road_probs",
        "teacher_centroid_density",
        "teacher_height_m",
    ):
        _put(targets, name, batch[name], known)
    targets["teacher_weight"] = tf.cast(known, tf.float32)


def _put(
    targets: Arrays, name: str, values: tf.Tensor, known: tf.Tensor
) -> None:
    values = tf.cast(values, tf.float32)
    targets[name] = tf.where(known, values, tf.zeros_like(values))


def _is_valid(plane: tf.Tensor) -> tf.Tensor:
    return plane > 0


def _to_grey(rgb: tf.Tensor) -> tf.Tensor:
    weights = tf.constant(_GREY_WEIGHTS) / 255.0
    return tf.reduce_sum(
        tf.cast(rgb, tf.float32) * weights, axis=-1, keepdims=True
    )
