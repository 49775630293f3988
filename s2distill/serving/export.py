"""Writes a network as a SavedModel that needs nothing of this package."""

import os
from typing import Any

import numpy as np
import tensorflow as tf

from s2distill.atomic_write import atomic_directory
from s2distill.errors import ModelError
from s2distill.serving.card import OUT_OF_DISTRIBUTION
from s2distill.serving.card import ModelCard
from s2distill.serving.card import write_card
from s2distill.serving.module import ServingModule
from s2distill.serving.module import make_answer_function
from s2distill.serving.predictor import load_predictor
from s2distill.serving.trust import Trust

# Of 1 + the value: float32, another order of the same sums.
TOLERANCE = 1e-5
# Half precision keeps 8 to 11 bits, and sums it in the order of the graph.
HALF_TOLERANCE = 0.05


def export_model(
    network: Any,
    card: ModelCard,
    directory: str | os.PathLike[str],
    *,
    trust: Trust | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a SavedModel with its card, after comparing it with the network.

    Args:
      network: Keras model; inputs {"s2", "frame_valid"}, {"image"} or
        {"image", "view"}.
      card: Says what it must be fed.
      directory: Folder to write, whole or not at all.
      trust: For the output "out_of_distribution"; the card's window and
        threshold must be its own.
      overwrite: Replace what is there.

    Raises:
      ModelError: If the card does not fit the network, or the SavedModel
        answers otherwise than the network.
      OutputError: If the folder exists or the disk refuses.
    """
    _check_inputs(network, card)
    _check_trust(trust, card)
    with atomic_directory(directory, overwrite=overwrite) as folder:
        module = ServingModule(network, card, trust)
        try:
            tf.saved_model.save(
                module,
                str(folder),
                signatures={"serving_default": module.serve},
            )
        except tf.errors.OpError as error:
            raise OSError(error.message) from error
        write_card(folder, card)
        _compare(
            make_answer_function(network, card, trust),
            folder,
            card,
            HALF_TOLERANCE if _has_half_precision(network) else TOLERANCE,
        )


def make_random_inputs(
    card: ModelCard, *, frames: int = 3, height: int = 12, width: int = 9
) -> dict[str, np.ndarray]:
    """Random integers that a model with this card takes, some not valid."""
    rng = np.random.default_rng(0)
    if not card.takes_frames:
        shape = (1, height * 4, width * 4, 3)
        inputs = {"image": rng.integers(0, 256, shape, dtype=np.uint8)}
        if card.takes_view:
            inputs["view"] = np.array([[0.2, -0.1, 1.0]], np.float32)
        return inputs
    # Of a window enough to be judged.
    side = (card.trust_window_px or 0) * 3 // 4
    shape = (1, frames, max(height, side), max(width, side))
    return {
        "s2_dn": rng.integers(
            0, 12_000, (*shape, len(card.bands)), dtype=np.uint16
        ),
        "frame_valid": rng.integers(0, 2, shape, dtype=np.uint8),
    }


def _check_inputs(network: Any, card: ModelCard) -> None:
    wanted = {"s2", "frame_valid"} if card.takes_frames else {"image"}
    if card.takes_view:
        wanted.add("view")
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


def _check_trust(trust: Trust | None, card: ModelCard) -> None:
    fitted = (
        (None, None) if trust is None else (trust.window_px, trust.threshold)
    )
    told = (card.trust_window_px, card.trust_threshold)
    if told != fitted:
        raise ModelError(
            f"the card tells of trust (window, threshold) {told}, what is "
            f"exported has {fitted}; make the card of the same calibration"
        )
    if trust is not None and not card.takes_frames:
        raise ModelError(
            f"a {card.kind} sees no frames: no trust is fitted to it"
        )


def _has_half_precision(network: Any) -> bool:
    return any(
        layer.compute_dtype in ("bfloat16", "float16")
        for layer in network.layers
    )


def _compare(
    answer: Any,
    folder: str | os.PathLike[str],
    card: ModelCard,
    tolerance: float,
) -> None:
    """Raises ModelError unless the files answer like the network."""
    inputs = make_random_inputs(card)
    expected = answer(inputs)
    found = load_predictor(folder)(inputs)
    for name, wanted in expected.items():
        values, wanted = found[name], wanted.numpy()
        if name != OUT_OF_DISTRIBUTION and not np.isfinite(wanted).all():
            raise ModelError(
                f"the network answers {name} with NaN or infinity; its "
                "weights are broken: export another checkpoint"
            )
        errors = np.abs(values - wanted) / (1 + np.abs(wanted))
        # A window that is not judged is NaN to both.
        both = np.isnan(values) & np.isnan(wanted)
        error = float(np.where(both, 0, errors).max())
        if not error <= tolerance:
            raise ModelError(
                f"the SavedModel differs from the network in {name} by "
                f"{error:.2g} of 1 + the value, more than {tolerance:g}; it "
                "was not kept. Train in float32 (--precision), or report it"
            )
