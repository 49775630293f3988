"""Each promise of `models.fusion`, by brute force and by invariance."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.fusion import CoarsenMask
from s2distill.models.fusion import FoldFrames
from s2distill.models.fusion import MaskedExchange
from s2distill.models.fusion import MaskedPooling

B, T, H, W, C = 2, 3, 4, 5, 6


@pytest.fixture
def frames():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(B, T, H, W, C)).astype("float32")
    valid = (rng.random((B, T, H, W)) < 0.6).astype("float32")
    valid[0, :, 0, 0] = 0  # a place that no frame sees
    return x, valid


def _fold(x):
    return x.reshape(-1, *x.shape[2:])


def test_pooling_equals_a_loop_over_valid_frames(frames, check_layer):
    x, valid = frames
    out, _ = check_layer(MaskedPooling, {}, _fold(x), valid)
    for b, i, j in np.ndindex(B, H, W):
        seen = x[b, valid[b, :, i, j] > 0, i, j]
        want = (
            np.concatenate([seen.mean(0), seen.max(0)])
            if len(seen)
            else np.zeros(2 * C)
        )
        np.testing.assert_allclose(out[b, i, j], want, atol=1e-6)


def test_exchange_holds_the_layer_contract(frames, check_layer):
    x, valid = frames
    out, _ = check_layer(MaskedExchange, {"channels": C}, _fold(x), valid)
    assert out.shape == (B * T, H, W, C)


@pytest.mark.parametrize("layer", [MaskedPooling(), MaskedExchange(C)])
def test_invalid_pixels_have_no_influence_on_others(frames, layer):
    x, valid = frames
    before = ops.convert_to_numpy(layer(_fold(x), valid))
    poisoned = np.where(valid[..., None] > 0, x, 1e3).astype("float32")
    after = ops.convert_to_numpy(layer(_fold(poisoned), valid))
    if before.shape[0] == B:
        np.testing.assert_array_equal(before, after)
    else:  # a frame's own invalid pixel may keep its own value
        keep = _fold(valid) > 0
        np.testing.assert_array_equal(before[keep], after[keep])


def test_order_of_frames_does_not_matter(frames):
    x, valid = frames
    order = [2, 0, 1]
    exchange, pool = MaskedExchange(C), MaskedPooling()

    def run(x, valid):
        return ops.convert_to_numpy(pool(exchange(_fold(x), valid), valid))

    np.testing.assert_allclose(
        run(x, valid),
        run(x[:, order], valid[:, order]),
        atol=1e-6,  # sums in another order
    )


def test_folding_cleans_nan_and_appends_the_mask(frames, check_layer):
    x, valid = frames
    check_layer(FoldFrames, {}, x, valid)
    dirty = np.where(valid[..., None] > 0, x, np.nan).astype("float32")
    out = ops.convert_to_numpy(FoldFrames()(dirty, valid))
    np.testing.assert_array_equal(
        out[..., :C], _fold(np.where(valid[..., None] > 0, x, 0))
    )
    np.testing.assert_array_equal(out[..., C], _fold(valid))


def test_a_coarse_pixel_is_valid_if_any_of_its_pixels_is(frames, check_layer):
    _, valid = frames
    out, _ = check_layer(CoarsenMask, {}, valid)
    padded = np.pad(valid, ((0, 0), (0, 0), (0, 0), (0, 1)))
    want = padded.reshape(B, T, 2, 2, 3, 2).max((3, 5))
    np.testing.assert_array_equal(out, want)
