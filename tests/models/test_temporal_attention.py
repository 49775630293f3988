"""Attention over time, by brute force and by invariance."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.temporal_attention import AttentionPooling
from s2distill.models.temporal_attention import TemporalAttention

B, T, H, W, C, HEADS, KEY = 2, 3, 4, 5, 6, 3, 2


@pytest.fixture
def frames():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(B * T, H, W, C)).astype("float32")
    valid = (rng.random((B, T, H, W)) < 0.6).astype("float32")
    valid[0, :, 0, 0] = 0  # a place that no frame sees
    return x, valid


def _unfold(x):
    return x.reshape(B, T, *x.shape[1:])


def test_weights_are_a_softmax_over_the_valid_frames(frames, check_layer):
    x, valid = frames
    weights, layer = check_layer(
        TemporalAttention, {"heads": HEADS, "key_channels": KEY}, x, valid
    )
    # The layer's parts one by one; random norm and kernels.
    normed = ops.convert_to_numpy(layer.norm(x))
    keys = (normed @ layer.keys.get_weights()[0]).reshape(
        B, T, H, W, HEADS, KEY
    )
    queries = ops.convert_to_numpy(layer.queries)
    for b, i, j, h in np.ndindex(B, H, W, HEADS):
        scores = keys[b, :, i, j, h] @ queries[h] / KEY**0.5
        raw = np.exp(scores) * valid[b, :, i, j]
        want = raw / raw.sum() if raw.any() else raw
        np.testing.assert_allclose(
            _unfold(weights)[b, :, i, j, h], want, atol=1e-6
        )


def _random_weights():
    shape = (B * T, H, W, HEADS)
    return np.random.default_rng(2).random(shape).astype("float32")


def test_pooling_is_a_weighted_mean_by_groups(frames, check_layer):
    x, valid = frames
    weights = _random_weights()
    out, _ = check_layer(AttentionPooling, {}, x, weights, valid)
    assert out.shape == (B, H, W, C)
    for b, i, j, c in np.ndindex(B, H, W, C):
        head = c // (C // HEADS)
        of_frames = _unfold(weights)[b, :, i, j, head] * valid[b, :, i, j]
        seen = of_frames > 0
        want = (
            np.average(_unfold(x)[b, seen, i, j, c], weights=of_frames[seen])
            if seen.any()
            else 0.0
        )
        # A thousandth of weight goes to every valid frame alike.
        np.testing.assert_allclose(out[b, i, j, c], want, atol=0.02)


def test_where_the_preferred_frame_is_invalid_the_others_count_alike(frames):
    x, valid = frames
    weights = np.zeros((B, T, H, W, HEADS), "float32")
    weights[:, 0] = 1
    valid[:] = 1
    valid[:, 0] = 0
    out = AttentionPooling()(x, weights.reshape(-1, H, W, HEADS), valid)
    np.testing.assert_allclose(out, _unfold(x)[:, 1:].mean(1), atol=1e-5)


def test_what_stands_in_an_invalid_pixel_is_never_seen(frames):
    x, valid = frames
    poisoned = np.where(valid.reshape(-1, H, W, 1) > 0, x, 1e3)
    layer = TemporalAttention(HEADS)
    before, after = (
        ops.convert_to_numpy(AttentionPooling()(f, layer(f, valid), valid))
        for f in (x, poisoned.astype("float32"))
    )
    np.testing.assert_array_equal(before, after)
