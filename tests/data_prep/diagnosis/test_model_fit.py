import dataclasses

import numpy as np
import pytest

from data_prep.diagnosis.diagnose import diagnose


def _judge(subject, model):
    diagnosis = diagnose(subject, model)
    found = {
        f.code: f.severity
        for f in diagnosis.findings
        if f.code.startswith("model_")
    }
    return found, diagnosis.fit


def _declare(subject, **fields):
    frames = [
        dataclasses.replace(f, **fields) for f in subject.places[0].frames
    ]
    place = dataclasses.replace(subject.places[0], frames=tuple(frames))
    return dataclasses.replace(subject, places=(place,))


def test_frames_of_the_right_kind_fit(clear_ten, l2a, make_model):
    for subject in (clear_ten, l2a):  # more bands than needed are no fault
        found, fit = _judge(subject, make_model())
        assert found == {}
        assert fit.fits
        assert fit.sentence.startswith("This input fits the model")


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"product_level": "L1C"}, "model_level", "trained on L1C"),
        ({"offset_dn": -1000.0}, "model_scale", "(10000, -1000) DN"),
        ({"quantification_dn": 5000.0}, "model_scale", "(5000, 0) DN"),
    ],
)
def test_another_kind_does_not_fit_and_the_sentence_says_why(
    clear_ten, make_model, changes, code, text
):
    found, fit = _judge(clear_ten, make_model(**changes))
    assert found == {code: "error"}
    assert not fit.fits
    assert fit.sentence.startswith("This input does not fit the model")
    assert text in fit.sentence


def test_missing_bands_are_named(clear_ten, keep_bands, make_model):
    few = keep_bands(clear_ten, ("B2", "B3", "B4", "B8"))
    found, fit = _judge(few, make_model())
    assert found["model_bands"] == "error"
    assert "lacks B5, B6, B7, B8A, B11, B12" in fit.sentence


def test_unknown_bands_are_the_only_thing_said(
    clear_ten, make_model, make_subject, make_frame
):
    values = clear_ten.places[0].frames[0].values
    names = tuple(f"plane {i}" for i in range(10))
    found, _ = _judge(
        make_subject([make_frame(values, names)]), make_model(frames=12)
    )
    assert found == {"model_bands": "error"}


@pytest.mark.parametrize(
    ("wanted", "severity"), [(4, None), (5, "note"), (12, "warning")]
)
def test_less_than_half_the_frames_of_training_are_a_warning(
    clear_ten, make_model, wanted, severity
):
    found, fit = _judge(clear_ten, make_model(frames=wanted))
    assert found.get("model_frames") == severity
    assert fit.fits
    assert ("but beware" in fit.sentence) == (severity == "warning")


def test_frames_of_which_most_show_nothing_are_few(
    clear_ten, change, make_model
):
    black = change(clear_ten, lambda i, v: v * (i == 0))
    found, _ = _judge(black, make_model())
    assert found["model_frames"] == "warning"
    black = change(clear_ten, lambda _, v: v * 0)
    found, _ = _judge(black, make_model())
    assert found["model_no_frame"] == "error"


@pytest.mark.parametrize(
    ("pixel_m", "fits"), [(10.0, True), (11.0, True), (20.0, False)]
)
def test_other_pixels_are_a_warning(clear_ten, make_model, pixel_m, fits):
    other = dataclasses.replace(clear_ten, pixel_m=pixel_m)
    found, _ = _judge(other, make_model())
    assert ("model_pixel" not in found) == fits


def test_without_a_word_the_numbers_tell_the_level(l1c, keep_bands, make_model):
    silent = _declare(l1c, product_level="")
    found, _ = _judge(silent, make_model())
    assert found["model_level"] == "error"
    bands = ("B2", "B3", "B4", "B8", "B5", "B6", "B7", "B8A", "B11", "B12")
    found, _ = _judge(keep_bands(silent, bands), make_model())
    assert found["model_level"] == "warning"
    found, _ = _judge(silent, make_model(product_level="L1C"))
    assert "model_level" not in found


def test_reflectance_outside_of_geotiffs_is_an_error(
    clear_ten, change, make_model
):
    floats = change(clear_ten, lambda _, v: (v / 10_000).astype(np.float32))
    found, _ = _judge(floats, make_model())
    assert "model_scale" not in found
    export = dataclasses.replace(floats, kind="earth_engine_image")
    found, _ = _judge(export, make_model())
    assert found["model_scale"] == "error"


def test_images_and_frames_are_not_taken_for_each_other(
    clear_ten, make_model, make_subject, make_frame
):
    rng = np.random.default_rng(0)
    picture = rng.integers(1, 255, (40, 50, 3), np.uint8)
    frame = make_frame(picture, ("red", "green", "blue"))
    image = make_subject([frame], kind="image", pixel_m=0.5)
    teacher = make_model(kind="teacher", frames=0)
    assert _judge(image, make_model())[0] == {"model_kind": "error"}
    assert _judge(clear_ten, teacher)[0] == {"model_kind": "error"}
    found, fit = _judge(image, teacher)
    assert found == {}
    assert fit.fits
    coarse = dataclasses.replace(image, pixel_m=1.0)
    assert _judge(coarse, teacher)[0] == {"model_pixel": "warning"}


def test_a_table_feeds_no_model(clear_ten, make_model):
    table = dataclasses.replace(clear_ten, kind="earth_engine_table", places=())
    found, fit = _judge(table, make_model())
    assert found == {"model_kind": "error"}
    assert "the input is a table" in fit.sentence


def test_records_are_judged_by_their_label_factor_and_image(
    real_records, make_model
):
    from data_prep.diagnosis.open_records import open_records

    records = open_records("x", [str(real_records())], 3)
    assert records.record_facts.label_factor == 2
    found, _ = _judge(records, make_model())
    assert found == {"model_label_factor": "warning"}
    found, _ = _judge(records, make_model(label_factor=2))
    assert found == {}
    found, _ = _judge(records, make_model(kind="teacher", frames=0))
    assert found == {"model_kind": "error"}
