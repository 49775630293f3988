"""The training loop: optimizer, schedule, callbacks, `fit`, resume."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras
from absl import logging

from s2distill.errors import ConfigError
from s2distill.training.callbacks import Checkpoint
from s2distill.training.callbacks import MetricsLog
from s2distill.training.callbacks import StopOnNonFinite
from s2distill.training.optimizer import make_optimizer
from s2distill.training.trainer import Trainer


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """How long and how fast to train.

    Attributes:
      steps: In all, rounded up to whole epochs.
      epoch_steps: Between two validations and checkpoints.
      validation_steps: Batches of each validation; None takes all.
      learning_rate: At its highest, after the warm-up; falls by a cosine.
      warmup_steps: Of linear rise from 0.
      weight_decay: Of all weights, times the learning rate.
      clip_norm: Of the gradient over all weights.
      verbose: 0 silent, 1 progress bar, 2 one line per epoch, "auto".
    """

    steps: int
    epoch_steps: int = 100
    validation_steps: int | None = None
    learning_rate: float = 5e-3
    warmup_steps: int = 50
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    verbose: Any = "auto"

    def __post_init__(self) -> None:
        if self.steps < 1 or self.epoch_steps < 1:
            raise ConfigError(
                f"steps={self.steps}, epoch_steps={self.epoch_steps}: both "
                "must be at least 1"
            )
        if self.warmup_steps < 0:
            raise ConfigError(
                f"warmup_steps must be at least 0, got {self.warmup_steps}"
            )
        if self.learning_rate <= 0:
            raise ConfigError(
                f"learning_rate must be positive, got {self.learning_rate}"
            )

    @property
    def epochs(self) -> int:
        """Whole epochs."""
        return -(-self.steps // self.epoch_steps)


def train(
    trainer: Trainer,
    make_dataset: Callable[[int], Any],
    validation: Any,
    config: LoopConfig,
    workdir: str | os.PathLike[str],
) -> dict[str, list[float]]:
    """Trains, resuming from the newest checkpoint in `workdir`.

    A resumed run sees the batches that the straight run would have seen.

    Args:
      trainer: Network and objective, not compiled.
      make_dataset: Gives the training batches after a number of steps.
      validation: Finite dataset, or None.
      config: Length and speed.
      workdir: Gets checkpoints/, logs/ (TensorBoard) and metrics.jsonl.

    Returns:
      Logged values, epoch by epoch, of this call.

    Raises:
      TrainingError: At a loss that is not finite.
    """
    folder = pathlib.Path(workdir)
    optimizer = make_optimizer(
        steps=config.epochs * config.epoch_steps,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        weight_decay=config.weight_decay,
        clip_norm=config.clip_norm,
    )
    trainer.compile(
        optimizer=optimizer,
        jit_compile=False,  # 10 to 30 % slower than oneDNN on CPU
    )
    checkpoint = Checkpoint(folder / "checkpoints")
    _build(trainer, make_dataset(0))
    done = checkpoint.restore(trainer)
    if done:
        logging.info("Resuming after %d of %d epochs.", done, config.epochs)
    history = trainer.fit(
        make_dataset(done * config.epoch_steps),
        initial_epoch=done,
        epochs=config.epochs,
        steps_per_epoch=config.epoch_steps,
        validation_data=validation,
        validation_steps=config.validation_steps,
        verbose=config.verbose,
        shuffle=False,  # the dataset is shuffled already; True only warns
        callbacks=[
            StopOnNonFinite(),
            checkpoint,
            MetricsLog(
                folder / "metrics.jsonl", epoch_steps=config.epoch_steps
            ),
            keras.callbacks.TensorBoard(folder / "logs", write_graph=False),
        ],
    )
    return history.history


def _build(trainer: Trainer, dataset: Any) -> None:
    """Makes all weights and the optimizer's, so that they can be restored."""
    inputs, _ = next(iter(dataset))
    trainer(inputs)
    # Built here and not in the first step, which is then traced only once.
    trainer.optimizer.build(trainer.trainable_variables)
