"""What every kind of fusion promises, layer by layer."""

import typing

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from s2distill.models.fusion import FUSIONS
from s2distill.models.fusion import CoarsenMask
from s2distill.models.fusion import FoldFrames
from s2distill.models.fusion import make_exchange
from s2distill.models.fusion import make_pooling

B, T, H, W, C = 2, 3, 4, 5, 6


@pytest.fixture(params=FUSIONS)
def fuse(request):
    """Exchange, then pooling, with random weights: [B,T,H,W,C] -> both."""
    exchange = make_exchange(request.param, C, "exchange")
    pool = make_pooling(request.param, C, "pool")

    def run(x, valid):
        x, valid = ops.convert_to_tensor(x), ops.convert_to_tensor(valid)
        folded = ops.reshape(x, (-1, *ops.shape(x)[2:]))
        exchanged = exchange(folded, valid)
        pooled = pool(exchanged, valid)
        return ops.reshape(exchanged, ops.shape(x)), pooled

    run(np.zeros((B, T, H, W, C), "float32"), np.ones((B, T, H, W), "float32"))
    rng = np.random.default_rng(7)
    for layer in (exchange, pool):
        for weight in getattr(layer, "weights", ()):
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return run


def _numbers(answers):
    return [ops.convert_to_numpy(answer) for answer in answers]


def test_order_of_frames_does_not_matter(masked_frames, fuse):
    x, valid = masked_frames
    order = [2, 0, 1]
    exchanged, pooled = _numbers(fuse(x, valid))
    other_exchanged, other_pooled = _numbers(fuse(x[:, order], valid[:, order]))
    # float32 sums in another order
    np.testing.assert_allclose(other_exchanged, exchanged[:, order], atol=1e-5)
    np.testing.assert_allclose(other_pooled, pooled, atol=1e-5)


@pytest.mark.parametrize("junk", [1e3, np.inf, np.nan])
def test_invalid_pixels_have_no_influence_on_others(masked_frames, fuse, junk):
    x, valid = masked_frames
    seen = valid[..., None] > 0
    exchanged, pooled = _numbers(fuse(x, valid))
    dirty = np.where(seen, x, np.float32(junk))
    other_exchanged, other_pooled = _numbers(fuse(dirty, valid))
    # A frame's own invalid pixel may keep its own value.
    np.testing.assert_array_equal(
        np.where(seen, exchanged, 0), np.where(seen, other_exchanged, 0)
    )
    np.testing.assert_array_equal(pooled, other_pooled)


def test_an_invalid_frame_may_as_well_be_absent(masked_frames, fuse):
    x, valid = masked_frames
    valid[:, 1] = 0
    exchanged, pooled = _numbers(fuse(x, valid))
    without, pooled_without = _numbers(fuse(x[:, [0, 2]], valid[:, [0, 2]]))
    np.testing.assert_allclose(exchanged[:, [0, 2]], without, atol=1e-5)
    np.testing.assert_allclose(pooled, pooled_without, atol=1e-5)


def test_one_frame_is_what_remains_of_it(masked_frames, fuse):
    x, valid = (part[:, :1] for part in masked_frames)
    exchanged, pooled = _numbers(fuse(x, valid))
    np.testing.assert_allclose(
        pooled[..., :C], exchanged[:, 0] * valid[:, 0, ..., None], atol=1e-5
    )


def test_frames_that_show_nothing_leave_zeros(masked_frames, fuse):
    x, valid = masked_frames
    exchanged, pooled = _numbers(fuse(x, np.zeros_like(valid)))
    assert np.isfinite(exchanged).all()
    np.testing.assert_array_equal(pooled, 0)


@pytest.mark.parametrize("kind", FUSIONS)
def test_frames_meet_in_an_exchange_unless_it_is_late(masked_frames, kind):
    x, valid = masked_frames
    valid[:] = 1
    layer = make_exchange(kind, C, "exchange")
    folded = x.reshape(-1, H, W, C)
    before = ops.convert_to_numpy(layer(folded, valid))
    folded[0] += np.arange(C)  # the first of the first three frames
    change = np.abs(ops.convert_to_numpy(layer(folded, valid)) - before)
    assert (change[1:T].max() > 1e-3) == (kind != "late_mean")
    assert change[T:].max() == 0


def test_compiled_it_gives_the_same_numbers(masked_frames, fuse):
    compiled = tf.function(fuse, jit_compile=True)
    for plain, fast in zip(
        fuse(*masked_frames), compiled(*masked_frames), strict=True
    ):
        np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_folding_cleans_nan_and_appends_the_mask(masked_frames, check_layer):
    x, valid = masked_frames
    check_layer(FoldFrames, {}, x, valid)
    dirty = np.where(valid[..., None] > 0, x, np.nan).astype("float32")
    out = ops.convert_to_numpy(FoldFrames()(dirty, valid))
    out = out.reshape(B, T, H, W, C + 1)
    np.testing.assert_array_equal(
        out[..., :C], np.where(valid[..., None] > 0, x, 0)
    )
    np.testing.assert_array_equal(out[..., C], valid)


def test_a_coarse_pixel_is_valid_if_any_of_its_pixels_is(
    masked_frames, check_layer
):
    _, valid = masked_frames
    out, _ = check_layer(CoarsenMask, {}, valid)
    padded = np.pad(valid, ((0, 0), (0, 0), (0, 0), (0, 1)))
    want = padded.reshape(B, T, 2, 2, 3, 2).max((3, 5))
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("make", [make_exchange, make_pooling])
def test_an_unknown_kind_is_refused_with_what_there_is(make):
    with pytest.raises(ValueError, match="mean_max, .* got 'median'"):
        make("median", C, "fusion")


def test_the_flag_offers_every_kind():
    from s2distill.training_config import Config

    kinds, _ = typing.get_args(typing.get_type_hints(Config)["fusion"])
    assert typing.get_args(kinds) == FUSIONS
