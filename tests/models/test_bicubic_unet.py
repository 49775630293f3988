import numpy as np
import pytest
from keras import ops

from s2distill.models.bicubic_unet import BicubicUnetConfig
from s2distill.models.bicubic_unet import build_bicubic_unet

TINY = BicubicUnetConfig(enlargement=2, channels=(8, 8))


def test_frames_count_by_their_mean_alone():
    model = build_bicubic_unet(3, 4, TINY)
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(1, 3, 7, 5, 3)).astype("float32")
    valid = np.ones((1, 3, 7, 5), "float32")
    of_all = model({"s2": s2, "frame_valid": valid})["height_m"]
    mean = {"s2": s2.mean(1, keepdims=True), "frame_valid": valid[:, :1]}
    np.testing.assert_allclose(
        ops.convert_to_numpy(of_all),
        ops.convert_to_numpy(model(mean)["height_m"]),
        atol=1e-5,  # float32 sums in another order
    )


@pytest.mark.parametrize("factor", [1, 3, 4])
def test_answers_stand_on_any_label_grid(factor):
    model = build_bicubic_unet(3, factor, TINY)
    s2 = np.zeros((2, 1, 5, 7, 3), "float32")
    answers = model({"s2": s2, "frame_valid": s2[..., 0]})
    shape = (2, 5 * factor, 7 * factor, 1)
    assert {tuple(answer.shape) for answer in answers.values()} == {shape}
