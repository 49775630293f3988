"""Loads a SavedModel with its card; NumPy in, NumPy out."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from s2distill.errors import BandError
from s2distill.errors import FrameError
from s2distill.errors import ModelError
from s2distill.serving.card import OUT_OF_DISTRIBUTION
from s2distill.serving.card import ModelCard
from s2distill.serving.card import read_card

_TYPES = {
    "s2_dn": "uint16",
    "frame_valid": "uint8",
    "image": "uint8",
    "view": "float32",
}


@dataclasses.dataclass(frozen=True)
class Predictor:
    """A loaded SavedModel.

    Attributes:
      directory: Where it came from.
      card: What it must be fed.
      signature: TensorFlow function of the model.
      loaded: Keeps the weights alive.
    """

    directory: str
    card: ModelCard
    signature: Any
    loaded: Any

    def __call__(
        self, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Answers a batch.

        Args:
          inputs: {"s2_dn": uint16 [B, T, H, W, C], "frame_valid": uint8
            [B, T, H, W]}, or for a teacher {"image": uint8 [B, h, w, 3]} and,
            where the card says that it takes one, "view": float32 [B, 3];
            left out, the view is unknown.

        Returns:
          "building", "road", "centroid_density", "height_m", "image_grey"
          and, of newer models, "height_scale_m", each float32 [B, h, w, 1];
          see `module.ServingModule`. Where no frame is valid they are finite
          and mean nothing. "out_of_distribution" where the model has it,
          float32 [B, rows, cols, 1], NaN in windows that are hardly seen.

        Raises:
          ModelError: Wrong names, types or shapes of inputs, or an answer
            that is not finite.
          BandError: Another number of bands than the model's.
          FrameError: No frame at all.
        """
        if self.card.takes_view and set(inputs) == {"image"}:
            unknown = np.zeros((len(inputs["image"]), 3), np.float32)
            inputs = {**inputs, "view": unknown}
        self._check(inputs)
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        answers = {k: v.numpy() for k, v in self.signature(**tensors).items()}
        for name, values in answers.items():
            broken = ~np.isfinite(values)
            if name == OUT_OF_DISTRIBUTION:
                broken = np.isinf(values)
            if broken.any():
                raise ModelError(
                    f"{self.directory} answers {name} with NaN or infinity; "
                    "its weights are broken: export another checkpoint"
                )
        return answers

    def _check(self, inputs: Mapping[str, np.ndarray]) -> None:
        card = self.card
        if set(inputs) != card.inputs:
            raise ModelError(
                f"{self.directory} is a {card.kind} and takes "
                f"{sorted(card.inputs)}, not {sorted(inputs)}; choose another "
                "model"
            )
        for name, values in inputs.items():
            if values.dtype != _TYPES[name]:
                raise ModelError(
                    f"{name} is {values.dtype}: {self.directory} takes "
                    f"{_TYPES[name]}, as the files hold it; normalise nothing"
                )
        if not card.takes_frames:
            self._check_image(**inputs)
            return
        dn, valid = inputs["s2_dn"], inputs["frame_valid"]
        if dn.ndim != 5 or dn.shape[:4] != valid.shape:
            raise ModelError(
                f"s2_dn {dn.shape} and frame_valid {valid.shape} do not fit: "
                f"{self.directory} takes [B, T, H, W, C] and [B, T, H, W]"
            )
        if dn.shape[-1] != len(card.bands):
            raise BandError(
                f"{dn.shape[-1]} bands were given, {self.directory} saw "
                f"{len(card.bands)} in training: {', '.join(card.bands)}; "
                "read those, in that order"
            )
        if dn.shape[1] < 1:
            raise FrameError(
                f"T = 0: no frame was given, {self.directory} needs one or "
                "more; add dates"
            )

    def _check_image(
        self, image: np.ndarray, view: np.ndarray | None = None
    ) -> None:
        if image.ndim != 4 or image.shape[-1] != 3:
            raise ModelError(
                f"image {image.shape} does not fit: {self.directory} takes "
                "[B, h, w, 3]"
            )
        if view is not None and view.shape != (len(image), 3):
            raise ModelError(
                f"view {view.shape} does not fit {len(image)} images: "
                f"{self.directory} takes [B, 3]"
            )


class AlarmCounter:
    """A predictor that counts windows unlike what its model was trained on.

    Attributes:
      predictor: Answers.
      windows: How many were judged so far; where calls overlap, again.
      alarms: How many of them scored above 1.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self.windows = 0
        self.alarms = 0

    def __call__(
        self, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Answers as the predictor does."""
        answers = self.predictor(inputs)
        scores = answers.get(OUT_OF_DISTRIBUTION, np.zeros(0))
        self.windows += int(np.sum(np.isfinite(scores)))
        self.alarms += int(np.sum(scores > 1))  # NaN is not
        return answers


def load_predictor(directory: str | os.PathLike[str]) -> Predictor:
    """Loads a SavedModel that `serving.export` wrote.

    Raises:
      ModelError: If there is none, or it cannot be read.
    """
    card = read_card(directory)
    try:
        loaded = tf.saved_model.load(str(directory))
        signature = loaded.signatures["serving_default"]
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        first_line = str(error).splitlines()[0]
        raise ModelError(
            f"{directory} is no SavedModel: {first_line}; export it again"
        ) from error
    return Predictor(str(directory), card, signature, loaded)
