import numpy as np
import pytest
from keras import ops

from s2distill.models.u_tae import UTaeConfig
from s2distill.models.u_tae import build_u_tae

TINY = UTaeConfig(channels=(8, 12, 8), blocks=(1, 0, 1), heads=4)
BANDS, FACTOR = 3, 2


@pytest.fixture(scope="module")
def u_tae():
    model = build_u_tae(BANDS, FACTOR, TINY)
    rng = np.random.default_rng(3)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
    return model


def _answer(model, s2, valid):
    out = model({"s2": s2, "frame_valid": valid})
    return ops.convert_to_numpy(out["building_logits"])


def test_which_frames_count_is_learnt(u_tae):
    s2 = np.random.default_rng(0).normal(size=(1, 4, 8, 12, BANDS))
    s2 = s2.astype("float32")
    valid = np.ones(s2.shape[:-1], "float32")
    before = _answer(u_tae, s2, valid)
    queries = u_tae.get_layer("attention").queries
    learnt = ops.convert_to_numpy(queries)
    queries.assign(0 * learnt)  # all frames alike
    alike = _answer(u_tae, s2, valid)
    queries.assign(learnt)
    assert np.abs(before - alike).max() > 1e-3
    np.testing.assert_array_equal(_answer(u_tae, s2, valid), before)


def test_a_cloud_in_a_corner_hides_that_corner_alone(u_tae):
    s2 = np.random.default_rng(0).normal(size=(1, 2, 32, 48, BANDS))
    s2 = s2.astype("float32")
    valid = np.ones(s2.shape[:-1], "float32")
    before = _answer(u_tae, s2, valid)
    valid[:, 0, :4, :4] = 0
    change = np.abs(_answer(u_tae, s2, valid) - before)[0, ..., 0]
    assert change[:8, :8].max() > 1e-3
    assert change[-8:, -8:].max() == 0


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match=r"16 heads .* \(48, 24\)"):
        build_u_tae(3, 4, UTaeConfig(channels=(48, 24), blocks=(1, 1)))
    with pytest.raises(ValueError, match=r"3 levels .* got \(1, 1\)"):
        build_u_tae(3, 4, UTaeConfig(blocks=(1, 1)))
