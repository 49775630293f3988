import numpy as np
from keras import ops

from s2distill.models.blocks import CropLike
from s2distill.models.blocks import PadToMultiple
from s2distill.models.blocks import ResidualBlock


def _random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_residual_block_holds_the_layer_contract(check_layer):
    out, _ = check_layer(ResidualBlock, {"channels": 6}, _random(2, 5, 7, 6))
    assert out.shape == (2, 5, 7, 6)


def test_a_new_residual_block_is_near_the_identity_but_not_it():
    x = _random(2, 25, 27, 16)
    change = ops.convert_to_numpy(ResidualBlock(16)(x)) - x
    assert 0.2 < change.std() / x.std() < 0.8


def test_expansion_widens_the_middle():
    block = ResidualBlock(4, expansion=2.0)
    block(_random(1, 3, 3, 4))
    assert block.widen.kernel.shape == (3, 3, 4, 8)


def test_padding_adds_zeros_at_bottom_and_right_only(check_layer):
    x = _random(2, 5, 7, 3)
    out, _ = check_layer(PadToMultiple, {"factor": 4}, x)
    np.testing.assert_array_equal(out[:, :5, :7], x)
    assert out.shape == (2, 8, 8, 3)
    assert not out[:, 5:].any()
    assert not out[:, :, 7:].any()


def test_padding_leaves_a_multiple_alone():
    x = _random(1, 4, 8, 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(PadToMultiple(4)(x)), x)


def test_cropping_keeps_the_top_left(check_layer):
    x = _random(2, 6, 8, 3)
    out, _ = check_layer(CropLike, {}, x, _random(2, 5, 7, 2))
    np.testing.assert_array_equal(out, x[:, :5, :7])
