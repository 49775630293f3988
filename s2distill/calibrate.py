r"""Makes a trained network say how sure it is, and when not to trust it.

    python -m s2distill.calibrate --workdir=runs/student \
        --records=world/labelled

On the validation split it fits the temperature and the bias that make presence
mean what it says, and the factor that makes four of five true heights lie
within their 80 % interval. For networks of frames it describes the windows of
160 m of the train split by the network's own layers, and finds how far those
of the validation split lie from them: beyond, a place is unlike anything the
network was trained on. Writes calibration.json, calibration.npz and
calibration.png into the workdir; s2distill.export and s2distill.evaluate take
them from there.
"""

import dataclasses
import pathlib
import sys
from typing import TYPE_CHECKING

from absl import logging

from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program

if TYPE_CHECKING:
    import numpy as np

    from s2distill.evaluation.scores import Scores
    from s2distill.serving.calibration import Calibration
    from s2distill.serving.trust import Trust
    from s2distill.training_run import Run

PICTURE_FILE = "calibration.png"
_FIT, _HELD_OUT = "train", "validation"
# Batches of the train split are shown with all, half and a quarter of their
# frames by turns: few frames alone are no reason for alarm. With all frames
# alone, half of the ordinary windows of one frame raised one; so, none did
# (160 windows, student of 500 steps), and huts kept an area of 0.96 of 0.97.
_EVERY = (1, 2, 4)
_FRAMES = ("s2", "frame_valid")
# What is kept of the scores on the validation split.
_KEPT = (
    "building_ece",
    "road_ece",
    "height_coverage_50",
    "height_coverage_80",
    "height_coverage_90",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    workdir: str = flag(help="Training workdir, finished.")
    records: tuple[str, ...] = flag(
        help="Record folders: a validation split with labels, and for trust "
        "the train split, which needs none."
    )
    trust: bool = flag(
        True, help="Fit the out-of-distribution score of networks of frames."
    )
    window_px: int = flag(
        16, help="Side of the windows that are judged, Sentinel-2 pixels."
    )
    alarm_share: float = flag(
        0.03, help="Windows of ordinary new places that may raise an alarm."
    )
    most_windows: int = flag(
        4096, help="Windows of the train split to learn from, at most."
    )
    batch_size: int = flag(4, help="Tiles in a batch; moves no result.")


def run(config: Config) -> "Calibration":
    """Fits everything and writes it into the workdir."""
    _check(config)
    from s2distill.data.folders import open_folders
    from s2distill.evaluation_run import check_fit
    from s2distill.serving.calibration import Calibration
    from s2distill.serving.calibration import write_calibration
    from s2distill.training_run import MODEL_FILE
    from s2distill.training_run import load_run

    workdir = pathlib.Path(config.workdir)
    model = load_run(workdir)
    spec = open_folders(config.records)[0].spec
    check_fit(str(workdir), model, spec, config.records[0])
    before = _score(config, model)
    temperatures, biases = _fit_presence(before)
    calibration = Calibration(
        temperatures=temperatures,
        biases=biases,
        height_scale_factor=_fit_height_factor(before),
        trust=_fit_trust(config, model),
    )
    after = _score(config, dataclasses.replace(model, calibration=calibration))
    measured = {
        "split": _HELD_OUT,
        "tiles": len(after.tiles),
        "before": {name: before.values[name] for name in _KEPT},
        "after": {name: after.values[name] for name in _KEPT},
    }
    calibration = dataclasses.replace(calibration, measured=measured)
    path = write_calibration(workdir / MODEL_FILE, calibration)
    _draw(workdir, model.kind, after)
    sys.stdout.write(_summarize(calibration))
    sys.stdout.write(f"{path}\n{workdir / PICTURE_FILE}\n")
    return calibration


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def collect_windows(
    config: Config, model: "Run", split: str, scales: dict[str, float]
) -> dict[str, "np.ndarray"]:
    """The windows of a split as the layers of a network describe them.

    Those of the train split with fewer frames by turns.

    Args:
      config: Records, window and how many are enough.
      model: A network of frames.
      split: "train" or "validation".
      scales: As `window_features.find_layers` returns.

    Returns:
      Layer -> [windows, D]; only windows of which enough was seen.
    """
    import numpy as np

    from s2distill.evaluation_run import read_batches
    from s2distill.serving import window_features

    tapped = window_features.tap_layers(model.network, scales)
    found: dict[str, list[np.ndarray]] = {name: [] for name in scales}
    windows = 0
    batches = read_batches(model, config.records, split, config.batch_size)
    for number, (inputs, _) in enumerate(batches):
        every = _EVERY[number % len(_EVERY)] if split == _FIT else 1
        fed = {name: inputs[name][:, ::every] for name in _FRAMES}
        features, seen = window_features.make_window_features(
            tapped.predict_on_batch(fed), fed, scales, config.window_px
        )
        judged = seen.numpy() >= window_features.LEAST_SEEN
        for name, values in features.items():
            found[name].append(values.numpy()[judged])
        windows += int(judged.sum())
        if windows >= config.most_windows:
            break
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _check(config: Config) -> None:
    if config.window_px < 1:
        raise ConfigError(
            f"--window_px={config.window_px}: a window has 1 pixel or more"
        )
    if not 0 < config.alarm_share < 1:
        raise ConfigError(
            f"--alarm_share={config.alarm_share} must lie between 0 and 1"
        )


def _score(config: Config, model: "Run") -> "Scores":
    from s2distill.evaluation.evaluator import evaluate
    from s2distill.evaluation_run import make_predict_function
    from s2distill.evaluation_run import read_batches

    return evaluate(
        make_predict_function(model),
        read_batches(model, config.records, _HELD_OUT, config.batch_size),
    )


def _fit_presence(
    scores: "Scores",
) -> tuple[dict[str, float], dict[str, float]]:
    """Temperatures and biases, by name."""
    from s2distill.evaluation.calibration import fit_presence
    from s2distill.serving.card import PRESENCE

    fitted = {}
    for name in PRESENCE:
        histogram = scores.total(f"{name}_histogram")
        fitted[name] = None if histogram is None else fit_presence(histogram)
        if fitted[name] is None:
            logging.warning(
                "No labels of %s, or nothing else, in the validation split: "
                "its presence stays as trained.",
                name,
            )
            fitted[name] = (1.0, 0.0)
    return tuple(
        {name: values[i] for name, values in fitted.items()} for i in range(2)
    )


def _fit_height_factor(scores: "Scores") -> float:
    from s2distill.evaluation.height import fit_scale_factor

    ratios = scores.total("height_ratios")
    found = None if ratios is None else fit_scale_factor(ratios)
    return 1.0 if found is None else found


def _fit_trust(config: Config, model: "Run") -> "Trust | None":
    if not config.trust or model.frames == 0:
        return None
    from s2distill.serving.trust import fit_trust
    from s2distill.serving.window_features import find_layers

    scales = find_layers(model.network, config.window_px)
    training, held_out = (
        collect_windows(config, model, split, scales)
        for split in (_FIT, _HELD_OUT)
    )
    return fit_trust(
        training,
        held_out,
        scales=scales,
        window_px=config.window_px,
        alarm_share=config.alarm_share,
    )


def _draw(workdir: pathlib.Path, kind: str, scores: "Scores") -> None:
    from s2distill.evaluation.pictures import draw_reliability

    draw_reliability(workdir / PICTURE_FILE, {kind: scores})


def _summarize(calibration: "Calibration") -> str:
    before, after = (calibration.measured[k] for k in ("before", "after"))
    lines = [
        f"presence of {name}: sigmoid(logit / {value:.3f} "
        f"{calibration.biases[name]:+.3f})"
        for name, value in calibration.temperatures.items()
    ]
    lines.append(
        f"factor of height scale: {calibration.height_scale_factor:.3f}"
    )
    lines += [
        f"{name} on the validation split: {before[name]:.3f} -> "
        f"{after[name]:.3f}"
        for name in _KEPT
        if before[name] is not None
    ]
    if calibration.trust is not None:
        layers = ", ".join(calibration.trust.layers)
        lines.append(f"trust: windows judged by {layers}")
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
