import math

import keras
import pytest

from s2distill.errors import TrainingError
from s2distill.training.callbacks import Checkpoint
from s2distill.training.callbacks import MetricsLog
from s2distill.training.callbacks import StopOnNonFinite


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_bad_loss_stops_the_run_and_names_the_step(loss):
    stop = StopOnNonFinite()
    stop.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(TrainingError, match="at step 2 .*learning_rate"):
        stop.on_train_batch_end(1, {"loss": loss})


def _compiled(seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_checkpoint_gives_weights_optimizer_and_epoch_back(tmp_path):
    model = _compiled(1)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(model)
    model.optimizer.iterations.assign(17)
    checkpoint.on_epoch_end(0)
    checkpoint.on_epoch_end(4)
    assert [p.name for p in tmp_path.iterdir()] == ["epoch-00005.weights.h5"]
    other = _compiled(2)
    assert checkpoint.restore(other) == 5
    assert int(other.optimizer.iterations) == 17
    assert (model.get_weights()[0] == other.get_weights()[0]).all()


def test_without_a_checkpoint_training_begins_at_zero(tmp_path):
    assert Checkpoint(tmp_path).restore(_compiled(1)) == 0


def test_metrics_are_one_json_line_an_epoch(tmp_path):
    log = MetricsLog(tmp_path / "m.jsonl", epoch_steps=10)
    log.on_epoch_end(0, {"loss": 1.5})
    log.on_epoch_end(1, {"loss": 0.5})
    assert (tmp_path / "m.jsonl").read_text().splitlines() == [
        '{"step": 10, "loss": 1.5}',
        '{"step": 20, "loss": 0.5}',
    ]
