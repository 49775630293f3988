import keras
import numpy as np
import pytest
import tensorflow as tf

from s2distill.serving.module import HEIGHT_SCALE
from s2distill.serving.module import OUTPUTS
from s2distill.serving.module import ServingModule
from s2distill.serving.module import answers_to_outputs
from s2distill.serving.window_features import tap_layers


def _twin(network, card, inputs):
    """The definition of normalize.py and of a calibration, in NumPy."""
    if card.takes_frames:
        dn = inputs["s2_dn"].astype("float32")
        reflectance = (dn + card.offset_dn) / card.quantification_dn
        x = (reflectance - card.statistics.centre) / card.statistics.scale
        valid = inputs["frame_valid"] > 0
        x = np.where(valid[..., None], np.clip(x, -6, 6), 0)
        fed = {"s2": x.astype("float32"), "frame_valid": valid * 1.0}
    else:
        fed = {"image": inputs["image"] / np.float32(127.5) - 1}
        fed |= {k: v for k, v in inputs.items() if k == "view"}
    answers = network(fed, training=False)
    answers = {k: keras.ops.convert_to_numpy(v) for k, v in answers.items()}
    for name in ("building", "road"):
        logits = answers.pop(f"{name}_logits") / card.temperatures[name]
        answers[name] = 1 / (1 + np.exp(-logits - card.biases[name]))
    answers[HEIGHT_SCALE] = answers[HEIGHT_SCALE] * card.height_scale_factor
    return answers


def _assert_same(outputs, expected):
    assert set(outputs) == {*OUTPUTS, HEIGHT_SCALE} == set(expected)
    for name in expected:
        assert outputs[name].dtype == tf.float32
        np.testing.assert_allclose(
            outputs[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name
        )


@pytest.mark.parametrize("offset_dn", [0.0, -1000.0])
def test_frames_are_normalised_as_a_numpy_twin_does(
    student, make_card, make_frames, offset_dn
):
    card = make_card(offset_dn=offset_dn)
    inputs = make_frames()
    outputs = ServingModule(student, card).serve(**inputs)
    _assert_same(outputs, _twin(student, card, inputs))
    assert outputs["building"].shape == (2, 24, 32, 1)


def test_an_image_is_normalised_as_a_numpy_twin_does(
    teacher, make_card, make_image
):
    card = make_card(kind="teacher", frames=0)
    inputs = make_image()
    outputs = ServingModule(teacher, card).serve(**inputs)
    _assert_same(outputs, _twin(teacher, card, inputs))
    assert outputs["road"].shape == (2, 14, 10, 1)


def test_a_teacher_that_knows_of_the_view_is_fed_it(
    viewing_teacher, make_card, make_image
):
    card = make_card(kind="teacher", frames=0, takes_view=True)
    inputs = make_image()
    unknown = {**inputs, "view": np.zeros((2, 3), np.float32)}
    view = np.array([[0.3, -0.2, 1], [0, 0.1, 1]], np.float32)
    module = ServingModule(viewing_teacher, card)
    leaning = module.serve(**inputs, view=view)
    _assert_same(
        leaning, _twin(viewing_teacher, card, {**inputs, "view": view})
    )
    straight = module.serve(**unknown)
    assert np.abs(leaning["building"] - straight["building"]).max() > 1e-3


@pytest.mark.parametrize("shape", [(1, 1, 5, 7), (3, 2, 1, 1), (1, 9, 4, 3)])
def test_any_number_of_frames_and_odd_sizes_work(
    student, make_card, make_frames, shape
):
    outputs = ServingModule(student, make_card()).serve(**make_frames(shape))
    batch, _, height, width = shape
    for name in OUTPUTS:
        assert outputs[name].shape == (batch, 4 * height, 4 * width, 1)
        assert np.isfinite(outputs[name]).all()


def test_numbers_in_invalid_pixels_change_nothing(
    student, make_card, make_frames
):
    module = ServingModule(student, make_card())
    inputs = make_frames()
    other = dict(inputs)
    other["s2_dn"] = np.where(
        inputs["frame_valid"][..., None] > 0, inputs["s2_dn"], 65_535
    ).astype(np.uint16)
    assert (other["s2_dn"] != inputs["s2_dn"]).any()
    before, after = module.serve(**inputs), module.serve(**other)
    for name in OUTPUTS:
        np.testing.assert_array_equal(before[name], after[name])


def test_extreme_numbers_and_no_valid_pixel_stay_finite(
    student, make_card, make_frames
):
    module = ServingModule(student, make_card())
    for dn, valid in ((0, 1), (65_535, 1), (65_535, 0)):
        inputs = make_frames((1, 2, 3, 4))
        inputs["s2_dn"][:] = dn
        inputs["frame_valid"][:] = valid
        for name, value in module.serve(**inputs).items():
            assert np.isfinite(value).all(), (name, dn, valid)


def _answers():
    shape = (1, 2, 3, 1)
    values = {
        "building_logits": np.log(3.0),
        "road_logits": np.log(3.0),
        "centroid_density": 7.0,
        "height_m": 8.0,
        "image_grey": 9.0,
    }
    return {k: np.full(shape, v, "float32") for k, v in values.items()}


def test_a_temperature_divides_its_own_logit_alone(make_card):
    card = make_card(temperatures={"building": 2.0, "road": 1.0})
    outputs = answers_to_outputs(_answers(), card)
    # sigmoid(ln 3) = 3/4; sigmoid(ln 3 / 2) = sqrt 3 / (1 + sqrt 3).
    expected = {
        "building": 3**0.5 / (1 + 3**0.5),
        "road": 0.75,
        "centroid_density": 7.0,
        "height_m": 8.0,
        "image_grey": 9.0,
    }
    assert set(outputs) == set(expected)  # a network that knows no scale
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-6)


def test_a_bias_moves_its_own_presence_and_a_factor_the_scale(make_card):
    card = make_card(
        temperatures={"building": 1.0, "road": 1.0},
        biases={"building": float(np.log(2.0)), "road": 0.0},
        height_scale_factor=1.5,
    )
    answers = _answers()
    answers["height_scale_m"] = np.full((1, 2, 3, 1), 4.0, "float16")
    outputs = answers_to_outputs(answers, card)
    # sigmoid(ln 3 + ln 2) = 6/7.
    np.testing.assert_allclose(outputs["building"], 6 / 7, rtol=1e-6)
    np.testing.assert_allclose(outputs["road"], 0.75, rtol=1e-6)
    np.testing.assert_allclose(outputs["height_scale_m"], 6.0)
    assert outputs["height_scale_m"].dtype == tf.float32


def test_trust_adds_one_number_a_window_and_moves_nothing_else(
    student, make_card, make_frames, trust
):
    inputs = make_frames((2, 3, 6, 9), valid_share=0.9)
    plain = ServingModule(student, make_card()).serve(**inputs)
    outputs = dict(ServingModule(student, make_card(), trust).serve(**inputs))
    scores = outputs.pop("out_of_distribution")
    assert scores.shape == (2, 2, 3, 1)
    assert scores.dtype == tf.float32
    judged = np.isfinite(scores[..., 0])
    # In the last corner lie 2 x 1 px of a window of 4 x 4.
    assert judged.sum() == 10
    assert not judged[:, 1, 2].any()
    for name, values in plain.items():
        np.testing.assert_allclose(outputs[name], values, rtol=1e-5, atol=1e-6)


def test_the_score_is_that_of_the_network_fed_by_hand(
    student, make_card, make_frames, trust
):
    card, inputs = make_card(), make_frames((1, 2, 8, 8))
    scores = ServingModule(student, card, trust).serve(**inputs)
    dn = inputs["s2_dn"].astype("float32")
    valid = inputs["frame_valid"].astype("float32")
    x = (dn + card.offset_dn) / card.quantification_dn
    x = np.clip((x - card.statistics.centre) / card.statistics.scale, -6, 6)
    fed = {
        "s2": (x * valid[..., None]).astype("float32"),
        "frame_valid": valid,
    }
    expected = trust.score(tap_layers(student, trust.layers)(fed), fed)
    np.testing.assert_allclose(
        scores["out_of_distribution"], expected, rtol=1e-4
    )
