"""Attention over frames: its limits, its parts, its heads."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.fusion_attention import AttentionExchange
from s2distill.models.fusion_attention import AttentionSummary
from s2distill.models.fusion_attention import count_heads
from s2distill.models.fusion_statistics import MaskedMean

B, T, H, W, C, HEADS = 2, 3, 4, 5, 6, 3


@pytest.fixture
def frames(masked_frames):
    """Folded into the batch."""
    x, valid = masked_frames
    return x.reshape(B * T, H, W, C), valid


def test_a_summary_is_within_what_the_valid_frames_show(frames, check_layer):
    x, valid = frames
    out, _ = check_layer(AttentionSummary, {"heads": HEADS}, x, valid)
    assert out.shape == (B, H, W, C)
    x = x.reshape(B, T, H, W, C)
    for b, i, j in np.ndindex(B, H, W):
        seen = x[b, valid[b, :, i, j] > 0, i, j]
        if len(seen):
            assert (out[b, i, j] >= seen.min(0) - 1e-5).all()
            assert (out[b, i, j] <= seen.max(0) + 1e-5).all()
        else:
            np.testing.assert_array_equal(out[b, i, j], 0)


def test_without_a_query_it_is_the_mean(frames):
    layer = AttentionSummary(HEADS)
    layer.build(*[part.shape for part in frames])
    layer.attention.queries.assign(np.zeros(layer.attention.queries.shape))
    np.testing.assert_allclose(
        ops.convert_to_numpy(layer(*frames)),
        ops.convert_to_numpy(MaskedMean()(*frames)),
        atol=1e-5,
    )


def test_a_strong_query_takes_one_frame_for_each_group(frames):
    x, valid = frames
    layer = AttentionSummary(HEADS)
    layer.build(x.shape, valid.shape)
    attention = layer.attention
    # Each head asks for the first channel of its own group.
    keys = np.zeros((C, HEADS, attention.key_channels))
    keys[:: C // HEADS, :, 0] = np.eye(HEADS)
    attention.keys.set_weights([keys.reshape(C, -1)])
    queries = np.zeros(attention.queries.shape)
    queries[:, 0] = 1e4
    attention.queries.assign(queries)
    out = ops.convert_to_numpy(layer(x, valid)).reshape(B, H, W, HEADS, -1)
    asked = ops.convert_to_numpy(attention.norm(x))[..., :: C // HEADS]
    asked = asked.reshape(B, T, H, W, HEADS)
    asked = np.where(valid[..., None] > 0, asked, -np.inf).argmax(1)
    groups = x.reshape(B, T, H, W, HEADS, -1)
    for b, i, j, head in np.ndindex(B, H, W, HEADS):
        if valid[b, :, i, j].any():
            np.testing.assert_allclose(
                out[b, i, j, head],
                groups[b, asked[b, i, j, head], i, j, head],
                atol=0.02,  # the others keep a thousandth
            )


def test_each_frame_is_given_the_same_projection_of_it(frames, check_layer):
    x, valid = frames
    out, layer = check_layer(AttentionExchange, {"channels": C}, x, valid)
    shared = layer.project(layer.norm(layer.summary(x, valid)))
    given = (out - x).reshape(B, T, H, W, C)
    for t in range(T):
        np.testing.assert_allclose(
            given[:, t], ops.convert_to_numpy(shared), atol=1e-5
        )


@pytest.mark.parametrize(
    ("channels", "heads"),
    [(7, 1), (17, 1), (18, 2), (32, 4), (144, 16), (152, 8), (256, 16)],
)
def test_heads_divide_the_channels_and_have_eight_or_more(channels, heads):
    assert count_heads(channels) == heads
