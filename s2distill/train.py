r"""Train a teacher, a student or a baseline on record folders.

    python -m s2distill.train --network=student --hard_share=0.3 \
        --records=soft/labelled,soft/unlabelled --workdir=runs/student

A teacher learns from labels (`--network=teacher`). A student learns from the
teacher's answers: written into the records by data_prep.label_with_teacher,
or given on the fly by `--teacher=WORKDIR`. With `--hard_share=1` it learns
from labels alone. WORKDIR gets model.keras, config.json, run.flags,
versions.json, metrics.jsonl, TensorBoard logs and a checkpoint; the same
command resumes a run that was cut off.
"""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from absl import logging

from s2distill.errors import ConfigError
from s2distill.errors import RecordError
from s2distill.flag_config import flag
from s2distill.flag_config import run_program
from s2distill.flag_config import to_flag_lines
from s2distill.flag_config import write_run_files

if TYPE_CHECKING:
    import keras

    from s2distill.data.schema import RecordSpec
    from s2distill.training.trainer import Trainer
    from s2distill.training_run import Run


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Flags of the program."""

    records: tuple[str, ...] = flag(
        help="Record folders, mixed record by record; the first one's "
        "validation split and band statistics are used."
    )
    workdir: str = flag(help="Folder for everything this run writes.")
    network: Literal["teacher", "student", "bicubic_unet"] = flag(
        "student", help="What to train."
    )
    preset: str = flag("small", help="Size of the network.")
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
    temperature: float = flag(1.0, help="Of the mask losses.")
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
    steps: int = flag(1000, help="Training steps.")
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


def run(config: Config) -> "Run":
    """Trains as configured; returns what is in the workdir afterwards."""
    import keras

    from s2distill.data.manifest import read_manifest
    from s2distill.training_run import MODEL_FILE
    from s2distill.training_run import Run
    from s2distill.training_run import load_run
    from s2distill.training_run import write_run

    _check(config)
    workdir = pathlib.Path(config.workdir)
    _check_workdir(workdir, config)
    if (workdir / MODEL_FILE).exists():
        logging.info("%s is finished already.", workdir)
        return load_run(workdir)
    spec = read_manifest(config.records[0]).spec
    statistics = _read_statistics(config, spec)

    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    try:
        trainer = _make_trainer(config, spec)
    finally:
        keras.config.set_dtype_policy("float32")
    write_run_files(workdir, config)
    _fit(config, trainer, statistics)
    result = Run(
        kind=config.network,
        network=trainer.network,
        spec=spec,
        statistics=statistics,
        frames=0 if config.network == "teacher" else config.frames,
        training=dataclasses.asdict(config) | {"records": config.records},
    )
    write_run(workdir, result)
    logging.info("Wrote %s.", workdir / MODEL_FILE)
    return result


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


def _check(config: Config) -> None:
    if config.frames < 1:
        raise ConfigError(f"--frames must be at least 1, got {config.frames}")
    if config.network == "teacher" and config.teacher:
        raise ConfigError(
            f"--network=teacher learns from labels; drop "
            f"--teacher={config.teacher}"
        )
    if config.teacher and config.hard_share >= 1:
        raise ConfigError(
            f"--teacher={config.teacher} has no part with --hard_share="
            f"{config.hard_share}; lower the share, for example to 0.3"
        )


def _check_workdir(workdir: pathlib.Path, config: Config) -> None:
    """Refuses a workdir that another configuration has begun."""
    path = workdir / "run.flags"
    if not path.exists():
        return
    before = set(path.read_text(encoding="utf-8").splitlines())
    changed = sorted(set(to_flag_lines(config)) ^ before)
    if changed:
        raise ConfigError(
            f"{workdir} was begun with other flags ({', '.join(changed)}); "
            f"choose another --workdir or repeat --flagfile={path}"
        )


def _read_statistics(config: Config, spec: "RecordSpec") -> Any:
    from s2distill.data.manifest import STATISTICS_FILE
    from s2distill.data.normalize import read_statistics

    if config.init_from:
        from s2distill.training_run import load_run

        return load_run(config.init_from).statistics.select(spec.bands)
    path = os.path.join(config.records[0], STATISTICS_FILE)
    return read_statistics(path).select(spec.bands)


def _make_trainer(config: Config, spec: "RecordSpec") -> "Trainer":
    from s2distill.models.network import build_network
    from s2distill.training.objective import Objective
    from s2distill.training.trainer import Trainer
    from s2distill.training_run import load_run

    network = build_network(
        config.network,
        preset=config.preset,
        bands=len(spec.bands),
        label_factor=spec.label_factor,
    )
    if config.init_from:
        _copy_weights(network, config)
    teacher = load_run(config.teacher).network if config.teacher else None
    objective = Objective(
        hard_share=config.hard_share, temperature=config.temperature
    )
    return Trainer(network, objective, teacher=teacher)


def _copy_weights(network: "keras.Model", config: Config) -> None:
    from s2distill.training_run import load_run

    source = load_run(config.init_from)
    shapes = [tuple(w.shape) for w in network.weights]
    found = [tuple(w.shape) for w in source.network.weights]
    if shapes != found:
        raise ConfigError(
            f"--init_from={config.init_from} holds a {source.kind} of bands "
            f"{','.join(source.spec.bands)}; its weights do not fit a "
            f"{config.network} of preset {config.preset} and these records"
        )
    network.set_weights(source.network.get_weights())


def _fit(config: Config, trainer: "Trainer", statistics: Any) -> None:
    from s2distill.data.pipeline import PipelineConfig
    from s2distill.data.pipeline import make_eval_dataset
    from s2distill.data.pipeline import make_train_dataset
    from s2distill.training.loop import LoopConfig
    from s2distill.training.loop import train

    pipeline = PipelineConfig(
        batch_size=config.batch_size,
        frames=config.frames,
        crop_px=config.crop_px or None,
        crops_per_record=config.crops_per_record,
        seed=config.seed,
        augment=config.augment,
        frame_drop=config.frame_drop,
    )
    try:
        validation = make_eval_dataset(
            config.records[:1], "validation", pipeline, statistics
        )
    except RecordError as error:
        logging.warning("Training without validation: %s", error)
        validation = None
    train(
        trainer,
        lambda steps: make_train_dataset(
            config.records, pipeline, statistics, start_step=steps
        ),
        validation,
        LoopConfig(
            steps=config.steps,
            epoch_steps=min(config.epoch_steps, config.steps),
            validation_steps=config.validation_steps or None,
            learning_rate=config.learning_rate,
            warmup_steps=config.warmup_steps,
            weight_decay=config.weight_decay,
            clip_norm=config.clip_norm,
        ),
        config.workdir,
    )


if __name__ == "__main__":
    main()
