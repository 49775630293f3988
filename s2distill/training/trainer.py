"""A network with its objective, for `compile` and `fit` of Keras.

`fit` keeps its progress bar, callbacks and backends; what is ours is
`compute_loss`.
"""

import functools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from s2distill.errors import ConfigError
from s2distill.training.hint import FEATURES
from s2distill.training.hint import FeatureHint
from s2distill.training.hint import answer_with_features
from s2distill.training.objective import Objective
from s2distill.training.objective import combine
from s2distill.training.objective import compute_losses
from s2distill.training.objective import make_shift_finder

_PARTS = ("building", "road", "density", "height", "height_scale", "image")
_HINT = "hint"
_ANSWERS = ("building", "road", "height")


class Trainer(keras.Model):
    """Trains `network` towards labels, soft answers, or a live teacher.

    Only the network is saved; this class is scaffolding, and so is what leads
    the network's features to the teacher's, if the objective asks for hints.

    Attributes:
      network: What is trained; its answers are those of `models.heads`.
      objective: Weights of the loss.
      teacher: Frozen network asked at each step for the soft answers, from
        the 50 cm image of the batch; None where the records hold them.
      teacher_answers: What it is asked: those of "building", "road" and
        "height" that it was trained for.

    Raises:
      ConfigError: If hints are asked for and there is no teacher, or one of
        the networks has none to give or to take.
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
        self.shift_finder = make_shift_finder(objective)
        self.hint = None
        if objective.hint:
            self._add_hint()
        self.loss_parts = {
            name: keras.metrics.Mean(name=name)
            for name in (*_PARTS, *(_HINT,) * bool(objective.hint))
        }
        self.building_iou = SoftIntersection(name="building_iou")

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        wanted = {name: inputs[name] for name in self.network.input}
        network = self.network if self.hint is None else self._with_features
        return network(wanted, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        targets = dict(y)
        soft = {}
        if self.teacher is not None:
            soft = ask_teacher(self.teacher, x, targets, self.teacher_answers)
        features = soft.pop(FEATURES, None)
        parts = compute_losses(
            self.objective,
            y_pred,
            targets | soft,
            shift_finder=self._find_shifts(training),
            sees_image="image" in self.network.input,
        )
        if self.hint is not None:
            parts[_HINT] = self.hint(
                y_pred[FEATURES], features, targets["image_weight"]
            )
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

    def _find_shifts(self, training: bool) -> Any:
        if self.shift_finder is None:
            return None
        return functools.partial(self.shift_finder, training=training)

    def _add_hint(self) -> None:
        if self.teacher is None:
            raise ConfigError(
                "hints are a live teacher's features: give --teacher, or drop "
                "--hint_weight"
            )
        self.teacher = answer_with_features(self.teacher)
        self._with_features = answer_with_features(self.network)
        self.hint = FeatureHint(self.teacher.output[FEATURES].shape[-1])
        self.hint.build(self._with_features.output[FEATURES].shape)


def ask_teacher(
    teacher: keras.Model,
    inputs: dict[str, Any],
    targets: dict[str, Any],
    wanted: Sequence[str] = _ANSWERS,
) -> dict[str, Any]:
    """The teacher's answers as targets of the pipeline.

    Args:
      teacher: Network of {"image"} and perhaps {"view"}.
      inputs: Of the batch, these two among them.
      targets: Of the batch; "image_weight" tells what the teacher sees.
      wanted: Some of "building", "road" and "height".

    Returns:
      Their `teacher_` targets as in `data.batches`, and "features" if the
      teacher gives them; all without gradient.
    """
    answers = teacher({k: inputs[k] for k in teacher.input}, training=False)
    answers = {k: ops.stop_gradient(v) for k, v in answers.items()}
    found = {k: answers[k] for k in (FEATURES,) if k in answers}
    if "building" in wanted:
        found["teacher_building_probs"] = ops.sigmoid(
            answers["building_logits"]
        )
        found["teacher_centroid_density"] = answers["centroid_density"]
    if "road" in wanted:
        found["teacher_road_probs"] = ops.sigmoid(answers["road_logits"])
    if "height" in wanted:
        found["teacher_height_m"] = answers["height_m"]
        if "height_scale_m" in answers:  # older teachers tell none
            found["teacher_height_scale_m"] = answers["height_scale_m"]
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
