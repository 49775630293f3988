r"""Train a teacher, a student or a baseline on record folders.

    python -m s2distill.train --network=student --hard_share=0.3 \
        --records=soft/labelled,soft/unlabelled --workdir=runs/student

A teacher learns from labels (`--network=teacher`). A student learns from the
teacher's answers: written into the records by data_prep.label_with_teacher,
or given on the fly by `--teacher=WORKDIR`. With `--hard_share=1` it learns
from labels alone. Where labels lie up to 3 m beside the frames,
`--label_shift_m=3` finds out by how much, place by place. WORKDIR gets
model.keras, config.json, run.flags, versions.json, metrics.jsonl, TensorBoard
logs and a checkpoint; the same command resumes a run that was cut off.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING
from typing import Any

from absl import logging

from s2distill.errors import RecordError
from s2distill.flag_config import run_program
from s2distill.flag_config import write_run_files
from s2distill.training_config import Config
from s2distill.training_config import check_config
from s2distill.training_config import check_workdir

if TYPE_CHECKING:
    from s2distill.training.trainer import Trainer
    from s2distill.training_run import Run


def run(config: Config) -> "Run":
    """Trains as configured; returns what is in the workdir afterwards."""
    import keras

    from s2distill import training_setup
    from s2distill.data.folders import open_folders
    from s2distill.training_run import MODEL_FILE
    from s2distill.training_run import Run
    from s2distill.training_run import load_run
    from s2distill.training_run import write_run

    check_config(config)
    workdir = pathlib.Path(config.workdir)
    check_workdir(workdir, config)
    if (workdir / MODEL_FILE).exists():
        logging.info("%s is finished already.", workdir)
        return load_run(workdir)
    manifests = open_folders(config.records)
    training_setup.check_targets(config, manifests)
    spec = manifests[0].spec
    source = training_setup.load_source(config)
    statistics = training_setup.read_band_statistics(config, spec, source)

    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    try:
        trainer = training_setup.make_trainer(config, spec, source)
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
        answers=training_setup.find_answers(config, manifests, trainer),
    )
    write_run(workdir, result)
    logging.info("Wrote %s.", workdir / MODEL_FILE)
    return result


def main() -> None:
    """Entry point."""
    run_program(run, Config, __doc__)


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
