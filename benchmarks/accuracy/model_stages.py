"""Stages that train, calibrate and score models."""

from typing import Any

from benchmarks.accuracy import models
from benchmarks.accuracy.models import Model
from benchmarks.accuracy.preset import STANDARD_NETWORK
from benchmarks.accuracy.preset import BenchmarkPreset
from benchmarks.accuracy.record_stages import calibration_of
from benchmarks.accuracy.record_stages import source_of
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage

FRAMES_STAGE = "score_frames"


def training_flags(setup: Setup, model: Model) -> dict[str, Any]:
    """Flags of `s2distill.train` for one model, but for its folders."""
    preset, teacher = setup.preset, model.is_teacher
    steps = _steps_of(preset, model)
    network = model.changes.get("network", STANDARD_NETWORK)
    return {
        "network": network,
        "preset": preset.size_of(network),
        "hard_share": 1.0 if teacher else preset.hard_share,
        "frames": preset.frames,
        "frame_drop": preset.frame_drop,
        "crop_px": preset.crop_px,
        "crops_per_record": preset.crops_per_record,
        "batch_size": preset.teacher_batch_size
        if teacher
        else preset.batch_size,
        "steps": steps,
        "epoch_steps": -(-steps // preset.validations),
        "learning_rate": preset.teacher_learning_rate
        if teacher
        else preset.student_learning_rate,
        "precision": setup.precision,
        "seed": setup.seed,
        **model.changes,
    }


def _steps_of(preset: BenchmarkPreset, model: Model) -> int:
    if model.is_teacher:
        return (
            preset.teacher_steps
            if model.long
            else preset.comparison_teacher_steps
        )
    return preset.student_steps if model.long else preset.comparison_steps


def score_flags(
    setup: Setup, name: str, records: Any, place: str = ""
) -> dict[str, Any]:
    """Flags of `score_model` for one model.

    Args:
      setup: Of the benchmark.
      name: Of the model.
      records: Folder with labels.
      place: Empty, or ATLANTA.
    """
    return {
        "model": setup.layout.model(name, place),
        "records": records,
        "output": setup.layout.scores(name, place),
    }


def train_and_score(
    setup: Setup, name: str, table: dict[str, Model]
) -> list[Stage]:
    """Trains a model and scores it; the student is calibrated between.

    Args:
      setup: Of the benchmark.
      name: Of the model.
      table: Of `models.make_models`.
    """
    model, layout = table[name], setup.layout
    flags = training_flags(setup, model)
    headline = model.group == "headline"
    sources = [source_of(folder) for folder in model.records]
    pace = setup.preset.pace
    step_s = pace.step_s.get(flags["network"], pace.step_s[STANDARD_NETWORK])
    train = Stage(
        name=name,
        program="s2distill.train",
        flags={
            "records": tuple(layout.records(r) for r in model.records),
            "workdir": layout.model(name),
            **flags,
        },
        makes=(layout.model(name),),
        needs=tuple(dict.fromkeys(sources)),
        seconds=pace.start_s + step_s * flags["steps"],
        headline=headline,
    )
    score = Stage(
        name=f"score_{name}",
        program="benchmarks.accuracy.score_model",
        flags=score_flags(setup, name, layout.records(models.LABELLED)),
        makes=(layout.scores(name),),
        needs=(name if name != models.STUDENT else calibration_of(name),),
        seconds=scoring_s(setup),
        headline=headline,
    )
    if name != models.STUDENT:
        return [train, score]
    return [train, _calibrate(setup, name), score]


def _calibrate(setup: Setup, name: str) -> Stage:
    layout, preset = setup.layout, setup.preset
    return Stage(
        name=calibration_of(name),
        program="s2distill.calibrate",
        flags={
            # Frames need no labels to be known as usual.
            "records": (
                layout.records(models.LABELLED),
                layout.records("unlabelled"),
            ),
            "workdir": layout.model(name),
            "window_px": preset.trust_window_px,
            "most_windows": preset.trust_windows,
        },
        makes=(layout.model(name) / "calibration.json",),
        needs=(name,),
        seconds=preset.pace.start_s
        + preset.pace.tile_s
        * (preset.train_scenes + 3 * preset.validation_scenes),
        headline=True,
    )


def vary_frames(setup: Setup) -> Stage:
    """The one student scored with other numbers of frames."""
    layout = setup.layout
    # The student's own number is scored already.
    counts = [n for n in setup.preset.frame_counts if n != setup.preset.frames]
    flags = score_flags(setup, models.STUDENT, layout.records(models.LABELLED))
    return Stage(
        name=FRAMES_STAGE,
        program="benchmarks.accuracy.score_model",
        flags=flags
        | {
            "frames": tuple(counts),
            "output": layout.scores(frames_name("{frames}")),
        },
        makes=tuple(layout.scores(frames_name(count)) for count in counts),
        needs=(calibration_of(models.STUDENT),),
        seconds=scoring_s(setup) * len(counts),
    )


def frames_name(count: int | str) -> str:
    """Of the scores of the student with so many frames."""
    return f"{models.STUDENT}_frames_{count}"


def scoring_s(setup: Setup) -> float:
    """About how long one model is scored."""
    pace = setup.preset.pace
    return pace.start_s + pace.tile_s * setup.preset.test_scenes
