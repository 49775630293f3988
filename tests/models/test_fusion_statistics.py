"""Mean and maximum of what is valid, by loops."""

import numpy as np
import pytest
from keras import ops

from s2distill.models.fusion_statistics import MaskedExchange
from s2distill.models.fusion_statistics import MaskedMean
from s2distill.models.fusion_statistics import MaskedPooling

B, T, H, W, C = 2, 3, 4, 5, 6


@pytest.fixture
def frames(masked_frames):
    """Folded into the batch."""
    x, valid = masked_frames
    return x.reshape(B * T, H, W, C), valid


def _mean_and_max(x, valid):
    """By a loop over the places; 0 where no frame is valid."""
    x = x.reshape(B, T, H, W, C)
    found = np.zeros((B, H, W, 2 * C), "float32")
    for b, i, j in np.ndindex(B, H, W):
        seen = x[b, valid[b, :, i, j] > 0, i, j]
        if len(seen):
            found[b, i, j] = np.concatenate([seen.mean(0), seen.max(0)])
    return found


def test_pooling_equals_a_loop_over_valid_frames(frames, check_layer):
    out, _ = check_layer(MaskedPooling, {}, *frames)
    np.testing.assert_allclose(out, _mean_and_max(*frames), atol=1e-6)


def test_the_mean_equals_a_loop_over_valid_frames(frames, check_layer):
    out, _ = check_layer(MaskedMean, {}, *frames)
    np.testing.assert_allclose(out, _mean_and_max(*frames)[..., :C], atol=1e-6)


def test_each_frame_is_given_the_same_projection_of_both(frames, check_layer):
    x, valid = frames
    out, layer = check_layer(MaskedExchange, {"channels": C}, x, valid)
    shared = layer.project(layer.norm(_mean_and_max(x, valid)))
    given = (out - x).reshape(B, T, H, W, C)
    for t in range(T):
        np.testing.assert_allclose(
            given[:, t], ops.convert_to_numpy(shared), atol=1e-5
        )


def test_a_maximum_may_be_negative(frames):
    x, valid = frames
    out = ops.convert_to_numpy(MaskedPooling()(x - 9, valid))
    seen = valid.any(axis=1)
    assert (out[seen] < 0).all()
    np.testing.assert_array_equal(out[~seen], 0)
