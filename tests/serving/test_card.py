import dataclasses
import json
import re

import numpy as np
import pytest

from s2distill.data.normalize import BandStatistics
from s2distill.errors import BandError
from s2distill.errors import ModelError
from s2distill.errors import ProductLevelError
from s2distill.serving.card import CARD_FILE
from s2distill.serving.card import read_card
from s2distill.serving.card import write_card

FITTING = {
    "bands": ("B2", "B8", "B12"),
    "product_level": "L2A",
    "quantification_dn": 10_000.0,
    "offset_dn": -1000.0,
}


def test_a_card_read_back_is_the_card_written(tmp_path, make_card):
    card = make_card(
        kind="bicubic_unet",
        gsd_m=20.0,
        answers=("road",),
        biases={"building": -0.3, "road": 0.2},
        height_scale_factor=1.4,
        trust_window_px=8,
        trust_threshold=0.7,
    )
    write_card(tmp_path, card)
    assert read_card(tmp_path) == card


def test_every_field_is_in_the_file_in_plain_json(tmp_path, make_card):
    card = make_card()
    write_card(tmp_path, card)
    content = json.loads((tmp_path / CARD_FILE).read_text())
    assert set(content) == {f.name for f in dataclasses.fields(card)}
    assert content["bands"] == ["B2", "B8", "B12"]
    assert content["statistics"]["scale"] == [0.05, 0.1, 0.07]
    assert content["schema_version"] == "1.2.0"
    assert content["answers"] == ["building", "road", "height"]


def test_a_card_from_before_answers_were_recorded_knows_all(
    tmp_path, make_card
):
    write_card(tmp_path, make_card(answers=("building",)))
    path = tmp_path / CARD_FILE
    content = json.loads(path.read_text())
    del content["answers"]
    path.write_text(json.dumps(content))
    assert read_card(tmp_path) == make_card()


def test_a_card_from_before_calibration_has_none(tmp_path, make_card):
    write_card(tmp_path, make_card())
    path = tmp_path / CARD_FILE
    content = json.loads(path.read_text())
    for name in (
        "biases",
        "height_scale_factor",
        "trust_window_px",
        "trust_threshold",
        "takes_view",
    ):
        del content[name]
    path.write_text(json.dumps(content))
    card = read_card(tmp_path)
    assert card == make_card()
    assert card.biases == {"building": 0.0, "road": 0.0}
    assert card.trust_window_px is None
    assert card.inputs == {"s2_dn", "frame_valid"}


def test_masks_are_cut_where_calibration_has_taken_a_half(make_card):
    card = make_card(biases={"building": -1.0, "road": 0.0})
    # A logit of 0 is a half before calibration.
    assert card.mask_presence == {
        "building": pytest.approx(1 / (1 + np.e)),
        "road": 0.5,
    }


@pytest.mark.parametrize(
    ("takes_view", "inputs"), [(False, {"image"}), (True, {"image", "view"})]
)
def test_a_teacher_tells_what_it_is_fed(make_card, takes_view, inputs):
    card = make_card(kind="teacher", takes_view=takes_view)
    assert card.inputs == inputs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"biases": {"building": 0.0}}, "biases .* building, road"),
        (
            {"biases": {"building": 0.0, "road": float("nan")}},
            "biases .* a number for each",
        ),
        ({"height_scale_factor": 0.0}, "height scale factor 0.0.* above 0"),
    ],
)
def test_a_calibration_that_is_no_number_makes_no_card(
    make_card, changes, message
):
    with pytest.raises(ModelError, match=message):
        make_card(**changes)


@pytest.mark.parametrize(
    ("answers", "outputs"),
    [
        (
            ("building", "road", "height"),
            ("building", "road", "centroid_density", "height_m"),
        ),
        (("building",), ("building", "centroid_density")),
        (("road", "height"), ("road", "height_m")),
    ],
)
def test_maps_are_of_what_the_model_was_trained_for(
    make_card, answers, outputs
):
    assert make_card(answers=answers).map_outputs == outputs


@pytest.mark.parametrize(
    ("answers", "shown"),
    [((), "nothing"), (("road", "building"), "road, building"), (("x",), "x")],
)
def test_a_model_that_answers_nothing_known_makes_no_card(
    make_card, answers, shown
):
    with pytest.raises(
        ModelError, match=f"answers {shown}: some of building, road, height"
    ):
        make_card(answers=answers)


def test_answers_of_a_factor_20_model_are_half_a_metre_wide(make_card):
    assert make_card(label_factor=20).label_gsd_m == 0.5


def test_only_a_teacher_takes_no_frames(make_card):
    assert not make_card(kind="teacher").takes_frames
    assert make_card(kind="student").takes_frames
    assert make_card(kind="bicubic_unet").takes_frames


def test_no_card_names_the_file_and_the_program(tmp_path):
    with pytest.raises(
        ModelError, match=re.escape(str(tmp_path / CARD_FILE)) + ".*export"
    ):
        read_card(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"frames"', '"fremes"'),
        lambda text: text.replace('"B12"', '"B13"', 1),
        lambda text: "[]",
    ],
    ids=["cut", "unknown field", "other bands", "no object"],
)
def test_a_damaged_card_is_named(tmp_path, make_card, damage):
    write_card(tmp_path, make_card())
    path = tmp_path / CARD_FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(ModelError, match=re.escape(f"{path} is no model card")):
        read_card(tmp_path)


def test_fitting_frames_may_hold_more_bands_in_another_order(make_card):
    make_card().check_fits(**{**FITTING, "bands": ("B12", "B1", "B8", "B2")})


def test_absent_bands_are_named_with_both_lists(make_card):
    with pytest.raises(
        BandError,
        match="no band B8, B12: the model .* B2, B8, B12, .* hold B2, B3;",
    ):
        make_card().check_fits(**{**FITTING, "bands": ("B2", "B3")})


def test_another_product_level_is_refused_quoting_both(make_card):
    with pytest.raises(ProductLevelError, match="on L2A, the frames are L1C"):
        make_card().check_fits(**{**FITTING, "product_level": "L1C"})


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("offset_dn", 0.0, r"\(10000, 0\)"),
        ("quantification_dn", 1000.0, r"\(1000, -1000\)"),
    ],
)
def test_another_scale_of_numbers_is_refused_quoting_both(
    make_card, field, value, shown
):
    with pytest.raises(
        ProductLevelError, match=rf"\(10000, -1000\) DN.*{shown}"
    ):
        make_card().check_fits(**{**FITTING, field: value})


def test_statistics_of_other_bands_make_no_card(make_card):
    other = BandStatistics(
        bands=("B8", "B2", "B12"), centre=(0, 0, 0), scale=(1, 1, 1)
    )
    with pytest.raises(BandError, match="B2, B8, B12 with .* B8, B2, B12"):
        make_card(statistics=other)


@pytest.mark.parametrize(
    "temperatures",
    [
        {"building": 1.0},
        {"building": 1.0, "road": 0.0},
        {"building": float("inf"), "road": 1.0},
        {"building": float("nan"), "road": 1.0},
    ],
)
def test_a_temperature_that_divides_by_nothing_makes_no_card(
    make_card, temperatures
):
    with pytest.raises(ModelError, match="temperatures .* building, road"):
        make_card(temperatures=temperatures)


def test_an_unknown_kind_makes_no_card(make_card):
    with pytest.raises(ModelError, match="'pupil'; .* teacher, student"):
        make_card(kind="pupil")
