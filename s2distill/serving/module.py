"""What goes into a SavedModel: raw integers in, calibrated maps out."""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2
from s2distill.serving.card import OUT_OF_DISTRIBUTION
from s2distill.serving.card import PRESENCE
from s2distill.serving.card import ModelCard
from s2distill.serving.trust import Trust
from s2distill.serving.window_features import tap_layers

OUTPUTS = ("building", "road", "centroid_density", "height_m", "image_grey")
# Networks trained before it was learnt do not answer it.
HEIGHT_SCALE = "height_scale_m"
_VIEW_CHANNELS = 3


class ServingModule(tf.Module):
    """A network with all that its user would have to do before and after.

    The signature of `serve` for a network that takes frames:

        s2_dn        uint16 [B, T, H, W, C]  digital numbers
        frame_valid  uint8 [B, T, H, W]      1 = the ground is seen

    and for a teacher:

        image        uint8 [B, h, w, 3]      50 cm, red green blue
        view         float32 [B, 3]          where it learnt from one: by how
                                             much a roof leans to the right
                                             and down per metre of height,
                                             and 1; 0, 0, 0 = unknown

    to `OUTPUTS`, each float32 [B, h, w, 1], h = H label_factor: probability of
    building and of road, buildings per pixel, height in m, brightness of a
    50 cm image in [0, 1]; and, where the network and the calibration have
    them, "height_scale_m" [B, h, w, 1], scale of the Laplace distribution of
    the true height around the answered one, m, and "out_of_distribution", one
    number a window: see `trust.Trust.score`.

    Attributes:
      variables_of_network: Weights of the Keras model.
      serve: TensorFlow function with this signature, any B, T, H, W.
    """

    def __init__(
        self, network: Any, card: ModelCard, trust: Trust | None = None
    ) -> None:
        super().__init__(name="s2distill")
        # The variables and not the network: what is attached is saved, and of
        # a Keras model that is a second graph for each of its layers.
        self.variables_of_network = [w.value for w in network.weights]
        make = _frames_function if card.takes_frames else _image_function
        self.serve = make(make_answer_function(network, card, trust), card)


def make_answer_function(
    network: Any, card: ModelCard, trust: Trust | None = None
) -> Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]:
    """What a SavedModel will compute, as a plain function.

    Args:
      network: Keras model.
      card: Says what it must be fed, and its calibration.
      trust: For "out_of_distribution"; of networks that take frames.

    Returns:
      Function from the inputs of `ServingModule`, by name, to its outputs.
    """
    tapped = network if trust is None else tap_layers(network, trust.layers)

    def answer(raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        inputs = _prepare(raw, card)
        answers = tapped(inputs, training=False)
        maps = answers_to_outputs(answers, card)
        if trust is not None:
            maps[OUT_OF_DISTRIBUTION] = trust.score(answers, inputs)
        return maps

    return answer


def answers_to_outputs(
    answers: Mapping[str, tf.Tensor], card: ModelCard
) -> dict[str, tf.Tensor]:
    """The network's answers as maps; logits become probabilities.

    Args:
      answers: As `models.heads` gives them, float of any precision.
      card: Has temperatures and biases of presence and the factor of the
        scale of height.

    Returns:
      `OUTPUTS` and, where it was answered, `HEIGHT_SCALE`; float32.
    """
    maps = {}
    for name in OUTPUTS:
        if name in PRESENCE:
            logits = tf.cast(answers[f"{name}_logits"], tf.float32)
            maps[name] = tf.sigmoid(
                logits / card.temperatures[name] + card.biases[name]
            )
        else:
            maps[name] = tf.cast(answers[name], tf.float32)
    if HEIGHT_SCALE in answers:
        scale = tf.cast(answers[HEIGHT_SCALE], tf.float32)
        maps[HEIGHT_SCALE] = scale * card.height_scale_factor
    return maps


def _prepare(
    raw: Mapping[str, tf.Tensor], card: ModelCard
) -> dict[str, tf.Tensor]:
    """What the network is fed, of what the files hold."""
    if card.takes_frames:
        s2, seen = normalize_s2(
            raw["s2_dn"],
            raw["frame_valid"],
            card.statistics,
            quantification_dn=card.quantification_dn,
            offset_dn=card.offset_dn,
        )
        return {"s2": s2, "frame_valid": seen}
    inputs = {"image": normalize_image(raw["image"])}
    if card.takes_view:
        inputs["view"] = tf.cast(raw["view"], tf.float32)
    return inputs


def _frames_function(answer: Any, card: ModelCard) -> Any:
    def serve(s2_dn: tf.Tensor, frame_valid: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer({"s2_dn": s2_dn, "frame_valid": frame_valid})

    return tf.function(
        serve,
        input_signature=[
            tf.TensorSpec(
                [None] * 4 + [len(card.bands)], tf.uint16, name="s2_dn"
            ),
            tf.TensorSpec([None] * 4, tf.uint8, name="frame_valid"),
        ],
    )


def _image_function(answer: Any, card: ModelCard) -> Any:
    image_spec = tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")
    view_spec = tf.TensorSpec([None, _VIEW_CHANNELS], tf.float32, name="view")

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer({"image": image})

    def serve_view(image: tf.Tensor, view: tf.Tensor) -> dict[str, tf.Tensor]:
        return answer({"image": image, "view": view})

    if card.takes_view:
        return tf.function(serve_view, input_signature=[image_spec, view_spec])
    return tf.function(serve, input_signature=[image_spec])
