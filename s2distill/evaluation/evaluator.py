"""Scores a function that predicts, tile by tile, in bounded memory.

The evaluator never sees a model: `predict_fn` hides whether the answers come
from Keras, a SavedModel or a file.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np

from s2distill.errors import ModelError
from s2distill.errors import RecordError
from s2distill.evaluation import calibration
from s2distill.evaluation import counting
from s2distill.evaluation import height
from s2distill.evaluation import objects
from s2distill.evaluation import segmentation
from s2distill.evaluation.scores import Scores
from s2distill.evaluation.scores import Tile
from s2distill.evaluation.scores import compute_scores

PredictFunction = Callable[[dict[str, Any]], dict[str, np.ndarray]]

# What is compared with the truth, and where the truth is known.
_WEIGHTS = {
    "building": "building_weight",
    "road": "road_weight",
    "centroid_density": "building_weight",
    "height_m": "height_weight",
}
# Answers that need not be there -> the target whose truth and weight they
# are scored with.
_OPTIONAL = {
    "building_uncalibrated": "building",
    "road_uncalibrated": "road",
    "height_scale_m": "height_m",
}


def evaluate(
    predict_fn: PredictFunction,
    dataset: Iterable[tuple[dict[str, Any], dict[str, Any]]],
    *,
    label_gsd_m: float = 0.5,
    count_tile_px: int = 320,
) -> Scores:
    """Scores of `predict_fn` on every tile of `dataset`.

    A target that the dataset does not have leaves its scores undefined;
    pixels of weight 0 take no part in anything.

    Shapes:
      B: tiles of a batch, any number; h, w: label grid.

    Args:
      predict_fn: From inputs to a dictionary of [B, h, w, 1]: "building" and
        "road", probabilities; "centroid_density", buildings per pixel;
        "height_m". Only those that the dataset has targets for are used.
        May also hold "height_scale_m", Laplace scale of the height's error;
        "building_uncalibrated" and "road_uncalibrated", presence before it
        was calibrated, of which masks are then cut.
      dataset: Batches (inputs, targets) of the pipeline; targets may also
        hold "key" and "stratum", [B] text.
      label_gsd_m: Side of a label pixel.
      count_tile_px: Side of the squares in which buildings are counted,
        label pixels; 320 at 0.5 m is 160 m.

    Returns:
      Scores.

    Raises:
      RecordError: If the dataset has no tile.
      ModelError: If an answer is missing, of another shape than its target,
        or not finite in a pixel of known truth.
    """
    tiles: list[Tile] = []
    for inputs, targets in dataset:
        targets = {name: np.asarray(t) for name, t in targets.items()}
        answers = {
            name: np.asarray(a) for name, a in predict_fn(inputs).items()
        }
        _check_answers(answers, targets)
        for one_answers, one_targets in _split_batch(answers, targets):
            tiles.append(
                _make_tile(
                    one_answers,
                    one_targets,
                    position=len(tiles),
                    label_gsd_m=label_gsd_m,
                    count_tile_px=count_tile_px,
                )
            )
    if not tiles:
        raise RecordError(
            "no tile to score: the split is empty; choose another --split"
        )
    return compute_scores(tiles)


def _make_tile(
    answers: dict[str, np.ndarray],
    targets: dict[str, Any],
    *,
    position: int,
    label_gsd_m: float,
    count_tile_px: int,
) -> Tile:
    """The sums of one tile; [h, w] planes."""
    sums = {}
    cells = np.zeros((0, 2))
    for kind in ("building", "road"):
        if kind in targets:
            truth = targets[kind], targets[f"{kind}_weight"]
            own = _own_presence(answers, kind)
            sums[kind] = segmentation.sum_confusion(own, *truth)
            sums[f"{kind}_histogram"] = calibration.sum_histogram(
                answers[kind], *truth
            )
            if own is not answers[kind]:
                sums[f"{kind}_uncalibrated_histogram"] = (
                    calibration.sum_histogram(own, *truth)
                )
    if "building" in targets:
        sums["objects"] = objects.sum_objects(
            _own_presence(answers, "building"),
            targets["building"],
            targets["building_weight"],
            gsd_m=label_gsd_m,
        )
    if "centroid_density" in targets:
        cells = counting.count_cells(
            answers["centroid_density"],
            targets["centroid_density"],
            targets["building_weight"],
            cell_px=count_tile_px,
        )
        sums["count"] = counting.sum_counts(cells)
    if "height_m" in targets:
        truth = targets["height_m"], targets["height_weight"]
        sums["height"] = height.sum_height_errors(answers["height_m"], *truth)
        if "height_scale_m" in answers:
            planes = answers["height_m"], answers["height_scale_m"], *truth
            sums["height_coverage"] = height.sum_height_coverage(*planes)
            sums["height_ratios"] = height.sum_height_ratios(*planes)
    return Tile(
        key=_to_text(targets.get("key", str(position))),
        sums=sums,
        cells=cells,
        stratum=(
            _to_text(targets["stratum"]) if "stratum" in targets else None
        ),
    )


def _own_presence(answers: dict[str, np.ndarray], kind: str) -> np.ndarray:
    """What masks are cut from: calibration says how sure, it moves none."""
    return answers.get(f"{kind}_uncalibrated", answers[kind])


def _split_batch(
    answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, Any]]]:
    """One pair for each tile, planes [h, w] instead of [B, h, w, 1]."""
    for index in range(len(next(iter(targets.values())))):
        yield tuple(
            {
                name: values[index, ..., 0]
                if values.ndim == 4
                else values[index]
                for name, values in arrays.items()
            }
            for arrays in (answers, targets)
        )


def _check_answers(
    answers: dict[str, np.ndarray], targets: dict[str, np.ndarray]
) -> None:
    for target in _WEIGHTS:
        if target in targets and target not in answers:
            raise ModelError(
                f"no answer {target!r} among {', '.join(sorted(answers))}"
            )
    for name, target in {**{t: t for t in _WEIGHTS}, **_OPTIONAL}.items():
        if name in answers and target in targets:
            known = targets[_WEIGHTS[target]] > 0
            _check_answer(name, answers[name], known)


def _check_answer(name: str, answer: np.ndarray, known: np.ndarray) -> None:
    if answer.shape != known.shape:
        raise ModelError(
            f"answer {name!r} has shape {answer.shape}, its truth "
            f"{known.shape}: was the model made for another label factor?"
        )
    broken = int(np.sum(~np.isfinite(answer[known])))
    if broken:
        raise ModelError(
            f"answer {name!r} is not finite in {broken} known pixels: "
            "the model cannot be scored; train it again"
        )
    if name == "height_scale_m" and np.any(answer[known] <= 0):
        raise ModelError(
            f"answer {name!r} is {answer[known].min()} somewhere: a scale is "
            "above 0; train the model again"
        )


def _to_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
