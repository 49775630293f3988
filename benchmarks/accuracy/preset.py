"""How large a benchmark is: every number of its budget, and only here."""

import dataclasses
from collections.abc import Mapping

from s2distill.errors import ConfigError

STANDARD_NETWORK = "student"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pace:
    """What stages cost, seconds on 2 cores; only foretells the time left.

    Attributes:
      start_s: A process that loads TensorFlow and traces a network.
      scene_s: Simulating a scene of 320 m.
      tile_s: Answering and scoring a tile of 320 m.
      step_s: A training step, by network.
      timing_s: Timing a network in one precision.
    """

    start_s: float = 15.0
    scene_s: float = 1.5
    tile_s: float = 0.4
    step_s: Mapping[str, float]
    timing_s: float = 40.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class BenchmarkPreset:
    """The budget of a benchmark; every model of one row of students shares it.

    Attributes:
      train_scenes: Simulated scenes of 320 m to train on.
      validation_scenes: For calibration, and watched in training.
      test_scenes: To score on, never trained on.
      labelled_share: Of the train scenes that carry labels.
      styles: Kinds of town of the world; empty takes all.
      world_frames: Sentinel-2 frames simulated for each scene.
      unseen_styles: Kinds of town that no model is trained on, each a
        world of its own.
      unseen_scenes: Scenes of each world out of distribution.
      teacher_preset: Size of the teacher.
      student_preset: Size of the student, and of it on one composite.
      baseline_preset: Size of the other networks beside it.
      teacher_steps: Training steps of the teacher.
      student_steps: Training steps of the student.
      comparison_teacher_steps: Of a teacher that only teaches in a comparison.
      comparison_steps: Of each student and baseline that is compared, and of
        a student trained again for them to be compared with.
      teacher_learning_rate: At its highest.
      student_learning_rate: At its highest.
      teacher_batch_size: Crops in a step of a teacher.
      batch_size: Crops in a step of all others.
      crop_px: Side of a crop, Sentinel-2 px.
      crops_per_record: Crops cut from a record each time it is read.
      frames: T in training and where nothing else is said.
      frame_drop: Chance that a frame is left out in training, so that any
        number of them may come in use.
      validations: Validations and checkpoints in a training.
      hard_share: Share of the labels where a place has labels and answers.
      trust_window_px: Side of the windows that are judged, 10 m pixels.
      trust_windows: Of the train split, to learn from, at most.
      spoiled_share: Of the buildings whose labels are wrong or missing.
      label_shift_m: Labels of the shifted world lie up to so far off.
      frame_counts: T at which the one student is scored.
      atlanta_teacher_steps: Of tuning on real ground.
      atlanta_student_steps: Likewise, of each student and baseline.
      precision: Of training; None lets the processor decide.
      other_sizes: Networks and presets whose cost is measured besides those
        of the table.
      timed_frames: T at which forward passes are timed.
      timing_repeats: Forward passes and steps of a timing; the best counts.
      pace: Foretells the time left.
    """

    train_scenes: int
    validation_scenes: int
    test_scenes: int
    labelled_share: float = 0.25
    styles: tuple[str, ...] = ()
    world_frames: int = 16
    unseen_styles: tuple[str, ...] = ("informal_settlement", "greenhouses")
    unseen_scenes: int
    teacher_preset: str = "small"
    student_preset: str = "small"
    baseline_preset: str = "small"
    teacher_steps: int
    student_steps: int
    comparison_teacher_steps: int
    comparison_steps: int
    teacher_learning_rate: float = 5e-3
    student_learning_rate: float = 6e-3
    teacher_batch_size: int = 8
    batch_size: int = 16
    crop_px: int = 8
    crops_per_record: int = 4
    frames: int = 8
    frame_drop: float = 0.2
    validations: int = 2
    hard_share: float = 0.5
    trust_window_px: int = 16
    trust_windows: int = 4096
    spoiled_share: float = 0.1
    label_shift_m: float = 3.0
    frame_counts: tuple[int, ...] = (1, 2, 4, 8, 16)
    atlanta_teacher_steps: int
    atlanta_student_steps: int
    precision: str | None = None
    other_sizes: tuple[tuple[str, str], ...] = ()
    timed_frames: tuple[int, ...] = (1, 8, 16, 32)
    timing_repeats: int = 5
    pace: Pace

    def size_of(self, network: str) -> str:
        """Preset of a network, as `s2distill.train --preset` takes it."""
        return {
            "teacher": self.teacher_preset,
            STANDARD_NETWORK: self.student_preset,
            "composite_student": self.student_preset,
        }.get(network, self.baseline_preset)


_PACE = Pace(
    step_s={
        "teacher": 0.3,
        STANDARD_NETWORK: 0.5,
        "super_resolution_unet": 0.8,
    }
)

PRESETS = {
    # Two cores: under 3 hours, the headline under 20 minutes.
    "small": BenchmarkPreset(
        train_scenes=256,
        validation_scenes=16,
        test_scenes=40,
        # Few kinds, for what few steps can learn; `full` has all.
        styles=(
            "grid_suburb",
            "curved_suburb",
            "terraced_town",
            "commercial",
        ),
        unseen_scenes=16,
        teacher_preset="base",
        student_preset="base",
        baseline_preset="base",
        teacher_steps=1200,
        student_steps=1600,
        comparison_teacher_steps=500,
        comparison_steps=500,
        frames=16,
        frame_drop=0.4,
        atlanta_teacher_steps=120,
        atlanta_student_steps=160,
        pace=_PACE,
    ),
    # An accelerator; configs/benchmark_full_*.flags say what it costs.
    "full": BenchmarkPreset(
        train_scenes=20_000,
        validation_scenes=200,
        test_scenes=400,
        unseen_scenes=100,
        world_frames=32,
        teacher_preset="base",
        student_preset="hrnet_w32",
        baseline_preset="full",
        teacher_steps=60_000,
        student_steps=120_000,
        comparison_teacher_steps=60_000,
        comparison_steps=120_000,
        teacher_batch_size=32,
        batch_size=32,
        crop_px=32,
        crops_per_record=1,
        frames=32,
        validations=60,
        frame_counts=(1, 2, 4, 8, 16, 32),
        atlanta_teacher_steps=1000,
        atlanta_student_steps=1000,
        precision="mixed_bfloat16",
        pace=_PACE,
    ),
    # Checks that everything runs; its scores say nothing.
    "tiny": BenchmarkPreset(
        train_scenes=8,
        validation_scenes=2,
        test_scenes=3,
        unseen_scenes=2,
        world_frames=4,
        teacher_steps=4,
        student_steps=4,
        comparison_teacher_steps=2,
        comparison_steps=2,
        teacher_batch_size=2,
        batch_size=2,
        crops_per_record=2,
        frames=3,
        trust_window_px=8,  # so that there are enough
        frame_counts=(1, 2, 3),
        atlanta_teacher_steps=2,
        atlanta_student_steps=2,
        timed_frames=(1, 2),
        timing_repeats=1,
        pace=dataclasses.replace(_PACE, timing_s=15.0),
    ),
}


def find_preset(name: str) -> BenchmarkPreset:
    """The preset of a name; ConfigError if there is none."""
    if name not in PRESETS:
        raise ConfigError(f"--preset={name}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
