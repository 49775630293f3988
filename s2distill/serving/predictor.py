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
from s2distill.serving.card import ModelCard
from s2distill.serving.card import read_card


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
            [B, T, H, W]}, or for a teacher {"image": uint8 [B, h, w, 3]}.

        Returns:
          "building", "road", "centroid_density", "height_m", "image_grey",
          each float32 [B, h, w, 1]; see `module.ServingModule`. Where no frame
          is valid they are finite and mean nothing.

        Raises:
          ModelError: Wrong names, types or shapes of inputs, or an answer
            that is not finite.
          BandError: Another number of bands than the model's.
          FrameError: No frame at all.
        """
        self._check(inputs)
        tensors = {k: tf.constant(v) for k, v in inputs.items()}
        answers = {k: v.numpy() for k, v in self.signature(**tensors).items()}
        for name, values in answers.items():
            if not np.isfinite(values).all():
                raise ModelError(
                    f"{self.directory} answers {name} with NaN or infinity; "
                    "its weights are broken: export another checkpoint"
                )
        return answers

    def _check(self, inputs: Mapping[str, np.ndarray]) -> None:
        card = self.card
        wanted = {"s2_dn", "frame_valid"} if card.takes_frames else {"image"}
        if set(inputs) != wanted:
            raise ModelError(
                f"{self.directory} is a {card.kind} and takes "
                f"{sorted(wanted)}, not {sorted(inputs)}; choose another model"
            )
        for name, values in inputs.items():
            dtype = "uint16" if name == "s2_dn" else "uint8"
            if values.dtype != dtype:
                raise ModelError(
                    f"{name} is {values.dtype}: {self.directory} takes {dtype}"
                    ", the integers of the files; normalise nothing"
                )
        if not card.takes_frames:
            self._check_image(inputs["image"])
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

    def _check_image(self, image: np.ndarray) -> None:
        if image.ndim != 4 or image.shape[-1] != 3:
            raise ModelError(
                f"image {image.shape} does not fit: {self.directory} takes "
                "[B, h, w, 3]"
            )


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
