import numpy as np
import pytest
from keras import ops

from s2distill.models.bicubic_unet import BicubicUnetConfig
from s2distill.models.bicubic_unet import build_bicubic_unet

TINY = BicubicUnetConfig(enlargement=2, channels=(8, 8))


def test_order_of_frames_does_not_matter_and_invalid_ones_are_unseen():
    model = build_bicubic_unet(3, 4, TINY)
    rng = np.random.default_rng(0)
    s2 = rng.normal(size=(1, 3, 7, 5, 3)).astype("float32")
    valid = np.ones((1, 3, 7, 5), "float32")
    valid[:, 1] = 0
    a = model({"s2": s2, "frame_valid": valid})["height_m"]
    s2[:, 1] = np.nan
    b = model({"s2": s2[:, ::-1], "frame_valid": valid[:, ::-1]})["height_m"]
    assert tuple(a.shape) == (1, 28, 20, 1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(a), ops.convert_to_numpy(b), atol=1e-5
    )


def test_an_enlargement_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="3 does not divide the label"):
        build_bicubic_unet(3, 20, BicubicUnetConfig(enlargement=3))
