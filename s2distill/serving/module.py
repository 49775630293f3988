"""What goes into a SavedModel: raw integers in, calibrated maps out."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2
from s2distill.serving.card import ModelCard

OUTPUTS = ("building", "road", "centroid_density", "height_m", "image_grey")


class ServingModule(tf.Module):
    """A network with all that its user would have to do before and after.

    The signature of `serve` for a network that takes frames:

        s2_dn        uint16 [B, T, H, W, C]  digital numbers
        frame_valid  uint8 [B, T, H, W]      1 = the ground is seen

    and for a teacher:

        image        uint8 [B, h, w, 3]      50 cm, red green blue

    to `OUTPUTS`, each float32 [B, h, w, 1], h = H label_factor: probability of
    building and of road, buildings per pixel, height in m, brightness of a
    50 cm image in [0, 1].

    Attributes:
      variables_of_network: Weights of the Keras model.
      serve: TensorFlow function with this signature, any B, T, H, W.
    """

    def __init__(self, network: Any, card: ModelCard) -> None:
        super().__init__(name="s2distill")
        # The variables and not the network: what is attached is saved, and of
        # a Keras model that is a second graph for each of its layers.
        self.variables_of_network = [w.value for w in network.weights]
        make = _frames_function if card.takes_frames else _image_function
        self.serve = make(network, card)


def answers_to_outputs(
    answers: Mapping[str, tf.Tensor], temperatures: Mapping[str, float]
) -> dict[str, tf.Tensor]:
    """The network's answers as maps; logits become probabilities.

    Args:
      answers: As `models.heads` gives them, float of any precision.
      temperatures: By name: the logits "NAME_logits" are divided by it.

    Returns:
      `OUTPUTS`, float32.
    """
    maps = {}
    for name in OUTPUTS:
        if name in temperatures:
            logits = tf.cast(answers[f"{name}_logits"], tf.float32)
            maps[name] = tf.sigmoid(logits / temperatures[name])
        else:
            maps[name] = tf.cast(answers[name], tf.float32)
    return maps


def _frames_function(network: Any, card: ModelCard) -> Any:
    def serve(s2_dn: tf.Tensor, frame_valid: tf.Tensor) -> dict[str, tf.Tensor]:
        s2, seen = normalize_s2(
            s2_dn,
            frame_valid,
            card.statistics,
            quantification_dn=card.quantification_dn,
            offset_dn=card.offset_dn,
        )
        answers = network({"s2": s2, "frame_valid": seen}, training=False)
        return answers_to_outputs(answers, card.temperatures)

    return tf.function(
        serve,
        input_signature=[
            tf.TensorSpec(
                [None] * 4 + [len(card.bands)], tf.uint16, name="s2_dn"
            ),
            tf.TensorSpec([None] * 4, tf.uint8, name="frame_valid"),
        ],
    )


def _image_function(network: Any, card: ModelCard) -> Any:
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = network({"image": normalize_image(image)}, training=False)
        return answers_to_outputs(answers, card.temperatures)

    return tf.function(
        serve,
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")
        ],
    )
