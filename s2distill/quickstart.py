"""The whole sentence on a small simulated world, from imagery to a map.

    python -m s2distill.quickstart --workdir=quickstart

Simulates towns and their Sentinel-2 frames, trains a teacher on the labelled
quarter of the scenes, lets it answer for the others, trains a student on the
labels and its answers, scores both on towns never seen, exports the student as
a SavedModel and maps one more town with it. About 10 minutes on 2 cores.
With --baselines also the three baselines, each with the student's budget:
under 25 minutes. Everything is simulated; another --seed is another world.
"""

import dataclasses
import pathlib
import resource
import sys
import time
from typing import Any

from s2distill.atomic_write import check_absent
from s2distill.atomic_write import write_json
from s2distill.flag_config import flag
from s2distill.flag_config import run_program
from s2distill.flag_config import write_run_files

TEACHER = "teacher"
STUDENT = "student"
# What each baseline changes in the student's training.
BASELINES: dict[str, dict[str, Any]] = {
    # From labels alone: only the labelled quarter, as many steps.
    "hard_label_student": {"hard_share": 1.0},
    # The same teacher and network, one frame.
    "single_frame_student": {"frames": 1, "frame_drop": 0.0},
    # What most try first: one composite, enlarged, a U-Net, labels alone.
    "bicubic_unet": {"network": "bicubic_unet", "hard_share": 1.0},
}
SUMMARY_KEYS = (
    "building_iou",
    "building_miou",
    "road_miou",
    "count_r2",
    "height_mae_m",
)
_VALIDATION_SCENES = 4
_CROP_PX = 8  # 80 m: more steps on small crops learn more than few on large
_TOWN_PX = 80  # 800 m


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    workdir: str = flag(help="Folder for everything; must not hold a world.")
    seed: int = flag(0, help="Of the world and of the training.")
    baselines: bool = flag(
        False, help="Train and score the three baselines too."
    )
    train_scenes: int = flag(192, help="Simulated scenes of 320 m to train on.")
    test_scenes: int = flag(32, help="Scenes to score on, never trained on.")
    teacher_steps: int = flag(700, help="Training steps of the teacher.")
    student_steps: int = flag(
        750, help="Training steps of the student and of each baseline."
    )


def run(config: Config) -> dict[str, Any]:
    """Runs every stage; returns what `summary.json` holds."""
    started_s = time.monotonic()
    workdir = pathlib.Path(config.workdir)
    world = workdir / "world"
    check_absent(world)
    write_run_files(workdir, config)
    _say("Simulating towns and their Sentinel-2 frames")
    _simulate(config, world)

    _say("Training the teacher on labelled 50 cm images")
    labelled, unlabelled = world / "labelled", world / "unlabelled"
    _train(config, TEACHER, [labelled])
    _say("Asking the teacher about the scenes without labels")
    _export(workdir, TEACHER)
    answered = _label(workdir, unlabelled, workdir / "answered")

    _say("Training the student on labels and the teacher's answers")
    _train(config, STUDENT, [labelled, answered])
    names = [TEACHER, STUDENT]
    for name in BASELINES if config.baselines else ():
        _say(f"Training the baseline {name}")
        hard = BASELINES[name].get("hard_share") == 1.0
        _train(config, name, [labelled] if hard else [labelled, answered])
        names.append(name)

    _say("Scoring on towns never trained on")
    scores = _evaluate(workdir, names, labelled)
    _say("Exporting the student and mapping one more town")
    _export(workdir, STUDENT)
    picture = _map_town(config, workdir)
    summary = _summarize(config, scores, time.monotonic() - started_s)
    write_json(workdir / "summary.json", summary)
    _say_where(workdir, summary, picture)
    return summary


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def _simulate(config: Config, world: pathlib.Path) -> None:
    from data_prep import simulate

    simulate.run(
        simulate.Config(
            output=str(world),
            train_scenes=config.train_scenes,
            validation_scenes=_VALIDATION_SCENES,
            test_scenes=config.test_scenes,
            seed=config.seed,
        )
    )


def _train(config: Config, name: str, records: list[pathlib.Path]) -> None:
    from s2distill import train

    if name == TEACHER:
        changes = {
            "network": "teacher",
            "steps": config.teacher_steps,
            "learning_rate": 5e-3,
        }
    else:
        changes = {
            "steps": config.student_steps,
            "hard_share": 0.5,  # no place has both; each counts in full
            "learning_rate": 6e-3,
            "batch_size": 16,
            **BASELINES.get(name, {}),
        }
    train.run(
        train.Config(
            records=tuple(str(folder) for folder in records),
            workdir=str(pathlib.Path(config.workdir) / name),
            crop_px=_CROP_PX,
            epoch_steps=-(-changes["steps"] // 2),
            seed=config.seed,
            **changes,
        )
    )


def _export(workdir: pathlib.Path, name: str) -> None:
    from s2distill import export

    export.run(
        export.Config(
            workdir=str(workdir / name),
            output=str(workdir / f"{name}_savedmodel"),
        )
    )


def _label(
    workdir: pathlib.Path, records: pathlib.Path, output: pathlib.Path
) -> pathlib.Path:
    from data_prep import label_with_teacher

    label_with_teacher.run(
        label_with_teacher.Config(
            records=str(records),
            teacher=str(workdir / f"{TEACHER}_savedmodel"),
            output=str(output),
        )
    )
    return output


def _evaluate(
    workdir: pathlib.Path, names: list[str], records: pathlib.Path
) -> dict[str, dict[str, Any]]:
    from s2distill import evaluate

    return evaluate.run(
        evaluate.Config(
            records=(str(records),),
            models=tuple(f"{name}={workdir / name}" for name in names),
            output=str(workdir / "scores"),
        )
    )


def _map_town(config: Config, workdir: pathlib.Path) -> pathlib.Path:
    """Simulates one more town as GeoTIFFs, maps it, draws the map."""
    from data_prep import simulate
    from s2distill import predict
    from s2distill.town_picture import draw_town

    town = workdir / "town"
    simulate.run(
        simulate.Config(
            town_geotiffs=str(town), town_px=_TOWN_PX, seed=config.seed
        )
    )
    output = workdir / "map" / "town.tif"
    predict.run(
        predict.Config(
            model=str(workdir / f"{STUDENT}_savedmodel"),
            frames=str(town / "sentinel2" / "*.tif"),
            output=str(output),
        )
    )
    picture = output.with_suffix(".png")
    draw_town(picture, town=town, town_map=output, model=STUDENT)
    return picture


def _summarize(
    config: Config, scores: dict[str, dict[str, Any]], seconds: float
) -> dict[str, Any]:
    """What `summary.json` holds: a few scores of each model, and the cost."""
    summary: dict[str, Any] = {
        name: {key: scores[name].get(key) for key in SUMMARY_KEYS}
        for name in scores
    }
    return summary | {
        "retention": scores[STUDENT]["retention"],
        "seconds": round(seconds, 1),
        "peak_rss_gib": round(_peak_rss_gib(), 2),
        "seed": config.seed,
    }


def _peak_rss_gib() -> float:
    """Largest resident memory of this process plus its largest child."""
    kib = sum(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return kib / 2**20


def _say(text: str) -> None:
    sys.stdout.write(f"\n== {text}\n")
    sys.stdout.flush()


def _say_where(
    workdir: pathlib.Path, summary: dict[str, Any], picture: pathlib.Path
) -> None:
    paths = {
        "scores": workdir / "summary.json",
        "pictures": workdir / "scores" / "pictures",
        "SavedModel": workdir / f"{STUDENT}_savedmodel",
        "map": picture.with_suffix(".tif"),
        "its picture": picture,
    }
    lines = [f"  {what:<12}{path}" for what, path in paths.items()]
    _say(
        f"Done in {summary['seconds'] / 60:.1f} minutes, at most "
        f"{summary['peak_rss_gib']:.1f} GiB. Open:"
    )
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
