import json
import re

import numpy as np
import pytest

from s2distill.errors import ModelError
from s2distill.serving.calibration import ARRAYS_FILE
from s2distill.serving.calibration import CALIBRATION_FILE
from s2distill.serving.calibration import Calibration
from s2distill.serving.calibration import read_calibration
from s2distill.serving.calibration import write_calibration


@pytest.fixture
def model_path(tmp_path):
    path = tmp_path / "run" / "model.keras"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def written(model_path, trust):
    """A calibration with everything, on disk beside its model."""
    calibration = Calibration(
        temperatures={"building": 1.3, "road": 0.9},
        biases={"building": -0.4, "road": 0.1},
        height_scale_factor=1.2,
        trust=trust,
        measured={"tiles": 16},
    )
    path = write_calibration(model_path, calibration)
    assert path == model_path.with_name(CALIBRATION_FILE)
    return calibration


def test_what_is_read_back_is_what_was_written(written, model_path):
    found = read_calibration(model_path)
    for name in ("temperatures", "biases", "height_scale_factor", "measured"):
        assert getattr(found, name) == getattr(written, name)
    assert found.trust.window_px == written.trust.window_px
    assert found.trust.threshold == written.trust.threshold
    assert list(found.trust.layers) == list(written.trust.layers)
    for name, layer in written.trust.layers.items():
        one = found.trust.layers[name]
        assert (one.scale, one.limit) == (layer.scale, layer.limit)
        np.testing.assert_array_equal(one.mean, layer.mean)
        np.testing.assert_array_equal(one.whitening, layer.whitening)


def test_without_trust_there_are_no_arrays(model_path):
    write_calibration(model_path, Calibration())
    assert not model_path.with_name(ARRAYS_FILE).exists()
    assert read_calibration(model_path).trust is None


def test_a_model_without_calibration_has_none(model_path):
    assert read_calibration(model_path) is None


def test_a_model_trained_again_is_told_from_the_one_fitted_to(
    written, model_path
):
    model_path.write_bytes(b"other weights")
    with pytest.raises(ModelError, match="fitted to another model"):
        read_calibration(model_path)


def _cut_arrays(folder):
    path = folder / ARRAYS_FILE
    path.write_bytes(path.read_bytes()[:-9])


def _lose_arrays(folder):
    (folder / ARRAYS_FILE).unlink()


def _lose_a_field(folder):
    path = folder / CALIBRATION_FILE
    content = json.loads(path.read_text())
    del content["biases"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [_cut_arrays, _lose_arrays, _lose_a_field])
def test_damaged_files_are_refused(written, model_path, damage):
    damage(model_path.parent)
    path = re.escape(str(model_path.with_name(CALIBRATION_FILE)))
    with pytest.raises(ModelError, match=f"{path} is damaged.*calibrate again"):
        read_calibration(model_path)
