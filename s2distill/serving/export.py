"""Writes a network as a SavedModel that needs nothing of this package."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from s2distill.atomic_write import atomic_directory
from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2
from s2distill.errors import ModelError
from s2distill.serving.card import ModelCard
from s2distill.serving.card import write_card
from s2distill.serving.module import ServingModule
from s2distill.serving.module import answers_to_outputs
from s2distill.serving.predictor import load_predictor

# Of 1 + the value: float32, another order of the same sums.
TOLERANCE = 1e-5


def export_model(
    network: Any,
    card: ModelCard,
    directory: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> None:
    """Writes a SavedModel with its card, after comparing it with the network.

    Args:
      network: Keras model; inputs {"s2", "frame_valid"} or {"image"}.
      card: Says what it must be fed.
      directory: Folder to write, whole or not at all.
      overwrite: Replace what is there.

    Raises:
      ModelError: If the card does not fit the network, or the SavedModel
        answers otherwise than the network.
      OutputError: If the folder exists or the disk refuses.
    """
    _check_inputs(network, card)
    with atomic_directory(directory, overwrite=overwrite) as folder:
        module = ServingModule(network, card)
        try:
            tf.saved_model.save(
                module,
                str(folder),
                signatures={"serving_default": module.serve},
            )
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        write_card(folder, card)
        _compare(network, folder, card)


def make_random_inputs(
    card: ModelCard, *, frames: int = 3, height: int = 12, width: int = 9
) -> dict[str, np.ndarray]:
    """Random integers that a model with this card takes, some not valid."""
    rng = np.random.default_rng(0)
    if not card.takes_frames:
        shape = (1, height * 4, width * 4, 3)
        return {"image": rng.integers(0, 256, shape, dtype=np.uint8)}
    shape = (1, frames, height, width)
    return {
        "s2_dn": rng.integers(
            0, 12_000, (*shape, len(card.bands)), dtype=np.uint16
        ),
        "frame_valid": rng.integers(0, 2, shape, dtype=np.uint8),
    }


def _check_inputs(network: Any, card: ModelCard) -> None:
    wanted = {"s2", "frame_valid"} if card.takes_frames else {"image"}
    inputs = network.input
    if set(inputs) != wanted:
        raise ModelError(
            f"a {card.kind} takes {sorted(wanted)}, this network "
            f"{sorted(inputs)}; give the card of the network's own training"
        )
    if card.takes_frames and inputs["s2"].shape[-1] != len(card.bands):
        raise ModelError(
            f"the network takes {inputs['s2'].shape[-1]} bands, its card "
            f"names {len(card.bands)}: {', '.join(card.bands)}; give the card "
            "of the network's own training"
        )


def _compare(
    network: Any, folder: str | os.PathLike[str], card: ModelCard
) -> None:
    """Raises ModelError unless the files answer like the network."""
    inputs = make_random_inputs(card)
    expected = _answer(network, inputs, card)
    for name, values in load_predictor(folder)(inputs).items():
        wanted = expected[name].numpy()
        error = float((np.abs(values - wanted) / (1 + np.abs(wanted))).max())
        if not error <= TOLERANCE:
            raise ModelError(
                f"the SavedModel differs from the network in {name} by "
                f"{error:.2g} of 1 + the value, more than {TOLERANCE:g}; it "
                "was not kept. Train in float32 (--precision), or report it"
            )


def _answer(
    network: Any, inputs: dict[str, np.ndarray], card: ModelCard
) -> dict[str, tf.Tensor]:
    """What the network itself says of integers, without any SavedModel."""
    if card.takes_frames:
        s2, seen = normalize_s2(
            inputs["s2_dn"],
            inputs["frame_valid"],
            card.statistics,
            quantification_dn=card.quantification_dn,
            offset_dn=card.offset_dn,
        )
        fed = {"s2": s2, "frame_valid": seen}
    else:
        fed = {"image": normalize_image(inputs["image"])}
    return answers_to_outputs(network(fed, training=False), card.temperatures)
