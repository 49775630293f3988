"""What is fitted to a trained network afterwards, and the files that hold it.

Beside `model.keras`: `calibration.json`, and `calibration.npz` where there are
arrays. The JSON file is written last and names the hashes of the other two:
what belongs to another model, or was written by halves, is refused.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile
from typing import Any

import numpy as np

from s2distill.atomic_write import atomic_file
from s2distill.atomic_write import write_json
from s2distill.errors import ModelError
from s2distill.serving.card import unit_temperatures
from s2distill.serving.card import zero_biases
from s2distill.serving.trust import LayerTrust
from s2distill.serving.trust import Trust

CALIBRATION_FILE = "calibration.json"
ARRAYS_FILE = "calibration.npz"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """What is fitted to a trained network, on places it was not trained on.

    Attributes:
      temperatures: "building" and "road": divides the logit, above 0.
      biases: "building" and "road": added to it then.
      height_scale_factor: Multiplies the scale of height, above 0.
      trust: None where none was fitted.
      measured: Scores on the validation split, before and after, and what
        else a reader wants to know.
    """

    temperatures: dict[str, float] = dataclasses.field(
        default_factory=unit_temperatures
    )
    biases: dict[str, float] = dataclasses.field(default_factory=zero_biases)
    height_scale_factor: float = 1.0
    trust: Trust | None = None
    measured: dict[str, Any] = dataclasses.field(default_factory=dict)


def write_calibration(
    model_path: str | os.PathLike[str], calibration: Calibration
) -> pathlib.Path:
    """Writes the files beside the model; a reader takes all or nothing.

    Args:
      model_path: Of the network that it was fitted to.
      calibration: Fitted.

    Returns:
      The JSON file.

    Raises:
      OutputError: If the disk refuses.
    """
    folder = pathlib.Path(model_path).parent
    content: dict[str, Any] = {
        "model_sha256": _hash(pathlib.Path(model_path)),
        "temperatures": calibration.temperatures,
        "biases": calibration.biases,
        "height_scale_factor": calibration.height_scale_factor,
        "measured": calibration.measured,
        "trust": None,
    }
    trust = calibration.trust
    if trust is not None:
        arrays = {
            f"{name}/{field}": getattr(layer, field)
            for name, layer in trust.layers.items()
            for field in ("mean", "whitening")
        }
        with atomic_file(folder / ARRAYS_FILE) as path:
            np.savez(path, **arrays)
        content["trust"] = {
            "arrays_sha256": _hash(folder / ARRAYS_FILE),
            "window_px": trust.window_px,
            "threshold": trust.threshold,
            "layers": [
                {"name": name, "scale": layer.scale, "limit": layer.limit}
                for name, layer in trust.layers.items()
            ],
        }
    write_json(folder / CALIBRATION_FILE, content)
    return folder / CALIBRATION_FILE


def read_calibration(
    model_path: str | os.PathLike[str],
) -> Calibration | None:
    """What was fitted to a model; None where nothing was.

    Raises:
      ModelError: If the files are damaged, or of another model.
    """
    path = pathlib.Path(model_path).parent / CALIBRATION_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        fits = content["model_sha256"] == _hash(pathlib.Path(model_path))
        calibration = Calibration(
            temperatures=content["temperatures"],
            biases=content["biases"],
            height_scale_factor=content["height_scale_factor"],
            measured=content["measured"],
            trust=_read_trust(path.with_name(ARRAYS_FILE), content["trust"]),
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        zipfile.BadZipFile,
    ) as error:
        raise ModelError(
            f"{path} is damaged: {type(error).__name__}: {error}; run "
            "s2distill.calibrate again"
        ) from error
    if not fits:
        raise ModelError(
            f"{path} was fitted to another model than {model_path}: run "
            "s2distill.calibrate again, or remove it"
        )
    return calibration


def _read_trust(
    path: pathlib.Path, content: dict[str, Any] | None
) -> Trust | None:
    if content is None:
        return None
    if _hash(path) != content["arrays_sha256"]:
        raise ValueError(f"{path.name} is not the file it was written with")
    with np.load(path) as arrays:
        layers = {
            layer["name"]: LayerTrust(
                scale=layer["scale"],
                limit=layer["limit"],
                mean=arrays[f"{layer['name']}/mean"],
                whitening=arrays[f"{layer['name']}/whitening"],
            )
            for layer in content["layers"]
        }
    return Trust(
        window_px=content["window_px"],
        threshold=content["threshold"],
        layers=layers,
    )


def _hash(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
