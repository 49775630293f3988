"""A training workdir on disk: `model.keras` and `config.json`.

Programs share it: train writes it, evaluate and export read it.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import keras

from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json
from s2distill.data.normalize import BandStatistics
from s2distill.data.schema import ANSWERS
from s2distill.data.schema import RecordSpec
from s2distill.errors import ModelError
from s2distill.models import network as _networks  # noqa: F401 - registers
from s2distill.serving.calibration import Calibration
from s2distill.serving.calibration import read_calibration

MODEL_FILE = "model.keras"
CONFIG_FILE = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A trained network and what it must be fed.

    Attributes:
      kind: "teacher", or a name in `models.network.FRAME_NETWORKS`.
      network: Keras model with the answers of `models.heads`.
      spec: Of the records it was trained on: bands, level, label factor.
      statistics: Band statistics it was trained with.
      frames: T in training; 0 for a teacher.
      training: Objective, steps, records and teacher, as they were.
      answers: Those of `schema.ANSWERS` that it was trained for; runs written
        before this was recorded count as trained for all.
      calibration: What was fitted afterwards; None where nothing was, or
        nobody asked for it.
    """

    kind: str
    network: keras.Model
    spec: RecordSpec
    statistics: BandStatistics
    frames: int
    training: dict[str, Any]
    answers: tuple[str, ...] = ANSWERS
    calibration: Calibration | None = None


def write_run(workdir: str | os.PathLike[str], run: Run) -> None:
    """Writes `config.json`, then `model.keras`, each whole or not at all."""
    folder = pathlib.Path(workdir)
    write_json(
        folder / CONFIG_FILE,
        {
            "kind": run.kind,
            "spec": run.spec.to_json(),
            "statistics": run.statistics.to_json(),
            "frames": run.frames,
            "training": run.training,
            "answers": list(run.answers),
        },
    )
    # Last: a workdir with it is finished.
    with atomic_file(folder / MODEL_FILE) as path:
        run.network.save(path)


def load_run(
    workdir: str | os.PathLike[str], *, calibrated: bool = False
) -> Run:
    """Reads a finished training workdir.

    Args:
      workdir: Of s2distill.train.
      calibrated: Read what s2distill.calibrate left there too, if it did.

    Raises:
      ModelError: If it is not one, or the calibration is another model's.
    """
    folder = pathlib.Path(workdir)
    for name in (MODEL_FILE, CONFIG_FILE):
        if not (folder / name).exists():
            raise ModelError(
                f"{folder} is no finished training: {name} is not there; "
                "s2distill.train writes it at its end"
            )
    content = _read_config(folder / CONFIG_FILE)
    try:
        network = keras.models.load_model(folder / MODEL_FILE, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise ModelError(
            f"{folder / MODEL_FILE} cannot be read: {error}; train again"
        ) from error
    calibration = read_calibration(folder / MODEL_FILE) if calibrated else None
    return Run(network=network, calibration=calibration, **content)


def _read_config(path: pathlib.Path) -> dict[str, Any]:
    """What `config.json` says of a run; ModelError if it is cut or foreign."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {
            "kind": content["kind"],
            "spec": RecordSpec.from_json(content["spec"]),
            "statistics": BandStatistics.from_json(content["statistics"]),
            "frames": content["frames"],
            "training": content["training"],
            "answers": tuple(content.get("answers", ANSWERS)),
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}; train again"
        ) from error
