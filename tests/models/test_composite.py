import numpy as np
from keras import ops

from s2distill.models.composite import MeanComposite
from s2distill.models.composite import mean_composite

B, T, H, W, C = 2, 3, 4, 5, 2


def _stack():
    rng = np.random.default_rng(1)
    s2 = rng.normal(size=(B, T, H, W, C)).astype("float32")
    valid = (rng.random((B, T, H, W)) < 0.6).astype("float32")
    valid[0, :, 0, 0] = 0  # a place that no frame sees
    return s2, valid


def test_it_is_the_mean_of_what_was_seen(check_layer):
    s2, valid = _stack()
    out, _ = check_layer(MeanComposite, {}, s2, valid, half_dtype="float32")
    assert out.shape == (B, 1, H, W, C)
    for b, i, j in np.ndindex(B, H, W):
        seen = s2[b, valid[b, :, i, j] > 0, i, j]
        want = seen.mean(0) if len(seen) else np.zeros(C)
        np.testing.assert_allclose(out[b, 0, i, j], want, atol=1e-6)


def test_what_stands_in_an_invalid_pixel_is_never_seen():
    s2, valid = _stack()
    poisoned = np.where(valid[..., None] > 0, s2, np.nan).astype("float32")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(mean_composite(poisoned, valid)[0]),
        ops.convert_to_numpy(mean_composite(s2, valid)[0]),
    )


def test_its_mask_tells_where_any_frame_sees_the_ground():
    s2, valid = _stack()
    _, seen = mean_composite(s2, valid)
    np.testing.assert_array_equal(seen, valid.any(1, keepdims=True))
