import keras
import numpy as np
import pytest
import tensorflow as tf

from s2distill.serving.module import OUTPUTS
from s2distill.serving.module import ServingModule
from s2distill.serving.module import answers_to_outputs


def _twin(network, card, inputs):
    """The definition of normalize.py and of a temperature, in NumPy."""
    if card.takes_frames:
        dn = inputs["s2_dn"].astype("float32")
        reflectance = (dn + card.offset_dn) / card.quantification_dn
        x = (reflectance - card.statistics.centre) / card.statistics.scale
        valid = inputs["frame_valid"] > 0
        x = np.where(valid[..., None], np.clip(x, -6, 6), 0)
        fed = {"s2": x.astype("float32"), "frame_valid": valid * 1.0}
    else:
        fed = {"image": inputs["image"] / np.float32(127.5) - 1}
    answers = network(fed, training=False)
    answers = {k: keras.ops.convert_to_numpy(v) for k, v in answers.items()}
    for name in ("building", "road"):
        logits = answers.pop(f"{name}_logits") / card.temperatures[name]
        answers[name] = 1 / (1 + np.exp(-logits))
    return answers


def _assert_same(outputs, expected):
    assert set(outputs) == set(OUTPUTS) == set(expected)
    for name in OUTPUTS:
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


def test_a_temperature_divides_its_own_logit_alone():
    answers = {
        "building_logits": np.full((1, 2, 3, 1), np.log(3.0), "float32"),
        "road_logits": np.full((1, 2, 3, 1), np.log(3.0), "float32"),
        "centroid_density": np.full((1, 2, 3, 1), 7.0, "float32"),
        "height_m": np.full((1, 2, 3, 1), 8.0, "float32"),
        "image_grey": np.full((1, 2, 3, 1), 9.0, "float32"),
    }
    outputs = answers_to_outputs(answers, {"building": 2.0, "road": 1.0})
    # sigmoid(ln 3) = 3/4; sigmoid(ln 3 / 2) = sqrt 3 / (1 + sqrt 3).
    expected = {
        "building": 3**0.5 / (1 + 3**0.5),
        "road": 0.75,
        "centroid_density": 7.0,
        "height_m": 8.0,
        "image_grey": 9.0,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(outputs[name], value, rtol=1e-6)
