import keras
import numpy as np
from keras import ops

from s2distill.models.heads import FEATURES
from s2distill.models.heads import OUTPUTS
from s2distill.models.heads import Answers
from s2distill.models.heads import heads


def test_zero_features_give_the_prior_of_a_suburb():
    answers = Answers()(np.zeros((1, 2, 3, len(OUTPUTS)), "float32"))
    values = {k: float(ops.mean(v)) for k, v in answers.items()}
    assert abs(1 / (1 + np.exp(-values["building_logits"])) - 0.2) < 1e-6
    assert abs(1 / (1 + np.exp(-values["road_logits"])) - 0.15) < 1e-6
    assert abs(values["centroid_density"] - 4e-4) < 1e-9
    assert abs(values["height_m"] - 6) < 1e-5
    assert abs(values["height_scale_m"] - 2) < 1e-5
    assert abs(values["image_grey"] - 0.5) < 1e-6


def test_each_answer_reads_its_own_channel():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(2, 3, 4, len(OUTPUTS))).astype("float32")
    base = Answers()(raw)
    for i, name in enumerate(OUTPUTS):
        moved = raw.copy()
        moved[..., i] += 1
        after = Answers()(moved)
        changed = [k for k in OUTPUTS if not np.allclose(base[k], after[k])]
        assert changed == [name]


def test_density_and_height_are_never_negative_and_the_scale_never_zero():
    raw = np.full((1, 2, 2, len(OUTPUTS)), -50, "float32")
    answers = Answers()(raw)
    assert float(ops.min(answers["centroid_density"])) >= 0
    assert float(ops.min(answers["height_m"])) >= 0
    assert float(ops.min(answers["height_scale_m"])) >= 0.1


def test_a_tower_and_a_centroid_are_near_the_mean_in_raw_numbers():
    # 60 m is 10 times the start, 0.02 per pixel 50 times: as squares of what
    # grows in a line they lie about as far as the roots of these.
    steps = np.linspace(0, 10, 1001, dtype="float32")
    raw = np.repeat(steps[None, :, None, None], len(OUTPUTS), axis=-1)
    answers = Answers()(raw)
    for name, value, most in (
        ("height_m", 60, 3.0),
        ("centroid_density", 0.02, 6.6),
    ):
        found = np.asarray(answers[name])[0, :, 0, 0]
        assert (np.diff(found) > 0).all()
        assert steps[np.searchsorted(found, value)] < most


def test_answers_are_float32_under_a_half_policy():
    x = keras.Input((4, 4, 8), dtype="bfloat16")
    for answer in heads(x, 2).values():
        assert answer.dtype == "float32"


def test_sub_pixels_follow_row_and_column():
    x = keras.Input((2, 3, 4))
    model = keras.Model(x, heads(x, 2))
    layer = model.get_layer("heads_raw")
    kernel = np.zeros(layer.kernel.shape, "float32")
    bias = np.zeros(layer.bias.shape, "float32")
    bias.reshape(2, 2, 6)[1, 0, 3] = 4.0  # lower left sub-pixel, height
    layer.set_weights([kernel, bias])
    height = ops.convert_to_numpy(
        model(np.zeros((1, 2, 3, 4), "float32"))["height_m"]
    )[0, ..., 0]
    high = height > 10
    want = np.zeros((4, 6), bool)
    want[1::2, 0::2] = True
    np.testing.assert_array_equal(high, want)


def test_the_features_the_heads_read_can_be_found_by_name():
    x = keras.Input((2, 3, 4))
    model = keras.Model(x, heads(keras.layers.ReLU()(x), 2))
    values = np.random.default_rng(0).normal(size=(1, 2, 3, 4))
    values = values.astype("float32")
    layer = model.get_layer(FEATURES)
    found = keras.Model(x, layer.output)(values)
    np.testing.assert_array_equal(found, np.maximum(values, 0))
    assert layer.output is model.get_layer("heads_raw").input


def test_two_heads_fit_in_one_network():
    x = keras.Input((2, 3, 4))
    coarse, fine = heads(x, 1, name="coarse"), heads(x, 2)
    assert keras.Model(x, [coarse, fine]).get_layer("coarse_features")
