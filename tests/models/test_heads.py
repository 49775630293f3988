import keras
import numpy as np
from keras import ops

from s2distill.models.heads import OUTPUTS
from s2distill.models.heads import Answers
from s2distill.models.heads import heads


def test_zero_features_give_the_prior_of_a_suburb():
    answers = Answers()(np.zeros((1, 2, 3, 5), "float32"))
    values = {k: float(ops.mean(v)) for k, v in answers.items()}
    assert abs(1 / (1 + np.exp(-values["building_logits"])) - 0.2) < 1e-6
    assert abs(1 / (1 + np.exp(-values["road_logits"])) - 0.15) < 1e-6
    assert abs(values["centroid_density"] - 4e-4) < 1e-9
    assert abs(values["height_m"] - 6) < 1e-5
    assert abs(values["image_grey"] - 0.5) < 1e-6


def test_each_answer_reads_its_own_channel():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    base = Answers()(raw)
    for i, name in enumerate(OUTPUTS):
        moved = raw.copy()
        moved[..., i] += 1
        after = Answers()(moved)
        changed = [k for k in OUTPUTS if not np.allclose(base[k], after[k])]
        assert changed == [name]


def test_density_and_height_are_never_negative():
    raw = np.full((1, 2, 2, 5), -50, "float32")
    answers = Answers()(raw)
    assert float(ops.min(answers["centroid_density"])) >= 0
    assert float(ops.min(answers["height_m"])) >= 0


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
    bias.reshape(2, 2, 5)[1, 0, 3] = 4.0  # lower left sub-pixel, height
    layer.set_weights([kernel, bias])
    height = ops.convert_to_numpy(
        model(np.zeros((1, 2, 3, 4), "float32"))["height_m"]
    )[0, ..., 0]
    high = height > 10
    want = np.zeros((4, 6), bool)
    want[1::2, 0::2] = True
    np.testing.assert_array_equal(high, want)
