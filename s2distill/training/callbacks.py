"""Keras callbacks: stop on a bad loss, checkpoint, metrics for machines."""

import json
import math
import os
import pathlib
from typing import Any

import keras

from s2distill.atomic_write import atomic_file
from s2distill.errors import TrainingError


class StopOnNonFinite(keras.callbacks.Callback):
    """Raises TrainingError at the first loss that is not finite."""

    def __init__(self) -> None:
        super().__init__()
        self._step = 0

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        self._step += 1
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingError(
                f"the loss is {loss} at step {self._step} of this run: "
                "lower --learning_rate or --clip_norm, or look for bad "
                "records"
            )


class Checkpoint(keras.callbacks.Callback):
    """Keeps weights, optimizer and epoch; written whole or not at all.

    `restore` before `fit` gives the epoch to go on from.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self._folder = pathlib.Path(folder)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        name = f"epoch-{epoch + 1:05d}.weights.h5"
        with atomic_file(self._folder / name) as path:
            self.model.save_weights(path)
        for older in _checkpoints(self._folder)[:-1]:
            older.unlink()

    def restore(self, trainer: keras.Model) -> int:
        """Loads the newest checkpoint into a built, compiled trainer.

        Returns:
          Number of epochs that are done; 0 without a checkpoint.
        """
        found = _checkpoints(self._folder)
        if not found:
            return 0
        trainer.optimizer.build(trainer.trainable_variables)
        trainer.load_weights(found[-1])
        return int(found[-1].name.split(".")[0].split("-")[1])


class MetricsLog(keras.callbacks.Callback):
    """One JSON line per epoch: step and every logged value."""

    def __init__(
        self, path: str | os.PathLike[str], *, epoch_steps: int
    ) -> None:
        super().__init__()
        self._path = pathlib.Path(path)
        self._epoch_steps = epoch_steps

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        values = {k: float(v) for k, v in (logs or {}).items()}
        line = {"step": (epoch + 1) * self._epoch_steps, **values}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("epoch-*.weights.h5"))
