"""Trained models on record folders, scored side by side.

Programs share it: evaluate and the quickstart. It joins what the parts must
not know of each other: networks, records and metrics.
"""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special
import tqdm

from s2distill.data.bands import RGB_BANDS
from s2distill.data.folders import open_folders
from s2distill.data.pipeline import PipelineConfig
from s2distill.data.pipeline import make_eval_dataset
from s2distill.data.schema import RecordSpec
from s2distill.errors import BandError
from s2distill.errors import ConfigError
from s2distill.errors import ProductLevelError
from s2distill.evaluation.evaluator import PredictFunction
from s2distill.evaluation.evaluator import evaluate
from s2distill.evaluation.gallery import pick_examples
from s2distill.evaluation.gallery import write_gallery
from s2distill.evaluation.panel import Example
from s2distill.evaluation.panel import make_frame_pictures
from s2distill.serving.card import PRESENCE
from s2distill.training_run import Run

Batch = tuple[dict[str, Any], dict[str, Any]]

TEACHER_KIND = "teacher"
_S2_GSD_M = 10.0  # of the grid of the frames, whatever the band
# Answers that are scored as the network gives them.
_VALUES = ("centroid_density", "height_m", "image_grey")
_HEIGHT_SCALE = "height_scale_m"


def evaluate_models(
    models: Mapping[str, Run],
    records: Sequence[str],
    output: str | os.PathLike[str],
    *,
    split: str = "test",
    batch_size: int = 4,
    count_cell_m: float = 160.0,
    examples: int = 6,
    stratum_pattern: str | None = None,
) -> tuple[dict[str, dict[str, Any]], list[pathlib.Path]]:
    """Scores models on the same tiles and writes the gallery.

    Args:
      models: Name -> trained model, in the order of the table. The first of
        kind "teacher" gives the retention of the others. Calibration moves
        presence and the scale of height, and no mask.
      records: Record folders with labels.
      output: Folder; see `evaluation.gallery` for its files.
      split: "train", "validation" or "test".
      batch_size: Tiles in a batch.
      count_cell_m: Side of the squares in which buildings are counted.
      examples: Number of tiles to show.
      stratum_pattern: Regular expression; what its first group finds in the
        key of a tile is its stratum.

    Returns:
      (what is in scores.json: name -> scores, paths of all files written).

    Raises:
      ConfigError: No model, a cell smaller than a pixel, or a pattern that
        is no regular expression with a group.
      BandError, ProductLevelError: A model of other bands or levels than
        the records.
      RecordError: No such records.
      OutputError: If the disk refuses.
    """
    if not models:
        raise ConfigError("no model to score")
    manifests = open_folders(records)
    spec = manifests[0].spec
    tiles = sum(manifest.count(split) for manifest in manifests)
    label_gsd_m = _S2_GSD_M / spec.label_factor
    cell_px = _cell_px(count_cell_m, label_gsd_m)
    pattern = _compile(stratum_pattern)
    for name, model in models.items():
        check_fit(name, model, spec, records[0])

    def read(name: str, batch_size: int) -> Iterator[Batch]:
        return read_batches(models[name], records, split, batch_size)

    scores = {
        name: evaluate(
            make_predict_function(model),
            _watch(_with_strata(read(name, batch_size), pattern), name, tiles),
            label_gsd_m=label_gsd_m,
            count_tile_px=cell_px,
        )
        for name, model in models.items()
    }
    teacher = next(
        (n for n, model in models.items() if model.kind == TEACHER_KIND), None
    )
    shown = next((name for name in models if name != teacher), teacher)
    positions = pick_examples(scores[shown], examples)
    found = {
        name: _gather(read(name, 1), make_predict_function(model), positions)
        for name, model in models.items()
    }
    pictured = [
        _make_example(models, {name: found[name][p] for name in found})
        for p in positions
    ]
    return write_gallery(
        output, scores, pictured, teacher=teacher, cell_m=count_cell_m
    )


def make_predict_function(model: Run) -> PredictFunction:
    """From inputs of the pipeline to probabilities and values, NumPy.

    Args:
      model: A trained network; its logits become probabilities.

    Returns:
      Function for `evaluation.evaluator`, of [B, ...] inputs. Of a model with
      a calibration, presence as the network itself has it is answered too, as
      "building_uncalibrated" and "road_uncalibrated".
    """
    calibration = model.calibration
    names = [tensor.name for tensor in model.network.inputs]

    def predict(inputs: dict[str, Any]) -> dict[str, np.ndarray]:
        answers = model.network.predict_on_batch(
            {name: inputs[name] for name in names}
        )
        maps = {
            name: answers[name]
            for name in (*_VALUES, _HEIGHT_SCALE)
            if name in answers  # older networks answer no scale
        }
        for name in PRESENCE:
            logits = answers[f"{name}_logits"]
            maps[name] = scipy.special.expit(logits)
            if calibration is not None:
                maps[f"{name}_uncalibrated"] = maps[name]
                maps[name] = scipy.special.expit(
                    logits / calibration.temperatures[name]
                    + calibration.biases[name]
                )
        if calibration is not None and _HEIGHT_SCALE in maps:
            maps[_HEIGHT_SCALE] *= calibration.height_scale_factor
        return maps

    return predict


@dataclasses.dataclass(frozen=True)
class _Answered:
    """One tile with one model's answers; arrays without the batch axis."""

    inputs: dict[str, np.ndarray]
    targets: dict[str, Any]
    answers: dict[str, np.ndarray]


def read_batches(
    model: Run, records: Sequence[str], split: str, batch_size: int
) -> Iterator[Batch]:
    """Batches as this model wants them: its frames, its statistics.

    Args:
      model: A trained network.
      records: Record folders.
      split: "train", "validation" or "test".
      batch_size: Tiles in a batch.

    Returns:
      (inputs, targets) of NumPy arrays, targets with "key".
    """
    config = PipelineConfig(
        batch_size=batch_size, frames=max(model.frames, 1), augment=False
    )
    dataset = make_eval_dataset(
        list(records), split, config, model.statistics, with_keys=True
    )
    return dataset.as_numpy_iterator()


def _watch(batches: Iterator[Batch], name: str, tiles: int) -> Iterator[Batch]:
    """The batches, under a progress bar that counts tiles."""
    with tqdm.tqdm(total=tiles, desc=f"Scoring {name}", unit="tile") as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch[1]["key"]))


def _with_strata(
    batches: Iterator[Batch], pattern: re.Pattern[str] | None
) -> Iterator[Batch]:
    for inputs, targets in batches:
        if pattern is not None:
            found = [pattern.search(key.decode()) for key in targets["key"]]
            targets["stratum"] = np.array(
                [match[1] if match else "other" for match in found]
            )
        yield inputs, targets


def _gather(
    batches: Iterator[Batch], predict: PredictFunction, positions: list[int]
) -> dict[int, _Answered]:
    """Some tiles with their answers, from batches of one tile."""
    found = {}
    for position, (inputs, targets) in enumerate(batches):
        if position in positions:
            answers = predict(inputs)
            found[position] = _Answered(
                *(
                    {name: np.asarray(value)[0] for name, value in one.items()}
                    for one in (inputs, targets, answers)
                )
            )
        if position >= max(positions, default=-1):
            break
    return found


def _make_example(
    models: Mapping[str, Run], found: Mapping[str, _Answered]
) -> Example:
    """One tile as all models saw it; the frames are those of the most."""
    viewer = max(models, key=lambda name: models[name].frames)
    statistics, view = models[viewer].statistics, found[viewer]
    inputs, targets = view.inputs, view.targets
    bands = models[viewer].spec.bands
    rgb = [bands.index(b) for b in RGB_BANDS if b in bands]
    frame, mean = make_frame_pictures(
        inputs["s2"],
        inputs["frame_valid"],
        centre=statistics.select(bands).centre,
        scale=statistics.select(bands).scale,
        # Without all of red, green and blue: the first band in grey.
        rgb=rgb if len(rgb) == len(RGB_BANDS) else (0, 0, 0),
    )
    kinds = [kind for kind in ("building", "road") if kind in targets]
    known = next(
        (targets[f"{kind}_weight"][..., 0] for kind in kinds),
        np.zeros(view.answers["building"].shape[:2]),
    )
    return Example(
        title=targets["key"].decode(),
        side_m=_S2_GSD_M * frame.shape[1],
        frame_rgb=frame,
        mean_rgb=mean,
        frames=int(np.sum(np.any(inputs["frame_valid"] > 0, axis=(1, 2)))),
        image_rgb=(inputs["image"] + 1) / 2 if "image" in inputs else None,
        truth={kind: targets[kind][..., 0] for kind in kinds},
        known=known,
        answers={
            # What nobody labelled was not learnt: an answer would be noise.
            name: {
                kind: one.answers[kind][..., 0]
                for kind in kinds or ("building", "road")
            }
            for name, one in found.items()
        },
    )


def check_fit(name: str, model: Run, spec: RecordSpec, directory: str) -> None:
    """Refuses records that are not of the kind that the model was made for.

    Args:
      name: Of the model.
      model: A trained network.
      spec: Of the records.
      directory: Of the records.

    Raises:
      BandError, ProductLevelError: If bands or level differ.
    """
    if model.kind == TEACHER_KIND:
        return  # it sees the image alone
    if model.spec.bands != spec.bands:
        raise BandError(
            f"{name} was trained on bands {','.join(model.spec.bands)}, "
            f"{directory} has {','.join(spec.bands)}: score it on records of "
            "its own bands, in their order"
        )
    if model.spec.product_level != spec.product_level:
        raise ProductLevelError(
            f"{name} was trained on {model.spec.product_level}, {directory} "
            f"has {spec.product_level}: score it on records of its own level"
        )


def _cell_px(count_cell_m: float, label_gsd_m: float) -> int:
    cell_px = round(count_cell_m / label_gsd_m)
    if cell_px < 1:
        raise ConfigError(
            f"buildings cannot be counted in squares of {count_cell_m} m: a "
            f"pixel has {label_gsd_m} m; 160 is usual"
        )
    return cell_px


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"stratum pattern {pattern!r}: {error}") from error
    if not compiled.groups:
        raise ConfigError(
            f"stratum pattern {pattern!r} has no group; write (...) around "
            "the part of the key that names the stratum"
        )
    return compiled
