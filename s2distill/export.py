r"""Exports a trained network as a SavedModel with its model card.

    python -m s2distill.export --workdir=runs/student \
        --output=runs/student/saved_model

The SavedModel takes raw integers and needs nothing of this package: any
TensorFlow serves it. What s2distill.calibrate has fitted is built in: presence
that means what it says, and a score that tells what the network was not
trained on. Before it appears, it is loaded again and compared with the network
on random integers.
"""

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING
from typing import Any

from absl import logging

from s2distill.atomic_write import check_absent
from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    from s2distill.serving.calibration import Calibration
    from s2distill.serving.card import ModelCard
    from s2distill.training_run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    workdir: str = flag(help="Training workdir, finished.")
    output: str = flag(help="Folder to write the SavedModel to.")
    temperatures: tuple[str, ...] = flag(
        (),
        help="Of building and of road, for example 1.2,0.9: logits are "
        "divided by them before the sigmoid, in place of what was fitted. "
        "Default: as fitted, else 1.",
    )
    calibrated: bool = flag(
        True, help="Build in the calibration of the workdir, if it has one."
    )
    scores: str | None = flag(
        None, help="JSON file of scores to copy into the model card."
    )
    overwrite: bool = flag(False, help="Replace --output if it exists.")


def run(config: Config) -> None:
    """Writes the SavedModel, whole or not at all."""
    metrics = _read_scores(config.scores)
    if not config.overwrite:
        check_absent(config.output)

    from s2distill.serving.calibration import Calibration
    from s2distill.serving.card import PRESENCE
    from s2distill.serving.card import zero_biases
    from s2distill.serving.export import export_model
    from s2distill.training_run import load_run

    temperatures = _parse_temperatures(config.temperatures, PRESENCE)
    trained = load_run(config.workdir, calibrated=config.calibrated)
    calibration = trained.calibration or Calibration()
    if temperatures is not None:
        # A bias belongs to the temperature that it was fitted with.
        calibration = dataclasses.replace(
            calibration, temperatures=temperatures, biases=zero_biases()
        )
    card = _make_card(trained, calibration, metrics)
    export_model(
        trained.network,
        card,
        config.output,
        trust=calibration.trust,
        overwrite=config.overwrite,
    )
    logging.info("Wrote the SavedModel of a %s: %s", card.kind, config.output)


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def _make_card(
    trained: "Run", calibration: "Calibration", metrics: dict[str, Any]
) -> "ModelCard":
    from s2distill.serving.card import ModelCard

    spec, trust = trained.spec, calibration.trust
    return ModelCard(
        kind=trained.kind,
        bands=spec.bands,
        product_level=spec.product_level,
        quantification_dn=spec.quantification_dn,
        offset_dn=spec.offset_dn,
        statistics=trained.statistics,
        label_factor=spec.label_factor,
        frames=trained.frames,
        temperatures=calibration.temperatures,
        biases=calibration.biases,
        height_scale_factor=calibration.height_scale_factor,
        trust_window_px=trust and trust.window_px,
        trust_threshold=trust and trust.threshold,
        takes_view="view" in trained.network.input,
        metrics=metrics,
        training=trained.training,
        answers=trained.answers,
    )


def _parse_temperatures(
    texts: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, float] | None:
    if not texts:
        return None
    shown = ",".join(texts)
    try:
        values = [float(text) for text in texts]
    except ValueError:
        values = []
    if len(values) != len(names) or not all(
        0 < value < float("inf") for value in values
    ):
        raise ConfigError(
            f"--temperatures={shown}: give two numbers above 0, of "
            f"{' and '.join(names)}, as in --temperatures=1.2,0.9"
        )
    return dict(zip(names, values, strict=True))


def _read_scores(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--scores={path} is no JSON file: {error}; s2distill.evaluate "
            "writes one"
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"--scores={path} holds no JSON object; s2distill.evaluate "
            "writes one"
        )
    return content


if __name__ == "__main__":
    main()
