import json

import numpy as np
import pytest
import tensorflow as tf

from s2distill.errors import ConfigError
from s2distill.errors import TrainingError
from s2distill.training.loop import LoopConfig
from s2distill.training.loop import train
from s2distill.training.objective import Objective
from s2distill.training.trainer import Trainer

CONFIG = LoopConfig(
    steps=12, epoch_steps=4, warmup_steps=2, learning_rate=1e-2, verbose=0
)


def _clone(network):
    import keras

    return keras.models.clone_model(network)


def test_a_resumed_run_ends_with_the_weights_of_a_straight_run(
    tiny_student, batches, tmp_path
):
    start = tiny_student.get_weights()

    def run(workdir, data):
        network = _clone(tiny_student)
        network.set_weights(start)
        train(Trainer(network, Objective()), data.skip, None, CONFIG, workdir)
        return network.get_weights()

    def spoil(index, batch):
        inputs, targets = batch
        bad = tf.where(index >= 6, np.nan, 1.0)
        targets = {**targets, "building": targets["building"] * bad}
        return inputs, targets

    straight = run(tmp_path / "straight", batches)
    # Cut off within the second epoch, by a batch of NaN.
    with pytest.raises(TrainingError, match="step 7"):
        run(tmp_path / "cut", batches.enumerate().map(spoil))
    assert [p.name for p in (tmp_path / "cut" / "checkpoints").iterdir()] == [
        "epoch-00001.weights.h5"
    ]
    resumed = run(tmp_path / "cut", batches)
    for a, b in zip(straight, resumed, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)  # threads add in any order


def test_metrics_have_a_line_for_each_epoch(tiny_student, batches, tmp_path):
    train(
        Trainer(tiny_student, Objective()),
        batches.skip,
        batches.take(2),
        CONFIG,
        tmp_path,
    )
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4, 8, 12]
    assert "val_building_iou" in json.loads(lines[0])
    assert any((tmp_path / "logs").rglob("events*"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": 1, "learning_rate": -1.0}, "positive, got -1.0"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        LoopConfig(**wrong)
