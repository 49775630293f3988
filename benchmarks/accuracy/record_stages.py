"""Stages that write records: worlds, a teacher's answers, damaged labels."""

from benchmarks.accuracy import models
from benchmarks.accuracy.models import Model
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage

# Record folders that a teacher's answers were written into: of which scenes,
# by which teacher.
_ANSWERED = {
    models.ANSWERED: ("unlabelled", models.TEACHER),
    models.SPOILED_SOFT: (models.SPOILED, "spoiled_teacher"),
    models.SPOILED_ANSWERED: ("unlabelled", "spoiled_teacher"),
}


def simulate(setup: Setup) -> Stage:
    """The world: scenes to learn from, to calibrate and to score on."""
    preset = setup.preset
    scenes = {
        "train_scenes": preset.train_scenes,
        "validation_scenes": preset.validation_scenes,
        "test_scenes": preset.test_scenes,
    }
    return Stage(
        name="world",
        program="data_prep.simulate",
        flags={
            "output": setup.layout.world,
            **scenes,
            "labelled_share": preset.labelled_share,
            "frames": preset.world_frames,
            **({"styles": preset.styles} if preset.styles else {}),
            "seed": setup.seed,
            "overwrite": True,
        },
        makes=(setup.layout.world,),
        seconds=preset.pace.scene_s * sum(scenes.values()),
        headline=True,
    )


def export(setup: Setup, name: str) -> Stage:
    """The SavedModel of a model."""
    output = setup.layout.saved_model(name)
    return Stage(
        name=f"export_{name}",
        program="s2distill.export",
        flags={
            "workdir": setup.layout.model(name),
            "output": output,
            "overwrite": True,
        },
        makes=(output,),
        # The student's SavedModel holds its calibration.
        needs=(name,) if name != models.STUDENT else (calibration_of(name),),
        seconds=setup.preset.pace.start_s,
        headline=name in (models.TEACHER, models.STUDENT),
    )


def label(setup: Setup, folder: str) -> Stage:
    """A record folder with a teacher's answers."""
    scenes, teacher = _ANSWERED[folder]
    layout, preset = setup.layout, setup.preset
    return Stage(
        name=folder,
        program="data_prep.label_with_teacher",
        flags={
            "records": layout.records(scenes),
            "teacher": layout.saved_model(teacher),
            "output": layout.records(folder),
            "splits": ("train", "validation"),
            "overwrite": True,
        },
        makes=(layout.records(folder),),
        needs=(source_of(scenes), f"export_{teacher}"),
        seconds=preset.pace.start_s + preset.pace.tile_s * preset.train_scenes,
        headline=folder == models.ANSWERED,
    )


def calibration_of(name: str) -> str:
    """The stage that calibrates a model."""
    return f"calibrate_{name}"


def prepare_records(
    setup: Setup, model: Model, there: list[str]
) -> list[Stage]:
    """Stages that write what a model learns from.

    Args:
      setup: Of the benchmark.
      model: The model.
      there: Names of the stages that are planned already.
    """
    stages: list[Stage] = []
    for folder in model.records:
        if folder in there or folder in (models.LABELLED, models.ANSWERED):
            continue
        if folder in _ANSWERED:
            teacher = _ANSWERED[folder][1]
            if f"export_{teacher}" not in [*there, *(s.name for s in stages)]:
                stages.append(export(setup, teacher))
            stages.append(label(setup, folder))
        else:
            stages.append(_damage(setup, folder))
    return stages


def source_of(folder: str) -> str:
    """The stage that writes a record folder."""
    return "world" if folder in (models.LABELLED, "unlabelled") else folder


def _damage(setup: Setup, folder: str) -> Stage:
    layout, preset = setup.layout, setup.preset
    damage = {
        models.SPOILED: {"spoiled_share": preset.spoiled_share},
        models.SHIFTED: {"shift_m": preset.label_shift_m},
    }
    return Stage(
        name=folder,
        program="benchmarks.accuracy.damage_labels",
        flags={
            "records": layout.records(models.LABELLED),
            "output": layout.records(folder),
            **damage[folder],
            "seed": setup.seed,
            "overwrite": True,
        },
        makes=(layout.records(folder),),
        needs=("world",),
        seconds=preset.pace.start_s,
    )
