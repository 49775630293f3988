import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from s2distill.data.normalize import BandStatistics
from s2distill.data.normalize import normalize_image
from s2distill.data.normalize import normalize_s2
from s2distill.errors import ModelError
from s2distill.errors import OutputError
from s2distill.serving import export
from s2distill.serving.card import read_card
from s2distill.serving.export import export_model
from s2distill.serving.predictor import load_predictor

_ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf

for folder, given, answered in zip(*[iter(sys.argv[1:])] * 3):
    model = tf.saved_model.load(folder)
    inputs = {k: tf.constant(v) for k, v in np.load(given).items()}
    outputs = model.signatures["serving_default"](**inputs)
    np.savez(answered, **{k: v.numpy() for k, v in outputs.items()})
assert "s2distill" not in sys.modules
"""


@pytest.fixture(scope="module")
def asked_elsewhere(saved_models, make_frames, make_image, tmp_path_factory):
    """Inputs and answers of a process that never imports this package."""
    folder = tmp_path_factory.mktemp("elsewhere")
    inputs = {
        "student": make_frames((2, 5, 7, 6), seed=8),
        "teacher": make_image((1, 18, 12), seed=3),
    }
    arguments = []
    for kind, values in inputs.items():
        given, answered = folder / f"{kind}.npz", folder / f"{kind}_out.npz"
        np.savez(given, **values)
        arguments += [str(saved_models[kind]), str(given), str(answered)]
    done = subprocess.run(
        [sys.executable, "-c", _ELSEWHERE, *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {
        kind: (values, dict(np.load(folder / f"{kind}_out.npz")))
        for kind, values in inputs.items()
    }


def _assert_same(found, answers, temperatures):
    for name, temperature in temperatures.items():
        logits = np.array(answers[f"{name}_logits"]) / temperature
        np.testing.assert_allclose(
            found[name], 1 / (1 + np.exp(-logits)), atol=1e-5
        )
    for name in ("centroid_density", "height_m", "image_grey"):
        np.testing.assert_allclose(
            found[name], np.array(answers[name]), atol=1e-5, rtol=1e-5
        )
    assert all(v.dtype == np.float32 for v in found.values())


def test_a_process_without_this_package_gets_the_students_answers(
    asked_elsewhere, student, make_card
):
    (inputs, found), card = asked_elsewhere["student"], make_card()
    s2, seen = normalize_s2(
        inputs["s2_dn"],
        inputs["frame_valid"],
        card.statistics,
        quantification_dn=card.quantification_dn,
        offset_dn=card.offset_dn,
    )
    answers = student({"s2": s2, "frame_valid": seen}, training=False)
    _assert_same(found, answers, {"building": 1.7, "road": 0.6})


def test_a_process_without_this_package_gets_the_teachers_answers(
    asked_elsewhere, teacher
):
    inputs, found = asked_elsewhere["teacher"]
    image = normalize_image(inputs["image"])
    answers = teacher({"image": image}, training=False)
    _assert_same(found, answers, {"building": 1.7, "road": 0.6})


def test_the_signature_takes_any_size_of_named_integers(saved_models):
    model = tf.saved_model.load(str(saved_models["student"]))
    signature = model.signatures["serving_default"]
    (_, inputs) = signature.structured_input_signature
    shapes = {k: (v.dtype, v.shape.as_list()) for k, v in inputs.items()}
    assert shapes == {
        "s2_dn": (tf.uint16, [None, None, None, None, 3]),
        "frame_valid": (tf.uint8, [None, None, None, None]),
    }


def test_the_card_stands_beside_the_model(saved_models, make_card):
    assert read_card(saved_models["student"]) == make_card()


def test_a_card_of_other_bands_is_refused(student, make_card, tmp_path):
    bands = ("B2", "B3", "B4", "B8")
    statistics = BandStatistics(
        bands=bands, centre=(0.1,) * 4, scale=(1.0,) * 4
    )
    card = make_card(bands=bands, statistics=statistics)
    with pytest.raises(ModelError, match="takes 3 bands.*4: B2, B3, B4, B8"):
        export_model(student, card, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_card_of_another_kind_is_refused(teacher, make_card, tmp_path):
    with pytest.raises(ModelError, match="'s2'.*this network.*'image'"):
        export_model(teacher, make_card(), tmp_path / "model")


def test_a_folder_that_exists_is_kept_unless_overwritten(
    student, make_card, tmp_path
):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "precious.txt").write_text("x")
    with pytest.raises(OutputError, match="exists already"):
        export_model(student, make_card(), tmp_path / "model")
    assert (tmp_path / "model" / "precious.txt").read_text() == "x"
    export_model(student, make_card(), tmp_path / "model", overwrite=True)
    assert read_card(tmp_path / "model") == make_card()


def test_a_saved_model_that_answers_otherwise_is_not_kept(
    student, make_card, tmp_path, monkeypatch
):
    def load_drifting(folder):
        predictor = load_predictor(folder)

        def answer(inputs):
            answers = predictor(inputs)
            answers["road"][0, 3, 2, 0] += 1e-3
            return answers

        return answer

    monkeypatch.setattr(export, "load_predictor", load_drifting)
    with pytest.raises(ModelError, match="in road by 0.0.* more than 1e-05"):
        export_model(student, make_card(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_half_precision_is_held_to_its_own_digits(
    make_card, tmp_path, monkeypatch
):
    import keras

    from s2distill.models.teacher import TeacherConfig
    from s2distill.models.teacher import build_teacher

    keras.utils.set_random_seed(5)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build_teacher(TeacherConfig(channels=(8, 12)))
    finally:
        keras.config.set_dtype_policy("float32")
    card = make_card(kind="teacher")
    export_model(network, card, tmp_path / "good")

    def load_drifting(folder):
        predictor = load_predictor(folder)
        return lambda inputs: {k: v + 0.2 for k, v in predictor(inputs).items()}

    monkeypatch.setattr(export, "load_predictor", load_drifting)
    with pytest.raises(ModelError, match="by 0.1.* more than 0.05"):
        export_model(network, card, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def _load_drifting_trust(folder):
    predictor = load_predictor(folder)

    def answer(inputs):
        answers = predictor(inputs)
        answers["out_of_distribution"] *= 1.001
        return answers

    return answer


def test_trust_is_compared_too(
    student, make_card, trust, tmp_path, monkeypatch
):
    card = make_card(
        trust_window_px=trust.window_px, trust_threshold=trust.threshold
    )
    export_model(student, card, tmp_path / "good", trust=trust)
    assert read_card(tmp_path / "good").trust_window_px == 4
    monkeypatch.setattr(export, "load_predictor", _load_drifting_trust)
    with pytest.raises(ModelError, match="in out_of_distribution by 0.0"):
        export_model(student, card, tmp_path / "bad", trust=trust)
    assert not (tmp_path / "bad").exists()


def test_trust_that_the_card_does_not_tell_of_is_refused(
    student, make_card, trust, tmp_path
):
    with pytest.raises(ModelError, match=r"\(None, None\), .* has \(4, 0"):
        export_model(student, make_card(), tmp_path / "model", trust=trust)
    assert list(tmp_path.iterdir()) == []


def test_a_teacher_has_no_trust(teacher, make_card, trust, tmp_path):
    card = make_card(
        kind="teacher",
        trust_window_px=trust.window_px,
        trust_threshold=trust.threshold,
    )
    with pytest.raises(ModelError, match="a teacher sees no frames"):
        export_model(teacher, card, tmp_path / "model", trust=trust)


def test_a_full_disk_leaves_nothing(student, make_card, tmp_path, monkeypatch):
    def save(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OutputError, match="No space left.*nothing was left"):
        export_model(student, make_card(), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
