import keras
import numpy as np
import pytest

from s2distill.models.blocks import PadToMultiple
from s2distill.models.fusion import FoldFrames
from s2distill.serving.window_features import COMPOSITE
from s2distill.serving.window_features import find_layers
from s2distill.serving.window_features import make_composite
from s2distill.serving.window_features import make_window_features
from s2distill.serving.window_features import tap_layers


@pytest.fixture
def make_inputs():
    """Random frames, 0 where not valid, and their mask."""

    def make(shape=(2, 3, 10, 7), bands=2, *, seed=0, valid_share=0.6):
        rng = np.random.default_rng(seed)
        valid = (rng.random(shape) < valid_share).astype(np.float32)
        s2 = rng.normal(1, 2, (*shape, bands)).astype(np.float32)
        return {"s2": s2 * valid[..., None], "frame_valid": valid}

    return make


def _twin(planes, seen, side):
    """Means and spreads of [B, h, w, C] by loops; weights [B, h, w]."""
    batch, height, width, channels = planes.shape
    rows, cols = -(-height // side), -(-width // side)
    found = np.zeros((batch, rows, cols, 2 * channels))
    for b, i, j in np.ndindex(batch, rows, cols):
        window = np.s_[
            b, i * side : i * side + side, j * side : j * side + side
        ]
        x, w = planes[window].reshape(-1, channels), seen[window].ravel()
        if w.sum() > 0:
            mean = np.average(x, axis=0, weights=w)
            variance = np.average((x - mean) ** 2, axis=0, weights=w)
            found[b, i, j] = np.concatenate([mean, np.sqrt(variance)])
    return found


def _toy_network(bands=2):
    """A fine, a coarse, a very coarse layer, and one of each frame apart."""
    s2 = keras.Input((None, None, None, bands), name="s2")
    valid = keras.Input((None, None, None), name="frame_valid")
    mean = keras.ops.mean(s2, axis=1) + keras.ops.mean(valid, 1)[..., None]
    fine = keras.layers.UpSampling2D(2, name="stem")(mean)
    whole = PadToMultiple(8)(mean)  # further than a window of 4 px
    coarse = keras.layers.AveragePooling2D(2, name="bottleneck")(whole)
    coarser = keras.layers.AveragePooling2D(8, name="features")(whole)
    frames = FoldFrames(name="pool0")(s2, valid)
    answers = {
        "fine": fine * 1,
        "coarse": coarse * 1,
        "coarser": coarser * 1,
        "frames": frames * 1,
    }
    return keras.Model({"s2": s2, "frame_valid": valid}, answers)


def test_composite_equals_means_and_spreads_over_the_valid_frames(make_inputs):
    inputs = make_inputs()
    found = make_composite(inputs["s2"], inputs["frame_valid"]).numpy()
    for b, i, j in np.ndindex(2, 10, 7):
        seen = inputs["frame_valid"][b, :, i, j] > 0
        x = inputs["s2"][b, seen, i, j]
        expected = np.zeros(4)
        if seen.any():
            expected = np.concatenate([x.mean(0), x.std(0)])
        np.testing.assert_allclose(found[b, i, j], expected, atol=1e-5)


def test_layers_are_found_with_their_grid():
    network = _toy_network()
    assert find_layers(network, 6) == {
        COMPOSITE: 1.0,
        "stem": 2.0,
        "bottleneck": 0.5,
    }
    assert find_layers(network, 8)["features"] == 0.125
    # Half of a pixel of the bottleneck would lie in each window.
    assert set(find_layers(network, 5)) == {COMPOSITE, "stem"}


def test_tapping_a_network_leaves_its_answers(student, make_inputs):
    inputs = make_inputs((1, 2, 8, 6), bands=3)
    tapped = tap_layers(student, [COMPOSITE, "stem"])(inputs)
    assert set(tapped) == {*student.output, "stem"}
    for name, values in student(inputs).items():
        np.testing.assert_array_equal(tapped[name], values)


@pytest.mark.parametrize("shape", [(2, 3, 12, 8), (1, 1, 10, 7), (1, 4, 3, 5)])
def test_features_equal_loops_over_windows_of_any_layer(make_inputs, shape):
    inputs = make_inputs(shape, seed=1)
    network = _toy_network()
    scales = find_layers(network, 4)
    answers = tap_layers(network, scales)(inputs)
    features, share = make_window_features(answers, inputs, scales, 4)
    seen = inputs["frame_valid"].max(axis=1)
    height, width = seen.shape[1:]
    fine = seen.repeat(2, 1).repeat(2, 2)
    padded = np.pad(seen, ((0, 0), (0, height % 2), (0, width % 2)))
    coarse = padded.reshape(len(seen), -(-height // 2), 2, -(-width // 2), 2)
    composite = make_composite(inputs["s2"], inputs["frame_valid"])
    for name, planes, weight, side in (
        (COMPOSITE, composite, seen, 4),
        ("stem", answers["stem"], fine, 8),
        ("bottleneck", answers["bottleneck"], coarse.mean((2, 4)), 2),
    ):
        planes = np.array(planes)[:, : weight.shape[1], : weight.shape[2]]
        expected = _twin(planes, weight, side)
        np.testing.assert_allclose(features[name], expected, atol=1e-5)
    rows, cols = share.shape[1:]
    for i, j in np.ndindex(rows, cols):
        part = seen[:, i * 4 : i * 4 + 4, j * 4 : j * 4 + 4]
        np.testing.assert_allclose(share[:, i, j], part.sum((1, 2)) / 16)


def test_unseen_pixels_do_not_move_features(make_inputs):
    inputs = make_inputs((1, 2, 8, 8), valid_share=0.4)
    planes = {"stem": np.random.default_rng(2).normal(0, 1, (1, 16, 16, 3))}
    scales = {"stem": 2.0}
    before, _ = make_window_features(planes, inputs, scales, 4)
    unseen = inputs["frame_valid"].max(1).repeat(2, 1).repeat(2, 2) == 0
    planes["stem"][unseen] = 1e3
    after, _ = make_window_features(planes, inputs, scales, 4)
    np.testing.assert_array_equal(before["stem"], after["stem"])
