"""The flags of a training, and which of them contradict each other."""

import dataclasses
import pathlib
from typing import Literal

from s2distill.errors import ConfigError
from s2distill.flag_config import flag
from s2distill.flag_config import to_flag_lines

_LARGEST_SEED = 2**32 - 1  # of NumPy


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of `s2distill.train`."""

    records: tuple[str, ...] = flag(
        help="Record folders, mixed record by record; the first one's "
        "validation split and band statistics are used."
    )
    workdir: str = flag(help="Folder for everything this run writes.")
    network: Literal[
        "teacher",
        "student",
        "bicubic_unet",
        "super_resolution_unet",
        "composite_student",
        "u_tae",
    ] = flag("student", help="What to train.")
    preset: str = flag("small", help="Size of the network.")
    fusion: Literal["mean_max", "attention", "late_mean"] | None = flag(
        None,
        help="How a student's frames exchange what they know; without it as "
        "the preset has it.",
    )
    view: bool = flag(
        False,
        help="Tell a teacher from where its 50 cm image was taken, where the "
        "records know.",
    )
    teacher: str | None = flag(
        None,
        help="Training workdir of a teacher that answers on the fly; "
        "without it the teacher's answers are read from the records.",
    )
    init_from: str | None = flag(
        None, help="Training workdir whose weights to start from."
    )
    hard_share: float = flag(
        1.0,
        help="Share of labels where a place has both labels and a teacher's "
        "answer: 1 = labels alone, 0 = teacher alone.",
    )
    temperature: float = flag(
        1.0,
        help="Of teacher and network in the mask losses: above 1 the teacher's "
        "doubts count more.",
    )
    hint_weight: float = flag(
        0.0,
        help="Weight in the loss of the distance between the student's last "
        "features and those of --teacher; 0 compares none.",
    )
    edge_weight: float = flag(
        0.0,
        help="Pixels within 2 m of the outline of a building or road weigh 1 "
        "plus this in the mask losses.",
    )
    label_shift_m: float = flag(
        0.0,
        help="Take the loss of each example at the best shift of its labels "
        "of at most so many metres, for labels that lie beside the frames; 0 "
        "takes them where they lie.",
    )
    frames: int = flag(8, help="Sentinel-2 frames in a training example.")
    frame_drop: float = flag(
        0.2, help="Chance that a frame is left out of an example."
    )
    crop_px: int = flag(
        16, help="Side of a training crop, Sentinel-2 px; 0 takes the tile."
    )
    crops_per_record: int = flag(
        4,
        help="Crops cut from a record each time it is read, one for each of "
        "as many consecutive steps.",
    )
    augment: bool = flag(True, help="Flips, quarter turns, image contrast.")
    batch_size: int = flag(8, help="Examples in a step.")
    steps: int = flag(1000, help="Training steps; whole epochs are run.")
    epoch_steps: int = flag(
        100, help="Steps between two validations and checkpoints."
    )
    validation_steps: int = flag(
        0, help="Batches of each validation; 0 takes the whole split."
    )
    learning_rate: float = flag(
        5e-3, help="Of Muon at its highest; what AdamW moves takes 0.3 of it."
    )
    warmup_steps: int = flag(50, help="Steps of rising learning rate.")
    weight_decay: float = flag(1e-4, help="Times the learning rate.")
    clip_norm: float = flag(1.0, help="Largest norm of the gradient.")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = flag(
        "float32", help="Of the network; heads and loss stay float32."
    )
    seed: int = flag(0, help="Of weights, order, crops and frames.")


def check_config(config: Config) -> None:
    """Raises ConfigError at flags that contradict each other or make no sense.

    Args:
      config: Of the program.
    """
    if config.frames < 1:
        raise ConfigError(f"--frames must be at least 1, got {config.frames}")
    if not 0 <= config.seed <= _LARGEST_SEED:
        raise ConfigError(
            f"--seed must lie in 0 to {_LARGEST_SEED}, got {config.seed}"
        )
    if not 0 <= config.hard_share <= 1:
        raise ConfigError(
            f"--hard_share must lie in 0 to 1, got {config.hard_share}"
        )
    if config.temperature <= 0:
        raise ConfigError(
            f"--temperature must be positive, got {config.temperature}"
        )
    for name in ("hint_weight", "edge_weight", "label_shift_m"):
        if getattr(config, name) < 0:
            raise ConfigError(
                f"--{name} must be at least 0, got {getattr(config, name)}"
            )
    _check_network(config)
    _check_teacher(config)


def _check_network(config: Config) -> None:
    if config.network == "teacher" and config.teacher:
        raise ConfigError(
            f"--network=teacher learns from labels; drop "
            f"--teacher={config.teacher}"
        )
    if config.fusion and config.network != "student":
        raise ConfigError(
            f"--fusion={config.fusion} is a choice of --network=student; drop "
            f"it for --network={config.network}"
        )
    if config.view and config.network != "teacher":
        raise ConfigError(
            f"--view is for --network=teacher, which looks at the 50 cm image; "
            f"drop it for --network={config.network}"
        )


def _check_teacher(config: Config) -> None:
    """Refuses what only a teacher's answers, or features, give a meaning."""
    if config.hint_weight and not config.teacher:
        raise ConfigError(
            f"--hint_weight={config.hint_weight:g} compares features with "
            "those of a teacher that answers on the fly; give --teacher, or "
            "drop it"
        )
    if config.hard_share < 1:
        return
    if config.teacher and not config.hint_weight:
        raise ConfigError(
            f"--teacher={config.teacher} has no part with --hard_share="
            f"{config.hard_share}; lower the share, for example to 0.3"
        )
    if config.temperature != 1:
        raise ConfigError(
            f"--temperature={config.temperature:g} softens a teacher's "
            f"answers, which have no part with --hard_share="
            f"{config.hard_share:g}; lower the share, for example to 0.3, or "
            "drop it"
        )


def check_workdir(workdir: pathlib.Path, config: Config) -> None:
    """Raises ConfigError if another configuration has trained in a workdir.

    A run that was refused before its first checkpoint leaves nothing that a
    corrected one could be mixed with.
    """
    path = workdir / "run.flags"
    begun = any((workdir / "checkpoints").glob("*")) or any(
        workdir.glob("*.keras")
    )
    if not (begun and path.exists()):
        return
    before = set(path.read_text(encoding="utf-8").splitlines())
    changed = sorted(set(to_flag_lines(config)) ^ before)
    if changed:
        raise ConfigError(
            f"{workdir} was begun with other flags ({', '.join(changed)}); "
            f"choose another --workdir or repeat --flagfile={path}"
        )
