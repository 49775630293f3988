import numpy as np
import pytest
from keras import ops

from s2distill.models.composite_student import build_composite_student
from s2distill.models.student import StudentConfig
from s2distill.models.student import build_student

TINY = StudentConfig(channels=(8,), enlargement=2, unet_channels=(8, 8))
BANDS, FACTOR = 3, 4


@pytest.fixture(scope="module")
def pair():
    """A student and a composite student with the same random weights."""
    student = build_student(BANDS, FACTOR, TINY)
    composite = build_composite_student(BANDS, FACTOR, TINY)
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, 0.1, w.shape) for w in student.weights]
    student.set_weights(weights)
    composite.set_weights(weights)
    return student, composite


def _stack(frames):
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(2, frames, 5, 6, BANDS)).astype("float32")
    valid = (rng.random((2, frames, 5, 6)) < 0.7).astype("float32")
    return s2, valid


def test_it_is_the_student_fed_with_the_mean(pair):
    student, composite = pair
    s2, valid = _stack(4)
    seen = valid[..., None] * s2
    mean = (
        seen.sum(1, keepdims=True)
        / np.maximum(valid.sum(1), 1)[:, None, :, :, None]
    )
    want = student({"s2": mean, "frame_valid": valid.max(1, keepdims=True)})
    got = composite({"s2": s2, "frame_valid": valid})
    for name, answer in got.items():
        np.testing.assert_allclose(
            ops.convert_to_numpy(answer),
            ops.convert_to_numpy(want[name]),
            atol=1e-5,  # float32 sums in another order
            err_msg=name,
        )


def test_it_has_the_layers_of_a_student_and_one_more(pair):
    names = [{layer.name for layer in model.layers} for model in pair]
    assert names[0] < names[1]
    assert "composite" in names[1] - names[0]
