import re

import numpy as np
import pytest

from s2distill.errors import BandError
from s2distill.errors import FrameError
from s2distill.errors import ModelError
from s2distill.serving.card import write_card
from s2distill.serving.export import export_model
from s2distill.serving.module import HEIGHT_SCALE
from s2distill.serving.module import OUTPUTS
from s2distill.serving.predictor import AlarmCounter
from s2distill.serving.predictor import load_predictor


@pytest.fixture(scope="module")
def predictor(student, make_card, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "student"
    export_model(student, make_card(), folder)
    return load_predictor(folder)


@pytest.mark.parametrize("shape", [(1, 1, 5, 7), (2, 6, 3, 2), (1, 2, 1, 1)])
def test_any_number_of_frames_and_odd_sizes_are_answered(
    predictor, make_frames, shape
):
    answers = predictor(make_frames(shape))
    batch, _, height, width = shape
    assert set(answers) == {*OUTPUTS, HEIGHT_SCALE}
    for values in answers.values():
        assert isinstance(values, np.ndarray)
        assert values.dtype == np.float32
        assert values.shape == (batch, 4 * height, 4 * width, 1)
    for name in ("building", "road", "image_grey"):
        assert 0 <= answers[name].min() <= answers[name].max() <= 1
    for name in ("centroid_density", "height_m"):
        assert answers[name].min() >= 0


def test_no_valid_pixel_at_all_gives_finite_answers(predictor, make_frames):
    answers = predictor(make_frames((1, 3, 4, 5), valid_share=0.0))
    for name, values in answers.items():
        assert np.isfinite(values).all(), name


def test_a_masked_frame_is_as_good_as_none(predictor, make_frames):
    inputs = make_frames((1, 4, 6, 5))
    inputs["frame_valid"][:, 1] = 0
    inputs["s2_dn"][:, 1] = 65_535
    kept = {k: v[:, [0, 2, 3]] for k, v in inputs.items()}
    without, masked = predictor(kept), predictor(inputs)
    for name in OUTPUTS:
        np.testing.assert_allclose(
            masked[name], without[name], rtol=1e-5, atol=1e-5
        )


@pytest.fixture(scope="module")
def judging(student, make_card, trust, tmp_path_factory):
    """The predictor of a student that judges windows of 4 px."""
    folder = tmp_path_factory.mktemp("models") / "judging"
    card = make_card(
        trust_window_px=trust.window_px, trust_threshold=trust.threshold
    )
    export_model(student, card, folder, trust=trust)
    return load_predictor(folder)


def test_windows_that_nobody_saw_are_not_judged(judging, make_frames):
    inputs = make_frames((1, 2, 8, 12), valid_share=1.0)
    inputs["frame_valid"][:, :, :4, 4:8] = 0
    answers = judging(inputs)
    scores = answers.pop("out_of_distribution")
    assert scores.dtype == np.float32
    assert np.isnan(scores[0, ..., 0]).tolist() == [
        [False, True, False],
        [False] * 3,
    ]
    for name, values in answers.items():
        assert np.isfinite(values).all(), name


def test_a_counter_answers_the_same_and_counts_judged_windows(
    judging, make_frames
):
    counter = AlarmCounter(judging)
    scores = []
    for seed in (1, 2):
        inputs = make_frames((1, 2, 8, 8), seed=seed, valid_share=1.0)
        inputs["frame_valid"][:, :, :4, :4] = 0
        answers = counter(inputs)
        scores.append(answers["out_of_distribution"])
        np.testing.assert_array_equal(answers["road"], judging(inputs)["road"])
    assert counter.windows == 6
    assert counter.alarms == np.sum(np.stack(scores) > 1)


def test_a_model_without_trust_counts_nothing(predictor, make_frames):
    counter = AlarmCounter(predictor)
    counter(make_frames((1, 2, 4, 4)))
    assert (counter.windows, counter.alarms) == (0, 0)


@pytest.fixture(scope="module")
def viewing(viewing_teacher, make_card, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "viewing"
    card = make_card(kind="teacher", frames=0, takes_view=True)
    export_model(viewing_teacher, card, folder)
    return load_predictor(folder)


def test_a_view_that_is_left_out_is_unknown(viewing, make_image):
    inputs = make_image()
    unknown = viewing({**inputs, "view": np.zeros((2, 3), np.float32)})
    leaning = viewing({**inputs, "view": np.full((2, 3), 0.4, np.float32)})
    without = viewing(inputs)
    np.testing.assert_array_equal(without["building"], unknown["building"])
    assert np.abs(leaning["building"] - without["building"]).max() > 1e-3


def test_a_view_of_another_shape_is_refused(viewing, make_image):
    view = np.zeros((2, 2), np.float32)
    with pytest.raises(ModelError, match=re.escape("view (2, 2) does not fit")):
        viewing({**make_image(), "view": view})


def test_the_card_comes_along(predictor, make_card):
    assert predictor.card == make_card()


def test_no_frame_is_refused(predictor, make_frames):
    with pytest.raises(FrameError, match="T = 0"):
        predictor(make_frames((1, 0, 4, 4)))


def test_another_number_of_bands_is_refused_naming_the_model_s(
    predictor, make_frames
):
    inputs = make_frames((1, 2, 4, 4))
    inputs["s2_dn"] = inputs["s2_dn"][..., :2]
    with pytest.raises(BandError, match="2 bands .* B2, B8, B12"):
        predictor(inputs)


def test_a_mask_of_another_shape_is_refused_quoting_both(
    predictor, make_frames
):
    inputs = make_frames((1, 2, 4, 4))
    inputs["frame_valid"] = inputs["frame_valid"][:, :1]
    with pytest.raises(
        ModelError, match=re.escape("(1, 2, 4, 4, 3) and frame_valid (1, 1, 4")
    ):
        predictor(inputs)


def test_numbers_of_another_type_are_refused_naming_both(
    predictor, make_frames
):
    inputs = make_frames((1, 2, 4, 4))
    inputs["s2_dn"] = inputs["s2_dn"].astype(np.float32)
    with pytest.raises(ModelError, match="s2_dn is float32.*takes uint16"):
        predictor(inputs)


def test_an_image_is_not_for_a_student(predictor, make_image):
    with pytest.raises(ModelError, match=r"is a student .* not \['image'\]"):
        predictor(make_image())


def test_an_image_without_a_batch_is_refused(
    teacher, make_card, make_image, tmp_path
):
    folder = tmp_path / "teacher"
    export_model(teacher, make_card(kind="teacher", frames=0), folder)
    image = make_image()["image"][0]
    with pytest.raises(
        ModelError, match=re.escape("image (14, 10, 3) does not fit")
    ):
        load_predictor(folder)({"image": image})


def test_weights_that_answer_nan_are_refused_before_they_are_written(
    teacher, make_card, tmp_path
):
    kernel = teacher.weights[0]
    kept = np.array(kernel)
    try:
        kernel.assign(np.full(kept.shape, np.nan))
        with pytest.raises(ModelError, match="with NaN or infinity"):
            export_model(teacher, make_card(kind="teacher"), tmp_path / "model")
    finally:
        kernel.assign(kept)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused_naming_it(tmp_path):
    with pytest.raises(ModelError, match=re.escape(str(tmp_path / "absent"))):
        load_predictor(tmp_path / "absent")


def test_a_card_without_a_savedmodel_is_refused(tmp_path, make_card):
    write_card(tmp_path, make_card())
    with pytest.raises(
        ModelError, match=re.escape(f"{tmp_path} is no SavedModel")
    ):
        load_predictor(tmp_path)
