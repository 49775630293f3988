"""Stages on real ground: Atlanta, if the folder of real data is there.

Every model that the table marks `real` is tuned on the train blocks, each
from its own weights of the simulated world, and scored on the test blocks.
The frames are made of the real 50 cm image by the sensor model. The settings
are those of configs/atlanta_*.flags; only folders and budget are changed.
"""

import pathlib
from typing import Any

from benchmarks.accuracy import models
from benchmarks.accuracy.layout import ATLANTA
from benchmarks.accuracy.model_stages import score_flags
from benchmarks.accuracy.model_stages import training_flags
from benchmarks.accuracy.models import Model
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage
from s2distill.flag_config import parse_config

_PAIR = "configs/atlanta_pair.flags"
_TEACHER = "configs/atlanta_teacher.flags"
_STUDENT = "configs/atlanta_student.flags"
_COUNT_CELL_M = 80.0  # a tile
# Flags of a training that say what it is, not how long it takes.
_KINDS = (
    "network",
    "preset",
    "hard_share",
    "precision",
    "seed",
    "fusion",
    "view",
)


def find_image() -> pathlib.Path | None:
    """The real 50 cm image; None where the folder of real data is not."""
    from data_prep.pairing.pair_config import Config

    config = parse_config(Config, ["pair", f"--flagfile={_PAIR}"])
    image = pathlib.Path(config.image)
    return image if image.is_file() else None


def make_atlanta_plan(setup: Setup) -> list[Stage]:
    """Stages in order; they need those of the simulated world."""
    layout, table = setup.layout, make_models(setup.preset)
    labelled = layout.atlanta_records("labelled")
    answered = layout.atlanta_records("answered")
    teacher = layout.saved_model(models.TEACHER, ATLANTA)
    pair = Stage(
        name="atlanta_pair",
        program="data_prep.pair_geotiffs",
        flagfile=_PAIR,
        flags={
            "output": labelled,
            "frames_output": layout.output / ATLANTA / "sentinel2",
            "overwrite": True,
        },
        makes=(labelled,),
        seconds=40,
    )
    export = Stage(
        name="atlanta_export_teacher",
        program="s2distill.export",
        flags={
            "workdir": layout.model(models.TEACHER, ATLANTA),
            "output": teacher,
            "overwrite": True,
        },
        makes=(teacher,),
        needs=(f"{ATLANTA}_{models.TEACHER}",),
        seconds=setup.preset.pace.start_s,
    )
    label = Stage(
        name="atlanta_answered",
        program="data_prep.label_with_teacher",
        flagfile="configs/atlanta_label.flags",
        flags={
            "records": labelled,
            "teacher": teacher,
            "output": answered,
            "overwrite": True,
        },
        makes=(answered,),
        needs=(pair.name, export.name),
        seconds=setup.preset.pace.start_s,
    )
    tuned = {
        name: _tune_and_score(setup, name, model)
        for name, model in table.items()
        if model.real
    }
    students = [s for name in list(tuned)[1:] for s in tuned[name]]
    return [
        pair,
        *tuned[models.TEACHER],
        export,
        label,
        *students,
        _draw_examples(setup, list(tuned)),
    ]


def _tune_and_score(setup: Setup, name: str, model: Model) -> list[Stage]:
    layout, pace = setup.layout, setup.preset.pace
    flags = _tuning_flags(setup, model)
    workdir = layout.model(name, ATLANTA)
    hard = flags["hard_share"] == 1.0
    records = "labelled" if hard else "answered"
    train = Stage(
        name=f"{ATLANTA}_{name}",
        program="s2distill.train",
        flagfile=_TEACHER if model.is_teacher else _STUDENT,
        flags={
            "records": layout.atlanta_records(records),
            "workdir": workdir,
            "init_from": layout.model(name),
            **flags,
        },
        makes=(workdir,),
        needs=(
            name,
            f"{ATLANTA}_pair" if hard else f"{ATLANTA}_answered",
        ),
        seconds=pace.start_s
        + 0.5 * pace.step_s[models.STUDENT] * flags["steps"],
    )
    score = Stage(
        name=f"{ATLANTA}_score_{name}",
        program="benchmarks.accuracy.score_model",
        flags=score_flags(
            setup, name, layout.atlanta_records("labelled"), ATLANTA
        )
        | {"count_cell_m": _COUNT_CELL_M},
        makes=(layout.scores(name, ATLANTA),),
        needs=(train.name,),
        seconds=pace.start_s,
    )
    return [train, score]


def _tuning_flags(setup: Setup, model: Model) -> dict[str, Any]:
    """What differs from the flagfile: the kind of model, and the budget."""
    preset = setup.preset
    flags = training_flags(setup, model)
    steps = (
        preset.atlanta_teacher_steps
        if model.is_teacher
        else preset.atlanta_student_steps
    )
    return {
        **{name: flags[name] for name in _KINDS if name in flags},
        "frames": flags["frames"],
        "frame_drop": model.changes.get("frame_drop"),
        "steps": steps,
        "epoch_steps": -(-steps // 2),
    }


def _draw_examples(setup: Setup, names: list[str]) -> Stage:
    layout = setup.layout
    output = layout.output / ATLANTA / "examples"
    return Stage(
        name=f"{ATLANTA}_examples",
        program="s2distill.evaluate",
        flagfile="configs/atlanta_evaluate.flags",
        flags={
            "records": layout.atlanta_records("labelled"),
            "models": tuple(
                f"{name}={layout.model(name, ATLANTA)}" for name in names
            ),
            "output": output,
        },
        makes=(output,),
        needs=tuple(f"{ATLANTA}_{name}" for name in names),
        seconds=len(names) * setup.preset.pace.start_s,
    )
