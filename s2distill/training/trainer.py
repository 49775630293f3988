"""A network with its objective, for `compile` and `fit` of Keras.

`fit` keeps its progress bar, callbacks and backends; what is ours is
`compute_loss`.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from s2distill.training.objective import Objective
from s2distill.training.objective import combine
from s2distill.training.objective import compute_losses

_PARTS = ("building", "road", "density", "height", "image")
_ANSWERS = ("building", "road", "height")


class Trainer(keras.Model):
    """Trains `network` towards labels, soft answers, or a live teacher.

    Only the network is saved; this class is scaffolding.

    Attributes:
      network: What is trained; its answers are those of `models.heads`.
      objective: Weights of the loss.
      teacher: Frozen network asked at each step for the soft answers, from
        the 50 cm image of the batch; None where the records hold them.
      teacher_answers: What it is asked: those of "building", "road" and
        "height" that it was trained for.
    """

    def __init__(
        self,
        network: keras.Model,
        objective: Objective,
        *,
        teacher: keras.Model | None = None,
        teacher_answers: Sequence[str] = _ANSWERS,
        **kwargs: Any,
    ) -> None:
        # What it is fed and answers is float32, whatever the network's policy.
        super().__init__(**{"dtype": "float32"} | kwargs)
        self.network = network
        self.objective = objective
        self.teacher = teacher
        self.teacher_answers = tuple(teacher_answers)
        if teacher is not None:
            teacher.trainable = False
        self.loss_parts = {
            name: keras.metrics.Mean(name=name) for name in _PARTS
        }
        self.building_iou = SoftIntersection(name="building_iou")

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        wanted = {name: inputs[name] for name in self.network.input}
        return self.network(wanted, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        targets = dict(y)
        if self.teacher is not None:
            soft = ask_teacher(
                self.teacher, x["image"], targets, self.teacher_answers
            )
            targets.update(soft)
        parts = compute_losses(self.objective, y_pred, targets)
        for name, (value, weight) in parts.items():
            mean = value / ops.maximum(weight, 1.0)
            self.loss_parts[name].update_state(
                mean, sample_weight=ops.cast(weight > 0, "float32")
            )
        if "building" in targets:
            self.building_iou.update_state(
                targets["building"],
                y_pred["building_logits"] > 0,
                sample_weight=targets["building_weight"],
            )
        return combine(self.objective, parts)


def ask_teacher(
    teacher: keras.Model,
    image: Any,
    targets: dict[str, Any],
    wanted: Sequence[str] = _ANSWERS,
) -> dict[str, Any]:
    """The teacher's answers as targets of the pipeline.

    Args:
      teacher: Network of {"image"}.
      image: [B, h, w, 3] in [-1, 1].
      targets: Of the batch; "image_weight" tells what the teacher sees.
      wanted: Some of "building", "road" and "height".

    Returns:
      Their `teacher_` targets as in `data.batches`, without gradient.
    """
    answers = teacher({"image": image}, training=False)
    answers = {k: ops.stop_gradient(v) for k, v in answers.items()}
    found = {}
    if "building" in wanted:
        found["teacher_building_probs"] = ops.sigmoid(
            answers["building_logits"]
        )
        found["teacher_centroid_density"] = answers["centroid_density"]
    if "road" in wanted:
        found["teacher_road_probs"] = ops.sigmoid(answers["road_logits"])
    if "height" in wanted:
        found["teacher_height_m"] = answers["height_m"]
    seen = targets["image_weight"]
    return found | {f"teacher_{answer}_weight": seen for answer in wanted}


class SoftIntersection(keras.metrics.Metric):
    """Intersection over union of the true class, from summed counts."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.both = self.add_weight(name="both", initializer="zeros")
        self.either = self.add_weight(name="either", initializer="zeros")

    def update_state(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        weight = ops.cast(sample_weight > 0, "float32")
        truth = ops.cast(y_true > 0.5, "float32") * weight
        found = ops.cast(y_pred, "float32") * weight
        self.both.assign_add(ops.sum(truth * found))
        self.either.assign_add(ops.sum(ops.maximum(truth, found)))

    def result(self) -> Any:
        return self.both / ops.maximum(self.either, 1.0)
