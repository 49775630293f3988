"""A training workdir is read back as it was written, or refused in a line."""

import json

import keras
import numpy as np
import pytest

from s2distill import training_run
from s2distill.data.normalize import BandStatistics
from s2distill.data.schema import RecordSpec
from s2distill.errors import ModelError
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student
from s2distill.serving.calibration import Calibration
from s2distill.serving.calibration import write_calibration
from s2distill.training_run import Run
from s2distill.training_run import load_run
from s2distill.training_run import write_run

BANDS, FACTOR = ("B2", "B8", "B12"), 2
TINY = StudentConfig(
    channels=(8, 12),
    stages=2,
    unet_channels=(8, 8, 12),
    enlargement=2,
)


@pytest.fixture(scope="module")
def a_run():
    keras.utils.set_random_seed(5)
    network = build_student(len(BANDS), FACTOR, TINY)
    rng = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.1, weight.shape))
    return Run(
        kind="student",
        network=network,
        spec=RecordSpec(
            bands=BANDS,
            tile_px=6,
            label_factor=FACTOR,
            fields=("image", "building"),
            product_level="L1C",
            offset_dn=-1000.0,
        ),
        statistics=BandStatistics(
            bands=BANDS, centre=(0.1, 0.25, 0.3), scale=(0.05, 0.1, 0.2)
        ),
        frames=5,
        training={"steps": 7, "teacher": None, "records": ["a", "b"]},
        answers=("building", "height"),
    )


def _answers(network):
    rng = np.random.default_rng(2)
    s2 = rng.normal(size=(2, 3, 5, 4, len(BANDS))).astype("float32")
    valid = (rng.random((2, 3, 5, 4)) < 0.8).astype("float32")
    outputs = network({"s2": s2, "frame_valid": valid})
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def test_a_run_comes_back_as_it_was_written(a_run, tmp_path):
    write_run(tmp_path / "run", a_run)
    back = load_run(tmp_path / "run")
    for name in (
        "kind",
        "spec",
        "statistics",
        "frames",
        "training",
        "answers",
    ):
        assert getattr(back, name) == getattr(a_run, name), name
    expected, found = _answers(a_run.network), _answers(back.network)
    assert set(expected) == set(found)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], name)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.json",
        "model.keras",
    ]


def test_a_run_from_before_answers_were_recorded_knows_all(a_run, tmp_path):
    write_run(tmp_path, a_run)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    assert content.pop("answers") == ["building", "height"]
    path.write_text(json.dumps(content))
    assert load_run(tmp_path).answers == ("building", "road", "height")


def test_the_configuration_is_plain_json(a_run, tmp_path):
    write_run(tmp_path, a_run)
    content = json.loads((tmp_path / "config.json").read_text())
    assert content["kind"] == "student"
    assert content["spec"]["bands"] == list(BANDS)
    assert content["frames"] == 5
    assert content["training"]["steps"] == 7


@pytest.mark.parametrize("absent", ["model.keras", "config.json"])
def test_an_unfinished_training_is_refused(a_run, tmp_path, absent):
    write_run(tmp_path, a_run)
    (tmp_path / absent).unlink()
    with pytest.raises(ModelError, match=f"{absent} is not there") as caught:
        load_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "s2distill.train" in str(caught.value)


@pytest.mark.parametrize("kept", [0.5, 0.0])
def test_a_broken_network_is_refused_in_one_line(a_run, tmp_path, kept):
    write_run(tmp_path, a_run)
    path = tmp_path / "model.keras"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ModelError, match="train again") as caught:
        load_run(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_configuration_is_refused_in_one_line(a_run, tmp_path):
    write_run(tmp_path, a_run)
    path = tmp_path / "config.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(ModelError, match="config.json") as caught:
        load_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_network_that_cannot_be_saved_leaves_no_finished_run(
    a_run, tmp_path, monkeypatch
):
    def fail(self, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(Exception, match="[Nn]o space|disk"):
        write_run(tmp_path / "run", a_run)
    assert not (tmp_path / "run" / training_run.MODEL_FILE).exists()
    with pytest.raises(ModelError, match="no finished training"):
        load_run(tmp_path / "run")


def test_a_calibration_is_read_where_it_is_asked_for(a_run, tmp_path):
    write_run(tmp_path, a_run)
    assert load_run(tmp_path, calibrated=True).calibration is None
    biases = {"building": -0.4, "road": 0.2}
    write_calibration(tmp_path / "model.keras", Calibration(biases=biases))
    assert load_run(tmp_path, calibrated=True).calibration.biases == biases
    assert load_run(tmp_path).calibration is None
