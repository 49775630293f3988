"""Batches of arrays, as they lie in the records, to inputs and targets.

The last step of the pipeline: here integers and half floats become float32,
four times as large, so nothing before it moves more bytes than it must.
"""

import tensorflow as tf

from s2distill.data.augment import jitter_image
from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2
from s2distill.data.schema import HEIGHT_SCALE_FEATURE
from s2distill.data.schema import TEACHER_FEATURES
from s2distill.data.view import make_view
from s2distill.data.view import turn_view

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
        image, rgb [B, h, w, 3] and view_deg [B, 2], its angle and azimuth;
        where it is to be jittered, `jitter` [B, 2]: factor of contrast and
        shift of brightness; where it was turned, `symmetry` [B]: its number.
      statistics: Of the C bands.
      quantification_dn: DN per unit reflectance.
      offset_dn: Added to DN before division.

    Returns:
      float32: s2 [B, T, H, W, C], normalised; frame_valid [B, T, H, W]; if
      there is an image: image [B, h, w, 3] in [-1, 1], and view [B, 3], which
      tells how roofs lean in it, see `view.make_view`.
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
        view = make_view(*tf.unstack(batch["view_deg"], axis=-1))
        if "symmetry" in batch:
            view = turn_view(view, batch["symmetry"])
        inputs["view"] = view
    return inputs


def make_targets(batch: Arrays) -> Arrays:
    """What networks are to answer, and where that is known.

    Args:
      batch: What `record_parser` makes of those fields that some folder has,
        in batches: planes [B, h, w], has_building and its like [B].

    Returns:
      [B, h, w, 1] float32: building, road, centroid_density, height_m,
      image_grey (0..1), each with its weight, 1 = known (centroid_density
      shares building_weight); teacher_building_probs, teacher_road_probs,
      teacher_centroid_density and teacher_height_m with
      teacher_building_weight, teacher_road_weight and teacher_height_weight;
      teacher_height_scale_m, 0 where no teacher told it.
      What is not known is 0, and finite, at weight 0. Height is known on
      labelled buildings of finite height, a teacher's where it is finite.
    """
    targets: Arrays = {}
    if "building" in batch:
        known = _is_known(batch, "label_valid", "building")
        _put(targets, "building", batch["building"], known)
        _put(targets, "centroid_density", batch["centroid_density"], known)
        _put_weight(targets, "building_weight", known)
    if "road" in batch:
        known = _is_known(batch, "label_valid", "road")
        _put(targets, "road", batch["road"], known)
        _put_weight(targets, "road_weight", known)
    if "height_m" in batch:
        known = _is_known(batch, "label_valid", "height")
        known &= batch["building"] > 0
        known &= tf.math.is_finite(batch["height_m"])
        _put(targets, "height_m", batch["height_m"], known)
        _put_weight(targets, "height_weight", known)
    if "rgb" in batch:
        known = batch["image_valid"] > 0
        _put(targets, "image_grey", _to_grey(batch["rgb"]), known)
        _put_weight(targets, "image_weight", known)
    for answer, names in TEACHER_FEATURES.items():
        planes = [f"teacher_{name}" for name in names]
        if planes[0] not in batch:
            continue
        known = _is_known(batch, "teacher_valid", f"teacher_{answer}")
        if answer == "height":
            known &= tf.math.is_finite(batch["teacher_height_m"])
        for name in planes:
            _put(targets, name, batch[name], known)
        _put_weight(targets, f"teacher_{answer}_weight", known)
        scale = f"teacher_{HEIGHT_SCALE_FEATURE}"
        if answer == "height" and scale in batch:
            known &= tf.math.is_finite(batch[scale])
            _put(targets, scale, batch[scale], known)
    return targets


def _is_known(batch: Arrays, valid: str, part: str) -> tf.Tensor:
    has_part = batch[f"has_{part}"][:, tf.newaxis, tf.newaxis]
    return (batch[valid] > 0) & has_part


def _put(
    targets: Arrays, name: str, values: tf.Tensor, known: tf.Tensor
) -> None:
    # Cleared in the small type, then cast: half the memory traffic.
    values = tf.where(known, values, tf.zeros([], values.dtype))
    targets[name] = tf.cast(values, tf.float32)[..., tf.newaxis]


def _put_weight(targets: Arrays, name: str, known: tf.Tensor) -> None:
    targets[name] = tf.cast(known, tf.float32)[..., tf.newaxis]


def _to_grey(rgb: tf.Tensor) -> tf.Tensor:
    """[..., 3] uint8 to [...] float32, 0..1."""
    channels = tf.unstack(tf.cast(rgb, tf.float32), axis=-1)
    return tf.add_n(
        [c * (w / 255.0) for c, w in zip(channels, _GREY_WEIGHTS, strict=True)]
    )
