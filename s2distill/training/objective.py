"""What a network is trained for: hard labels, a teacher's answers, or both.

The targets are those of `data.pipeline`; whichever are absent from a batch,
or have no weight in it, add nothing.
"""

import dataclasses
from typing import Any

from keras import ops

from s2distill.errors import ConfigError
from s2distill.training import losses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """Weights of the parts of the loss.

    Attributes:
      hard_share: Share of the labels a person drew, 0 to 1, where a place
        has both them and a teacher's answer; the rest is the teacher's.
        Where only one of them is there it counts in full, unless the share
        is 0 or 1, which ignores the other altogether.
      building: Weight of the building mask.
      road: Weight of the road mask.
      overlap: Weight of the overlap loss within each mask's part.
      density: Weight of the centroid density.
      height: Weight of the height.
      image: Weight of the grey image.
      temperature: Of teacher and network in the mask losses.
    """

    hard_share: float = 1.0
    building: float = 1.0
    road: float = 0.5
    overlap: float = 1.0
    density: float = 0.5
    height: float = 0.5
    image: float = 0.2
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.hard_share <= 1:
            raise ConfigError(
                f"hard_share must lie in 0 to 1, got {self.hard_share}"
            )
        if self.temperature <= 0:
            raise ConfigError(
                f"temperature must be positive, got {self.temperature}"
            )


def compute_losses(
    objective: Objective, answers: dict[str, Any], targets: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Each part of the loss as (sum, weight).

    Args:
      objective: Weights and temperature.
      answers: Of a network, see `models.heads`.
      targets: Of the pipeline, see `data.pipeline`.

    Returns:
      Dictionary with some of "building", "road", "density", "height",
      "image": those whose targets are in the batch.
    """
    mixed = mix_targets(objective, targets)
    parts = {}
    for mask in ("building", "road"):
        if mask in mixed:
            probs, weight = mixed[mask]
            logits = answers[f"{mask}_logits"]
            nats, total = losses.binary_cross_entropy(
                logits, probs, weight, temperature=objective.temperature
            )
            apart, _ = losses.overlap_loss(logits, probs, weight)
            parts[mask] = nats + objective.overlap * apart, total
    if "density" in mixed:
        parts["density"] = losses.density_divergence(
            answers["centroid_density"], *mixed["density"]
        )
    if "height" in mixed:
        parts["height"] = losses.height_error(
            answers["height_m"], *mixed["height"]
        )
    if "image_grey" in targets:
        parts["image"] = losses.image_error(
            answers["image_grey"],
            targets["image_grey"],
            targets["image_weight"],
        )
    return parts


def combine(objective: Objective, parts: dict[str, tuple[Any, Any]]) -> Any:
    """The loss: weighted sum of the means; a part without weight adds 0."""
    total = 0.0
    for name, (value, weight) in parts.items():
        mean = value / ops.maximum(weight, 1.0)
        total = total + getattr(objective, name) * mean
    return total


def mix_targets(
    objective: Objective, targets: dict[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """Hard labels and the teacher's answers as one target with its weight.

    The mixture is of targets, not of losses: for cross-entropy and the
    density divergence both give the same gradient.
    """
    hard = {
        "building": ("building", "building_weight"),
        "road": ("road", "road_weight"),
        "density": ("centroid_density", "building_weight"),
        "height": ("height_m", "height_weight"),
    }
    mixed = {}
    for name, (label, label_weight) in hard.items():
        pairs = []
        if label in targets and objective.hard_share > 0:
            pairs.append(
                (targets[label], targets[label_weight], objective.hard_share)
            )
        soft = _teacher_target(name, targets)
        if soft is not None and objective.hard_share < 1:
            pairs.append((*soft, 1 - objective.hard_share))
        if pairs:
            mixed[name] = _average(pairs)
    return mixed


def _teacher_target(
    name: str, targets: dict[str, Any]
) -> tuple[Any, Any] | None:
    key, answer = {
        "building": ("teacher_building_probs", "building"),
        "road": ("teacher_road_probs", "road"),
        "density": ("teacher_centroid_density", "building"),
        "height": ("teacher_height_m", "height"),
    }[name]
    if key not in targets:
        return None
    weight = targets[f"teacher_{answer}_weight"]
    if name == "height":
        # A height means something only where the teacher sees a building.
        weight = weight * targets["teacher_building_probs"]
    return targets[key], weight


def _average(pairs: list[tuple[Any, Any, float]]) -> tuple[Any, Any]:
    """Weighted mean of targets; weight 1 where any of them has weight 1."""
    if len(pairs) == 1:
        value, weight, _ = pairs[0]
        return value, weight
    total = sum(weight * share for _, weight, share in pairs)
    value = sum(value * weight * share for value, weight, share in pairs)
    weight = ops.maximum(pairs[0][1], pairs[1][1])
    return value / ops.maximum(total, 1e-6), weight
