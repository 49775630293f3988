"""Labels that people drew and a teacher's answers, as one set of targets.

The targets are those of `data.batches`, [B, h, w, 1] float32.
"""

from typing import Any

from keras import ops

_SCALE = "teacher_height_scale_m"  # 0 where no teacher told it

# A target, its weight, and for "height_scale" the target's own scale.
Target = tuple[Any, ...]

# Name of a part: target and weight, as they are drawn and as a teacher
# answers them.
_LABELS = {
    "building": ("building", "building_weight"),
    "road": ("road", "road_weight"),
    "density": ("centroid_density", "building_weight"),
    "height": ("height_m", "height_weight"),
}
_ANSWERS = {
    "building": ("teacher_building_probs", "teacher_building_weight"),
    "road": ("teacher_road_probs", "teacher_road_weight"),
    "density": ("teacher_centroid_density", "teacher_building_weight"),
    "height": ("teacher_height_m", "teacher_height_weight"),
}


def mix_targets(
    targets: dict[str, Any], *, hard_share: float
) -> dict[str, Target]:
    """Hard labels and the teacher's answers as one target with its weight.

    The mixture is of targets, not of losses: for cross-entropy and the
    density divergence both give the same gradient. How far a height may be
    off is learnt from what is known of the truth instead: from the label
    where there is one, else from a teacher's height with a scale beside it.

    Args:
      targets: Some of those of the pipeline.
      hard_share: See `objective.Objective`.

    Returns:
      (target, weight) of "building", "road", "density", "height", "image" as
      far as known; (target, weight) or (target, weight, scale of the target)
      of "height_scale".
    """
    labels = _find_labels(targets) if hard_share > 0 else {}
    answers = _find_answers(targets) if hard_share < 1 else {}
    mixed = labels | answers
    for name in sorted(labels.keys() & answers.keys()):
        join = _prefer_label if name == "height_scale" else _average
        mixed[name] = join(labels[name], answers[name], hard_share)
    if "image_grey" in targets:
        mixed["image"] = targets["image_grey"], targets["image_weight"]
    return mixed


def _find_labels(targets: dict[str, Any]) -> dict[str, Target]:
    found = {
        name: (targets[value], targets[weight])
        for name, (value, weight) in _LABELS.items()
        if value in targets
    }
    if "height" in found:
        found["height_scale"] = found["height"]
    return found


def _find_answers(targets: dict[str, Any]) -> dict[str, Target]:
    found = {
        name: (targets[value], targets[weight])
        for name, (value, weight) in _ANSWERS.items()
        if value in targets
    }
    if "height" in found:
        value, weight = found["height"]
        # A height means something only where the teacher sees a building.
        weight = weight * targets["teacher_building_probs"]
        found["height"] = value, weight
        if _SCALE in targets:
            told = ops.cast(targets[_SCALE] > 0, weight.dtype)
            found["height_scale"] = value, weight * told, targets[_SCALE]
    return found


def _average(label: Target, answer: Target, hard_share: float) -> Target:
    """Weighted mean of targets; weight 1 where any of them has weight 1."""
    (hard, hard_weight), (soft, soft_weight) = label, answer
    part = hard_weight * hard_share
    total = part + soft_weight * (1 - hard_share)
    value = soft + (hard - soft) * (part / ops.maximum(total, 1e-6))
    return value, ops.maximum(hard_weight, soft_weight)


def _prefer_label(label: Target, answer: Target, hard_share: float) -> Target:
    del hard_share  # the truth is no compromise
    hard, hard_weight = label
    soft, soft_weight, scale_m = answer
    labelled = hard_weight > 0
    return (
        ops.where(labelled, hard, soft),
        ops.where(labelled, hard_weight, soft_weight),
        ops.where(labelled, 0.0, scale_m),
    )
