"""What a network is trained for: hard labels, a teacher's answers, or both.

The targets are those of `data.pipeline`; whichever are absent from a batch,
or have no weight in it, add nothing.
"""

import dataclasses
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from keras import ops

from s2distill.errors import ConfigError
from s2distill.training import alignment
from s2distill.training import losses
from s2distill.training.edge import weigh_edges
from s2distill.training.mixture import Target
from s2distill.training.mixture import mix_targets

_SHIFT_STEP_M = 1.0  # of label shifts, which are refined to a pixel
_EDGE_M = 2.0  # what is near an outline

_MASKS = ("building", "road")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Objective:
    """Weights of the parts of the loss, and how targets are read.

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
      height_scale: Weight of the height's scale.
      image: Weight of the grey image.
      hint: Weight of the teacher's features, see `hint.FeatureHint`.
      temperature: Of teacher and network in the mask losses.
      edge_weight: A mask's pixels near its outlines weigh 1 + this.
      label_shift_m: Longest shift of an example's targets; the loss is taken
        at the best one. 0 takes them where they lie.
      label_gsd_m: Side of a label pixel.
    """

    hard_share: float = 1.0
    building: float = 1.0
    road: float = 0.5
    overlap: float = 1.0
    density: float = 0.5
    height: float = 0.5
    height_scale: float = 0.1
    image: float = 0.2
    hint: float = 0.0
    temperature: float = 1.0
    edge_weight: float = 0.0
    label_shift_m: float = 0.0
    label_gsd_m: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.hard_share <= 1:
            raise ConfigError(
                f"hard_share must lie in 0 to 1, got {self.hard_share}"
            )
        for name in ("temperature", "label_gsd_m"):
            if getattr(self, name) <= 0:
                raise ConfigError(
                    f"{name} must be positive, got {getattr(self, name)}"
                )
        for name in ("edge_weight", "label_shift_m", "hint"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"{name} must be at least 0, got {getattr(self, name)}"
                )
        step_m = _to_px(_SHIFT_STEP_M, self) * self.label_gsd_m
        if 0 < self.label_shift_m < step_m:
            raise ConfigError(
                f"label_shift_m={self.label_shift_m:g} is less than the step "
                f"of {step_m:g} m in which shifts are tried; allow more, or 0"
            )


def compute_losses(
    objective: Objective,
    answers: dict[str, Any],
    targets: dict[str, Any],
    *,
    shift_finder: Callable[[Sequence[Target]], Any] | None = None,
    sees_image: bool = False,
) -> dict[str, tuple[Any, Any]]:
    """Each part of the loss as (sum, weight).

    Args:
      objective: Weights and temperature.
      answers: Of a network, see `models.heads`.
      targets: Of the pipeline, see `data.pipeline`.
      shift_finder: Gives the shifts, from the logits, target and weight of
        each mask; without it targets are taken where they lie.
      sees_image: Whether the network is fed the 50 cm image: then labels are
        shifted against that, and the grey image is not.

    Returns:
      Dictionary with some of "building", "road", "density", "height",
      "height_scale", "image": those whose targets are in the batch.
    """
    mixed = mix_targets(targets, hard_share=objective.hard_share)
    masks = [
        (answers[f"{mask}_logits"], *mixed[mask])
        for mask in _MASKS
        if mask in mixed
    ]
    if shift_finder is not None and masks:
        image = mixed.get("image")
        mixed = alignment.shift_targets(mixed, shift_finder(masks))
        if sees_image and image:
            mixed["image"] = image
    parts = {
        mask: _mask_loss(objective, answers[f"{mask}_logits"], *mixed[mask])
        for mask in _MASKS
        if mask in mixed
    }
    if "density" in mixed:
        parts["density"] = losses.density_divergence(
            answers["centroid_density"], *mixed["density"]
        )
    if "height" in mixed:
        parts["height"] = losses.height_error(
            answers["height_m"], *mixed["height"]
        )
    if "height_scale" in mixed:
        target_m, weight, *spread_m = mixed["height_scale"]
        error_m = losses.absolute_error_m(
            answers["height_m"], target_m, *spread_m
        )
        parts["height_scale"] = losses.height_scale_nats(
            answers["height_scale_m"], error_m, weight
        )
    if "image" in mixed:
        parts["image"] = losses.image_error(
            answers["image_grey"], *mixed["image"]
        )
    return parts


def combine(objective: Objective, parts: dict[str, tuple[Any, Any]]) -> Any:
    """The loss: weighted sum of the means; a part without weight adds 0."""
    total = 0.0
    for name, (value, weight) in parts.items():
        mean = value / ops.maximum(weight, 1.0)
        total = total + getattr(objective, name) * mean
    return total


def make_shift_finder(objective: Objective) -> alignment.ShiftFinder | None:
    """What finds the shifts that an objective allows, if any."""
    if not objective.label_shift_m:
        return None
    return alignment.ShiftFinder(
        radius_px=objective.label_shift_m / objective.label_gsd_m,
        step_px=_to_px(_SHIFT_STEP_M, objective),
    )


def _mask_loss(
    objective: Objective, logits: Any, probs: Any, weight: Any
) -> tuple[Any, Any]:
    if objective.edge_weight:
        weight = weigh_edges(
            probs,
            weight,
            edge_weight=objective.edge_weight,
            radius_px=_to_px(_EDGE_M, objective),
        )
    nats, total = losses.binary_cross_entropy(
        logits, probs, weight, temperature=objective.temperature
    )
    apart, _ = losses.overlap_loss(logits, probs, weight)
    return nats + objective.overlap * apart, total


def _to_px(length_m: float, objective: Objective) -> int:
    return max(1, round(length_m / objective.label_gsd_m))
