"""Stages that look at what was trained: windows, costs, pictures."""

from typing import Any

from benchmarks.accuracy import models
from benchmarks.accuracy.cost_rows import FRAMES
from benchmarks.accuracy.model_stages import scoring_s
from benchmarks.accuracy.models import make_models
from benchmarks.accuracy.preset import STANDARD_NETWORK
from benchmarks.accuracy.preset import BenchmarkPreset
from benchmarks.accuracy.setup import Setup
from benchmarks.accuracy.stage import Stage

_WORLD_SEEDS_APART = 1_000_003  # so that worlds of two runs never meet
# Worlds that differ from the one learnt from in one thing.
CONDITIONS = ("snow", "haze", "eight_bit")
# Drawn beside one another on test scenes.
PICTURED = (
    models.TEACHER,
    models.STUDENT,
    "hard_label_student",
    "bicubic_unet",
    "u_tae",
)


def judge_windows(setup: Setup) -> list[Stage]:
    """Worlds out of distribution, and what the student says of each."""
    preset, layout = setup.preset, setup.layout
    stages = []
    for number, world in enumerate(unseen_worlds(preset)):
        flag = "condition" if world in CONDITIONS else "styles"
        folder = layout.unseen_world(world)
        stages.append(
            Stage(
                name=world,
                program="data_prep.simulate",
                flags={
                    "output": folder,
                    "train_scenes": 0,
                    "validation_scenes": 0,
                    "test_scenes": preset.unseen_scenes,
                    # As many to choose from: clearer ones look more usual.
                    "frames": preset.world_frames,
                    # Other towns than those of the test split.
                    "seed": setup.seed + (number + 1) * _WORLD_SEEDS_APART,
                    flag: world,
                    "overwrite": True,
                },
                makes=(folder,),
                seconds=preset.pace.scene_s * preset.unseen_scenes,
            )
        )
        stages.append(_judge(setup, world, folder / models.LABELLED, world))
    stages.append(
        _judge(setup, "world", layout.records(models.LABELLED), "test")
    )
    return stages


def unseen_worlds(preset: BenchmarkPreset) -> tuple[str, ...]:
    """Worlds that no model is trained on, by what is unusual in them."""
    return (*preset.unseen_styles, *CONDITIONS)


def time_networks(setup: Setup) -> list[Stage]:
    """What every network costs, in both precisions."""
    preset, stages = setup.preset, []
    for network, size in timed_networks(preset):
        student = (network, size) == (STANDARD_NETWORK, preset.student_preset)
        frames = preset.timed_frames if student else (FRAMES,)
        output = setup.layout.cost(network, size)
        stages.append(
            Stage(
                name=timing_name(network, size),
                program="benchmarks.accuracy.time_network",
                flags={
                    "network": network,
                    "preset": size,
                    "frame_counts": frames,
                    "frames": preset.frames,
                    "batch_size": preset.teacher_batch_size
                    if network == models.TEACHER
                    else preset.batch_size,
                    "crop_px": preset.crop_px,
                    "repeats": preset.timing_repeats,
                    "output": output,
                },
                makes=(output,),
                seconds=preset.pace.timing_s,
            )
        )
    return stages


def timed_networks(preset: BenchmarkPreset) -> list[tuple[str, str]]:
    """(network, preset) of every network whose cost is measured."""
    networks = (
        model.changes.get("network", STANDARD_NETWORK)
        for model in make_models(preset).values()
    )
    of_models = {(name, preset.size_of(name)): None for name in networks}
    return list(of_models | dict.fromkeys(preset.other_sizes))


def timing_name(network: str, preset: str) -> str:
    """Of the stage that times a network."""
    return f"time_{network}_{preset}"


def draw_examples(setup: Setup) -> Stage:
    """Some models beside one another on test scenes."""
    layout = setup.layout
    return Stage(
        name="examples",
        program="s2distill.evaluate",
        flags={
            "records": layout.records(models.LABELLED),
            "models": tuple(
                f"{name}={layout.model(name)}" for name in PICTURED
            ),
            "output": layout.examples,
        },
        makes=(layout.examples,),
        needs=PICTURED,
        seconds=len(PICTURED) * scoring_s(setup),
    )


def _judge(setup: Setup, world: str, records: Any, name: str) -> Stage:
    layout = setup.layout
    return Stage(
        name=f"windows_{name}",
        program="benchmarks.accuracy.judge_windows",
        flags={
            "model": layout.saved_model(models.STUDENT),
            "records": records,
            "frames": setup.preset.frames,
            "output": layout.windows(name),
        },
        makes=(layout.windows(name),),
        needs=(world, f"export_{models.STUDENT}"),
        seconds=scoring_s(setup),
    )
