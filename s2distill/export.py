r"""Exports a trained network as a SavedModel with its model card.

    python -m s2distill.export --workdir=runs/student \
        --output=runs/student/saved_model

The SavedModel takes raw integers and needs nothing of this package: any
TensorFlow serves it. Before it appears, it is loaded again and compared with
the network on random integers.
"""

import dataclasses
import json
import pathlib
from typing import Any

from absl import logging

from s2distill.atomic_write import check_absent
from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    workdir: str = flag(help="Training workdir, finished.")
    output: str = flag(help="Folder to write the SavedModel to.")
    temperatures: tuple[str, ...] = flag(
        (),
        help="Of building and of road, for example 1.2,0.9: logits are "
        "divided by them before the sigmoid. Default: 1.",
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

    from s2distill.serving.card import PRESENCE
    from s2distill.serving.card import ModelCard
    from s2distill.serving.export import export_model
    from s2distill.training_run import load_run

    temperatures = _parse_temperatures(config.temperatures, PRESENCE)
    trained = load_run(config.workdir)
    spec = trained.spec
    card = ModelCard(
        kind=trained.kind,
        bands=spec.bands,
        product_level=spec.product_level,
        quantification_dn=spec.quantification_dn,
        offset_dn=spec.offset_dn,
        statistics=trained.statistics,
        label_factor=spec.label_factor,
        frames=trained.frames,
        temperatures=temperatures,
        metrics=metrics,
        training=trained.training,
        answers=trained.answers,
    )
    export_model(
        trained.network, card, config.output, overwrite=config.overwrite
    )
    logging.info("Wrote the SavedModel of a %s: %s", card.kind, config.output)


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def _parse_temperatures(
    texts: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, float]:
    if not texts:
        return dict.fromkeys(names, 1.0)
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
